//! Where a redirect leads and what may be carried there. Values only; whether the address behind
//! a target may be connected to is judged when it is known.

use http::header::{ACCEPT, ACCEPT_ENCODING, HeaderMap, HeaderValue, USER_AGENT, VIA};
use http::{StatusCode, Uri};

use super::target::{Origin, has_userinfo};

/// Redirects followed for one request; storage behind an origin needs one, a moved origin two.
pub(super) const MAX_HOPS: usize = 3;

/// A redirect that is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Misdirected {
    #[error("it names no place")]
    Malformed,
    #[error("it carries a user name")]
    Userinfo,
    #[error("it is neither an http nor an https URL")]
    Scheme,
    #[error("it leads from https to http")]
    Downgrade,
}

pub(super) fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Resolves `location` against the URL that was asked.
pub(super) fn next(current: &Uri, location: &HeaderValue) -> Result<Uri, Misdirected> {
    let location = location.to_str().map_err(|_| Misdirected::Malformed)?;
    let location = location.split('#').next().unwrap_or_default();
    let target: Uri = resolve(current, location)?
        .parse()
        .map_err(|_| Misdirected::Malformed)?;
    if target.authority().is_some_and(has_userinfo) {
        return Err(Misdirected::Userinfo);
    }
    let from = Origin::of(current).ok_or(Misdirected::Scheme)?;
    let to = Origin::of(&target).ok_or(Misdirected::Scheme)?;
    if from.is_https() && !to.is_https() {
        return Err(Misdirected::Downgrade);
    }
    Ok(target)
}

/// What may be told to a stranger: nothing about the caller, the team or the artifact's maker.
pub(super) fn for_a_stranger(headers: &HeaderMap) -> HeaderMap {
    headers
        .iter()
        .filter(|(name, value)| {
            [ACCEPT, ACCEPT_ENCODING, USER_AGENT, VIA].contains(name) && !value.is_sensitive()
        })
        .map(|(name, value)| (name.clone(), value.clone()))
        .fold(HeaderMap::new(), |mut kept, (name, value)| {
            kept.append(name, value);
            kept
        })
}

/// RFC 3986 §5.3, for references to `http` and `https` URLs.
fn resolve(current: &Uri, reference: &str) -> Result<String, Misdirected> {
    if let Some(scheme) = scheme_of(reference) {
        return match scheme.to_ascii_lowercase().as_str() {
            "http" | "https" => Ok(reference.to_owned()),
            _ => Err(Misdirected::Scheme),
        };
    }
    let scheme = current.scheme_str().ok_or(Misdirected::Malformed)?;
    if reference.starts_with("//") {
        return Ok(format!("{scheme}:{reference}"));
    }
    let authority = current.authority().ok_or(Misdirected::Malformed)?;
    let (path, query) = match reference.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (reference, None),
    };
    let path = match path {
        "" if query.is_none() => return Err(Misdirected::Malformed),
        "" => current.path().to_owned(),
        absolute if absolute.starts_with('/') => without_dots(absolute),
        relative => {
            let folder = current
                .path()
                .rsplit_once('/')
                .map_or("", |(folder, _)| folder);
            without_dots(&format!("{folder}/{relative}"))
        }
    };
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    Ok(format!("{scheme}://{authority}{path}{query}"))
}

fn scheme_of(reference: &str) -> Option<&str> {
    let (scheme, _) = reference.split_once(':')?;
    (!scheme.contains(['/', '?'])).then_some(scheme)
}

/// RFC 3986 §5.2.4, for a path that begins with a slash.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut ends_in_folder = false;
    for segment in path.split('/').skip(1) {
        ends_in_folder = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            name => kept.push(name),
        }
    }
    let end = if ends_in_folder && !kept.is_empty() {
        "/"
    } else {
        ""
    };
    format!("/{}{end}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn led(from: &str, location: &str) -> Result<String, Misdirected> {
        let location = HeaderValue::from_str(location).unwrap();
        next(&from.parse().unwrap(), &location).map(|target| target.to_string())
    }

    #[test]
    fn references_are_resolved_as_a_browser_would() {
        let table = [
            (
                "https://s3.example/b?sig=a%2Fb",
                "https://s3.example/b?sig=a%2Fb",
            ),
            ("//s3.example/b", "https://s3.example/b"),
            ("/other?x=1#part", "https://o.example/other?x=1"),
            ("next", "https://o.example/v8/artifacts/next"),
            ("../x/./y", "https://o.example/v8/x/y"),
            ("../../../../x", "https://o.example/x"),
            ("..", "https://o.example/v8/"),
            ("?again=1", "https://o.example/v8/artifacts/a?again=1"),
            ("a:b/c", ""),
            ("x/a:b", "https://o.example/v8/artifacts/x/a:b"),
            ("HTTPS://O.example/y", "https://O.example/y"),
        ];
        for (location, expected) in table {
            let target = led("https://o.example/v8/artifacts/a?slug=t", location);
            assert_eq!(target.unwrap_or_default(), expected, "{location}");
        }
    }

    #[test]
    fn unsafe_redirects_are_not_followed() {
        let from = "https://o.example/a";
        assert_eq!(led(from, "http://o.example/a"), Err(Misdirected::Downgrade));
        assert_eq!(led(from, "ftp://o.example/a"), Err(Misdirected::Scheme));
        assert_eq!(led(from, "file:///etc/passwd"), Err(Misdirected::Scheme));
        assert_eq!(led(from, "javascript:alert(1)"), Err(Misdirected::Scheme));
        assert_eq!(
            led(from, "https://u:p@o.example/"),
            Err(Misdirected::Userinfo)
        );
        assert_eq!(led(from, "//u@o.example/"), Err(Misdirected::Userinfo));
        assert_eq!(led(from, "//o.example:99999/"), Err(Misdirected::Scheme));
        assert_eq!(led(from, ""), Err(Misdirected::Malformed));
        assert_eq!(led(from, "#part"), Err(Misdirected::Malformed));
        assert_eq!(led(from, "/with space"), Err(Misdirected::Malformed));
        assert!(led("http://o.example/a", "https://o.example/a").is_ok());
    }

    #[test]
    fn a_stranger_learns_nothing_of_the_caller() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer t"),
            ("cookie", "a"),
            ("x-api-key", "k"),
            ("x-artifact-client-ci", "CI"),
            ("traceparent", "00"),
            ("user-agent", "turbo"),
            ("accept-encoding", "identity"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        let mut kept: Vec<_> = for_a_stranger(&headers)
            .keys()
            .map(|name| name.as_str().to_owned())
            .collect();
        kept.sort();
        assert_eq!(kept, ["accept-encoding", "user-agent"]);
    }
}
