//! Everything that is about no single artifact: passed on, or answered where the answer is here.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;

use super::put::UploadBody;
use super::{Acquaintance, Here, Proxy, ProxyError, Reply, Served};
use crate::artifact::Outcome;
use crate::upstream::forwarded_headers;

impl Proxy {
    /// Says whether caching is enabled.
    pub async fn status(
        self: &Arc<Self>,
        head: &Parts,
        client: &Acquaintance,
    ) -> Result<Served, ProxyError> {
        let admitted = self.admit(head, client).await?;
        if self.upstream.is_none() {
            return Ok(Served {
                outcome: Outcome::Answered,
                reply: Reply::Here(Here::Enabled),
            });
        }
        let answer = self
            .ask_upstream(head, &admitted, Bytes::new())
            .await?
            .map_err(ProxyError::Unpassed)?;
        Ok(Served {
            outcome: Outcome::Passed,
            reply: Reply::Relayed(answer),
        })
    }

    /// Says what a client may send; always here, since an upstream's `Location` would lead clients
    /// around us.
    pub fn preflight(&self) -> Served {
        Served {
            outcome: Outcome::Answered,
            reply: Reply::Here(Here::Preflight),
        }
    }

    /// Passes any other request on, untouched but for its hop-by-hop headers.
    pub async fn pass(
        &self,
        head: &Parts,
        client: &Acquaintance,
        body: UploadBody,
    ) -> Result<Served, ProxyError> {
        if self.upstream.is_none() {
            return Err(ProxyError::NoRoute);
        }
        self.access.passes_on(client.judge())?;
        let mut request = http::Request::new(body);
        *request.method_mut() = head.method.clone();
        *request.uri_mut() = self.upstream.target(&head.uri)?.into();
        *request.headers_mut() = forwarded_headers(&head.headers, head.version);
        let response = self
            .upstream
            .pass(request)
            .await
            .map_err(ProxyError::Unpassed)?;
        Ok(Served {
            outcome: Outcome::Passed,
            reply: Reply::Passed(response),
        })
    }
}
