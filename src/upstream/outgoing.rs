//! A client's request for an artifact before it goes upstream. What is sent is made when somebody is
//! asked: of a hit, nobody is.

use std::fmt;
use std::sync::Arc;

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, Version};

use super::{ArtifactRequest, artifact_headers};
use crate::caller::Caller;

/// A request for one artifact, as its client put it, and who speaks for the client upstream.
#[derive(Clone)]
pub struct Outgoing {
    /// The path below the upstream's base, and the query, verbatim.
    pub target: PathAndQuery,
    /// The client's, whole: what goes upstream of them is chosen by [`artifact_headers`].
    pub client: HeaderMap,
    /// The one that it came in.
    pub version: Version,
    /// Whose credential goes upstream.
    pub speaker: Caller,
    /// What the operator lets go upstream besides.
    pub forward: Arc<[HeaderName]>,
}

impl Outgoing {
    /// The request that is sent.
    pub fn request(&self) -> ArtifactRequest {
        ArtifactRequest {
            path_and_query: self.target.clone(),
            headers: artifact_headers((&self.client, self.version), &self.speaker, &self.forward),
        }
    }
}

/// Without the client's headers: the credential among them is not sealed.
impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing")
            .field("target", &self.target)
            .field("speaker", &self.speaker)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::AUTHORIZATION;

    use super::*;
    use crate::caller::Sealer;

    #[test]
    fn what_has_not_been_sent_prints_no_token() {
        let mut client = HeaderMap::new();
        client.insert(AUTHORIZATION, HeaderValue::from_static("Bearer canary"));
        let outgoing = Outgoing {
            target: PathAndQuery::from_static("/v8/artifacts/a"),
            speaker: Sealer::new(&[7; 32], Vec::new()).seal(&client).unwrap(),
            client,
            version: Version::HTTP_11,
            forward: Arc::default(),
        };
        let request = outgoing.request();
        assert_eq!(request.headers[AUTHORIZATION], "Bearer canary");
        let printed = format!("{outgoing:?} {request:?}");
        assert!(!printed.contains("canary"), "{printed}");
    }
}
