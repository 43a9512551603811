//! What bodies are made of: a piece in which nothing repeats, over and over.

/// Its length, and as much as one call sends.
pub(crate) const PIECE: usize = 256 << 10;

/// The piece.
pub(crate) fn piece() -> Vec<u8> {
    let hash = |at: u32| (at.wrapping_mul(0x9e37_79b1) ^ at.rotate_left(9)) >> 13;
    (0..PIECE as u32).map(|at| hash(at) as u8).collect()
}

/// Whether a body of the origin has these bytes from there on.
pub(crate) fn has(piece: &[u8], mut from: usize, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        let rest = &piece[from % piece.len()..];
        let count = rest.len().min(bytes.len());
        if rest[..count] != bytes[..count] {
            return false;
        }
        from += count;
        bytes = &bytes[count..];
    }
    true
}
