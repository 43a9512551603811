//! Versions of HTTP, as they are told.

use http::{HeaderValue, Version};

/// A version's number. Nothing here speaks any other.
pub fn version_number(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        _ => "1.1",
    }
}

/// A member of `Via`: a message was received in this version by `name` (RFC 9110 §7.6.3).
pub fn via_member(version: Version, name: &str) -> HeaderValue {
    HeaderValue::try_from(format!("{} {name}", version_number(version)))
        .unwrap_or_else(|_| HeaderValue::from_static("1.1 larder"))
}
