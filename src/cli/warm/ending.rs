//! From an answer's status and `Cache-Status` to what became of one artifact. Values only.

use http::HeaderMap;

use crate::cli::cache_status::last_word;

/// What became of one artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It is in the tiers already.
    Here,
    /// It comes from the upstream, and stays.
    Fetched,
    /// The upstream has none.
    Absent,
    /// Not for this token and team; says why.
    Refused(String),
    /// It did not come, or does not stay; says why.
    Failed(String),
    /// Who answers is no Larder.
    Stranger,
}

/// What an answer's head says.
pub(super) fn of_head(status: u16, headers: &HeaderMap) -> Ending {
    let Some(member) = member(headers) else {
        return Ending::Stranger;
    };
    let has = |parameter: &str| member.split(';').any(|one| one.trim() == parameter);
    let detail = member
        .split(';')
        .find_map(|one| one.trim().strip_prefix("detail="));
    match (status, detail) {
        (200, _) if has("hit") => Ending::Here,
        (200, Some(detail)) => Ending::Failed(format!("it does not stay: {detail}")),
        (200, None) => Ending::Fetched,
        (404, None) => Ending::Absent,
        (401..=403, _) => {
            Ending::Refused(format!("{status}, {}", detail.unwrap_or("by the upstream")))
        }
        (_, detail) => Ending::Failed(format!(
            "{status}, {}",
            detail.unwrap_or("without a reason")
        )),
    }
}

/// Larder's member, less its name.
fn member(headers: &HeaderMap) -> Option<&str> {
    let rest = last_word(headers)?.strip_prefix("larder")?;
    (rest.is_empty() || rest.starts_with(';')).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending(status: u16, cache_status: &str) -> Ending {
        let mut headers = HeaderMap::new();
        headers.append("cache-status", "edge; hit".parse().unwrap());
        headers.append("cache-status", cache_status.parse().unwrap());
        of_head(status, &headers)
    }

    #[test]
    fn every_way_to_end_is_told_by_larders_own_member() {
        for (status, said, expected) in [
            (200, "larder; hit; detail=memory", Ending::Here),
            (
                200,
                "edge; fwd=miss, larder; hit; detail=disk",
                Ending::Here,
            ),
            (
                200,
                "larder; fwd=uri-miss; fwd-status=200; stored",
                Ending::Fetched,
            ),
            (200, "larder; fwd=uri-miss; collapsed", Ending::Fetched),
            (404, "larder; fwd=uri-miss; fwd-status=404", Ending::Absent),
        ] {
            assert_eq!(ending(status, said), expected, "{said}");
        }
        for (status, said, words) in [
            (200, "larder; fwd=bypass; detail=no-room", "no-room"),
            (
                404,
                "larder; fwd=uri-miss; detail=upstream-timeout",
                "404, upstream-timeout",
            ),
            (504, "larder; fwd=uri-miss; detail=upstream-timeout", "504"),
            (500, "larder", "without a reason"),
        ] {
            let Ending::Failed(why) = ending(status, said) else {
                panic!("{said}");
            };
            assert!(why.contains(words), "{why}");
        }
        for status in [401, 402, 403] {
            let refused = ending(status, "larder; detail=denied");
            assert_eq!(refused, Ending::Refused(format!("{status}, denied")));
        }
        let relayed = ending(403, "larder; fwd=uri-miss; fwd-status=403");
        assert_eq!(relayed, Ending::Refused("403, by the upstream".to_owned()));
    }

    #[test]
    fn whoever_does_not_call_itself_larder_is_none() {
        for said in ["edge; hit", "larder2; hit", "larder; hit, edge; hit"] {
            assert_eq!(ending(200, said), Ending::Stranger, "{said}");
        }
        assert_eq!(of_head(404, &HeaderMap::new()), Ending::Stranger);
    }
}
