//! Text that must not be printed, and the files it may come from.

use std::fmt;
use std::path::Path;

use zeroize::Zeroizing;

use super::file::named_text;

/// Text that must not be printed, and is wiped from memory once nobody needs it.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

// === impl Secret ===

impl Secret {
    /// Seals a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A token as a client can send it: one word of visible ASCII.
pub(super) fn token(text: &str) -> Result<Secret, String> {
    if text.is_empty() {
        return Err("holds no token".to_owned());
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("holds what no client can send: a token is one word of ASCII".to_owned());
    }
    Ok(Secret::new(text))
}

/// The token in a file, without the line end that editors add.
///
/// # Errors
///
/// What is wrong with the file, by its name.
pub fn token_file(path: &Path) -> Result<Secret, String> {
    let text = named_text(path).map(Zeroizing::new)?;
    token(text.trim_end()).map_err(|message| format!("{} {message}", path.display()))
}

/// The signature key in a file, byte for byte as clients are given it, without the line end that
/// editors add. Wiped when dropped.
pub(super) fn signature_key_file(path: &Path) -> Result<Zeroizing<String>, String> {
    let mut text = named_text(path).map(Zeroizing::new)?;
    let key = text
        .strip_suffix("\r\n")
        .or_else(|| text.strip_suffix('\n'))
        .map_or(text.len(), str::len);
    text.truncate(key);
    if text.is_empty() {
        return Err(format!("{} holds no key", path.display()));
    }
    Ok(text)
}
