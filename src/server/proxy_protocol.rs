//! The header that a load balancer puts before a connection's bytes (PROXY protocol 1 and 2): a function of
//! bytes, without a socket.
//!
//! Who may send one, and what follows from it, is not known here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// What the second version begins with: nothing that HTTP or TLS could begin with.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// What the first version begins with.
const WORD: &[u8] = b"PROXY ";

/// The longest line of the first version, its end included.
const MAX_LINE: usize = 107;

/// Bytes of the second version before what its length counts.
const FIXED: usize = SIGNATURE.len() + 4;

/// The longest header that is read: four times what the protocol promises to arrive in one piece, which leaves
/// room for names and identifiers behind the addresses, and none for certificates.
pub const MAX_HEADER: usize = 2048;

/// A header, whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyHeader {
    /// The bytes it takes; what follows is the connection's own.
    pub length: usize,
    /// Whom the connection is for; none where it is the sender's own, or the sender does not know.
    pub source: Option<SocketAddr>,
}

/// What came is no such header, or none that is meant for a connection over TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no PROXY header")]
pub struct NoHeader;

/// Two addresses and two ports as they lie in the second version.
struct Block<'a>(&'a [u8]);

// === impl ProxyHeader ===

impl ProxyHeader {
    /// Reads the header at the beginning of `bytes`; nothing yet where all of them are the beginning of one.
    ///
    /// # Errors
    ///
    /// Where no header begins so.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, NoHeader> {
        if begins_like(bytes, &SIGNATURE) {
            binary(bytes)
        } else if begins_like(bytes, WORD) {
            line(bytes)
        } else {
            Err(NoHeader)
        }
    }

    /// IPv4 in the clothes of IPv6 is IPv4.
    fn new(length: usize, source: Option<SocketAddr>) -> Self {
        let source = source.map(|it| SocketAddr::new(it.ip().to_canonical(), it.port()));
        Self { length, source }
    }
}

/// Whether `bytes` and `word` are the same as far as both go.
fn begins_like(bytes: &[u8], word: &[u8]) -> bool {
    bytes.iter().zip(word).all(|(one, other)| one == other)
}

/// The first version: `PROXY TCP4 SOURCE DESTINATION PORT PORT`, or `PROXY UNKNOWN` and anything.
fn line(bytes: &[u8]) -> Result<Option<ProxyHeader>, NoHeader> {
    let within = bytes.get(..MAX_LINE).unwrap_or(bytes);
    let Some(end) = within.windows(2).position(|pair| pair == b"\r\n") else {
        return if within.len() < MAX_LINE {
            Ok(None)
        } else {
            Err(NoHeader)
        };
    };
    let text = within.get(WORD.len()..end).ok_or(NoHeader)?;
    let text = std::str::from_utf8(text).map_err(|_| NoHeader)?;
    let words: Vec<&str> = text.split(' ').collect();
    let source = match words.as_slice() {
        ["UNKNOWN", ..] => None,
        ["TCP4", addresses @ ..] => Some(source::<Ipv4Addr>(addresses)?),
        ["TCP6", addresses @ ..] => Some(source::<Ipv6Addr>(addresses)?),
        _ => return Err(NoHeader),
    };
    Ok(Some(ProxyHeader::new(end + 2, source)))
}

/// The first of two addresses of one family, with the first of two ports.
fn source<A: FromStr + Into<IpAddr>>(words: &[&str]) -> Result<SocketAddr, NoHeader> {
    let address = |text: &str| text.parse::<A>().map_err(|_| NoHeader);
    let [source, destination, from, to] = words else {
        return Err(NoHeader);
    };
    let (source, _) = (address(source)?, address(destination)?);
    let (from, _) = (port(from)?, port(to)?);
    Ok(SocketAddr::new(source.into(), from))
}

/// A port in its one spelling.
fn port(text: &str) -> Result<u16, NoHeader> {
    let port: u16 = text.parse().map_err(|_| NoHeader)?;
    // `u16::from_str` takes a sign, and noughts in front.
    if port.to_string() == text {
        Ok(port)
    } else {
        Err(NoHeader)
    }
}

/// The second version: signature, version and command, family, length; addresses; then what is skipped.
fn binary(bytes: &[u8]) -> Result<Option<ProxyHeader>, NoHeader> {
    let Some([command, family, high, low]) = bytes.get(SIGNATURE.len()..FIXED) else {
        return Ok(None);
    };
    let length = FIXED + usize::from(u16::from_be_bytes([*high, *low]));
    if length > MAX_HEADER || !matches!(command, 0x20 | 0x21) {
        return Err(NoHeader);
    }
    let Some(block) = bytes.get(FIXED..length) else {
        return Ok(None);
    };
    let source = match (command, family) {
        // The sender's own, as to see whether somebody is here; or for whom it cannot say.
        (0x20, _) | (0x21, 0x00) => None,
        (_, 0x11) => Some(Block(block).ipv4().ok_or(NoHeader)?),
        (_, 0x21) => Some(Block(block).ipv6().ok_or(NoHeader)?),
        // Two paths, of which neither is an address.
        (_, 0x31) if block.len() >= 216 => None,
        _ => return Err(NoHeader),
    };
    Ok(Some(ProxyHeader::new(length, source)))
}

// === impl Block ===

impl Block<'_> {
    fn ipv4(&self) -> Option<SocketAddr> {
        let (source, rest) = self.0.split_first_chunk::<4>()?;
        let (_, rest) = rest.split_first_chunk::<4>()?;
        Some((Ipv4Addr::from(*source), first_port(rest)?).into())
    }

    fn ipv6(&self) -> Option<SocketAddr> {
        let (source, rest) = self.0.split_first_chunk::<16>()?;
        let (_, rest) = rest.split_first_chunk::<16>()?;
        Some((Ipv6Addr::from(*source), first_port(rest)?).into())
    }
}

/// The first of two ports.
fn first_port(bytes: &[u8]) -> Option<u16> {
    let ([high, low, _, _], _) = bytes.split_first_chunk::<4>()?;
    Some(u16::from_be_bytes([*high, *low]))
}

#[cfg(test)]
#[path = "proxy_protocol_tests.rs"]
mod tests;
