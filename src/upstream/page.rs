//! Pages for people where the API should be: the login that a gateway before the origin shows strangers,
//! with a 200 for everybody. They are no artifacts and no acceptances, and prove nothing. Values only.

use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

/// Whether an answer says of itself that it is such a page.
pub(super) fn is_page(headers: &HeaderMap) -> bool {
    let said = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let media = said.and_then(|said| said.split(|byte| *byte == b';').next());
    media.is_some_and(|media| {
        let media = media.trim_ascii();
        media.eq_ignore_ascii_case(b"text/html")
            || media.eq_ignore_ascii_case(b"application/xhtml+xml")
    })
}

/// Whether the small answer to an upload is one. What it says of itself is not enough: there are
/// servers that call every text HTML, and accept an upload with a word.
pub(super) fn shows_page(headers: &HeaderMap, body: &[u8]) -> bool {
    is_page(headers) && body.trim_ascii_start().starts_with(b"<")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(content_type: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers
    }

    #[test]
    fn a_page_is_known_by_its_type_and_for_uploads_by_its_first_byte_too() {
        for page in [
            "text/html",
            "Text/HTML; charset=utf-8",
            "application/xhtml+xml",
        ] {
            let headers = said(page);
            assert!(is_page(&headers), "{page}");
            assert!(shows_page(&headers, b"\r\n <!doctype html>"), "{page}");
            for word in [&b""[..], b"ok", b"{\"urls\":[]}"] {
                assert!(!shows_page(&headers, word), "{page}");
            }
        }
        for other in [
            "application/octet-stream",
            "application/json",
            "text/plain",
            "",
        ] {
            assert!(!is_page(&said(other)), "{other}");
            assert!(!shows_page(&said(other), b"<html>"), "{other}");
        }
        assert!(!is_page(&HeaderMap::new()));
    }
}
