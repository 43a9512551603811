//! What the last cache on an answer's way says of it, in `Cache-Status` (RFC 9211).

use http::header::HeaderMap;

/// The last member: that of whoever was asked.
pub(super) fn last_word(headers: &HeaderMap) -> Option<&str> {
    let last = headers.get_all("cache-status").iter().next_back()?;
    last.to_str().ok()?.rsplit(',').next().map(str::trim)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_the_last_word_on_the_cache_counts() {
        let says = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("cache-status", HeaderValue::from_static(value));
            }
            last_word(&headers).map(str::to_owned)
        };
        for values in [
            &["cdn; fwd=uri-miss, larder; hit; detail=disk"][..],
            &["cdn; hit", "larder; hit; detail=disk"],
        ] {
            assert_eq!(says(values).as_deref(), Some("larder; hit; detail=disk"));
        }
        assert_eq!(
            says(&["larder; hit", "cdn; hit"]).as_deref(),
            Some("cdn; hit")
        );
        assert_eq!(says(&[]), None);
    }
}
