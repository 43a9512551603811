//! What an upstream answer proves about a caller, and what it revokes. Pure.

use serde::Deserialize;

/// What a caller may do with the artifacts of a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Right {
    /// Download.
    Read,
    /// Upload.
    Write,
}

/// What one answer of the upstream to an artifact request says about its caller.
///
/// Only artifact routes count: status, batch and events are answered to anybody by some origins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// A 2xx: this caller has this right for this scope.
    Proves,
    /// A 401: this credential is none.
    RevokesCaller,
    /// A 403: not this right for this scope.
    RevokesRight,
    /// A limit or a payment stands between: the accepted keep their grace.
    CouldNotBeAsked,
    /// A 404 and everything else: an origin may hide a team behind it.
    Nothing,
}

/// Weighs an answer by its status code and, for a 403, its body.
pub fn weigh(code: u16, body: &[u8]) -> Evidence {
    match code {
        200..=299 => Evidence::Proves,
        401 => Evidence::RevokesCaller,
        402 => Evidence::CouldNotBeAsked,
        403 if is_limit(body) => Evidence::CouldNotBeAsked,
        403 => Evidence::RevokesRight,
        _ => Evidence::Nothing,
    }
}

/// Whether a refusal is about the caller beyond doubt: a 401, or a 403 that says `forbidden`, on
/// which clients too ask no more. There are origins whose bare 403 means no more than a 404; such a
/// one is asked each time.
pub(super) fn is_beyond_doubt(code: u16, body: &[u8]) -> bool {
    match code {
        401 => true,
        403 => error_code(body).is_some_and(|code| code == "forbidden"),
        _ => false,
    }
}

/// Whether a 403 speaks of the team's plan rather than of the caller's right.
fn is_limit(body: &[u8]) -> bool {
    const LIMITS: [&str; 5] = [
        "remote_caching_disabled",
        "remote_caching_over_limit",
        "remote_caching_paused",
        "over_limit",
        "paused",
    ];
    error_code(body).is_some_and(|code| LIMITS.contains(&code.as_str()))
}

/// The code in an error of the API's shape.
fn error_code(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Shape {
        error: Code,
    }
    #[derive(Deserialize)]
    struct Code {
        code: String,
    }
    let Shape { error } = serde_json::from_slice(body).ok()?;
    Some(error.code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_weigh_what_the_table_says() {
        let limit = br#"{"error":{"code":"remote_caching_over_limit","message":"m"}}"#;
        let forbidden = br#"{"error":{"code":"forbidden","message":"m"}}"#;
        let table: [(u16, &[u8], Evidence); 12] = [
            (200, b"", Evidence::Proves),
            (202, b"", Evidence::Proves),
            (401, b"", Evidence::RevokesCaller),
            (402, b"", Evidence::CouldNotBeAsked),
            (403, b"", Evidence::RevokesRight),
            (403, forbidden, Evidence::RevokesRight),
            (403, limit, Evidence::CouldNotBeAsked),
            (403, br#"{"code":"over_limit"}"#, Evidence::RevokesRight),
            (404, b"", Evidence::Nothing),
            (304, b"", Evidence::Nothing),
            (429, b"", Evidence::Nothing),
            (500, b"", Evidence::Nothing),
        ];
        for (code, body, expected) in table {
            assert_eq!(
                weigh(code, body),
                expected,
                "{code} {}",
                String::from_utf8_lossy(body)
            );
        }
    }

    #[test]
    fn a_refusal_is_beyond_doubt_where_it_can_mean_nothing_else() {
        let forbidden = br#"{"error":{"code":"forbidden","message":"m"}}"#;
        let limit = br#"{"error":{"code":"paused","message":"m"}}"#;
        let table: [(u16, &[u8], bool); 8] = [
            (401, b"", true),
            (403, forbidden, true),
            (403, b"", false),
            (403, b"<Code>AccessDenied</Code>", false),
            (403, limit, false),
            (402, forbidden, false),
            (404, forbidden, false),
            (200, b"", false),
        ];
        for (code, body, expected) in table {
            let shown = String::from_utf8_lossy(body);
            assert_eq!(is_beyond_doubt(code, body), expected, "{code} {shown}");
        }
    }
}
