//! The protocol's edge: HTTP in, HTTP out.
//!
//! A request is named here, handed to the proxy, and its decision becomes an answer; whatever comes
//! of it is observed to the end of its body.

mod arriving;
mod observe;
mod reply;
mod route;

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue, UPGRADE};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};

pub use observe::Observed;
pub use route::Route;

use self::observe::Observation;
use crate::artifact::{ArtifactHash, Fields, InvalidHash, Outcome};
use crate::metrics::Metrics;
use crate::outlet::Outlet;
use crate::proxy::{Acquaintance, Proxy, ProxyError, Right, Served, ServedBody, UploadBody};
use crate::server::{Peer, Serve, check_host};
use crate::telemetry::AccessLog;

/// Largest body of a batch or events request: a hundred hashes or a few hundred events fit many times.
const MAX_SMALL_BODY: usize = 1024 * 1024;

/// Answers the data listeners.
#[derive(Debug)]
pub struct Router {
    proxy: Arc<Proxy>,
    metrics: Arc<Metrics>,
    access_log: Arc<AccessLog>,
    hosts: Vec<String>,
}

impl Router {
    /// Routes to `proxy`; `hosts` are the names answered to where no credential is asked for.
    pub fn new(
        proxy: Arc<Proxy>,
        metrics: Arc<Metrics>,
        access_log: Arc<AccessLog>,
        hosts: Vec<String>,
    ) -> Self {
        Self {
            proxy,
            metrics,
            access_log,
            hosts,
        }
    }

    async fn answer(
        &self,
        route: &Route,
        head: &Parts,
        body: UploadBody,
        client: &Acquaintance,
    ) -> (Outcome, Response<ServedBody>) {
        if let Some((outcome, mut refusal)) = self.refuse(head) {
            reply::stamp(&mut refusal, outcome);
            return (outcome, refusal);
        }
        reply::respond(self.decide(route, head, body, client).await)
    }

    async fn decide(
        &self,
        route: &Route,
        head: &Parts,
        body: UploadBody,
        client: &Acquaintance,
    ) -> Result<Served, ProxyError> {
        let proxy = &self.proxy;
        let name = |hash: &ArtifactHash, right| proxy.name(head, hash.clone(), right, client);
        match route {
            Route::Get(hash) => proxy.get(&name(hash, Right::Read).await?).await,
            Route::Head(hash) => proxy.head(&name(hash, Right::Read).await?).await,
            Route::Put(hash) => {
                let ask = name(hash, Right::Write).await?;
                let length = body.size_hint().exact();
                proxy
                    .put(ask, Fields::pick(&head.headers), length, body)
                    .await
            }
            // Nobody's body is read who is not let in.
            Route::Batch => {
                let admitted = proxy.admit(head).await?;
                proxy.batch(head, &admitted, small(body).await?).await
            }
            Route::Events => {
                let admitted = proxy.admit(head).await?;
                proxy.events(head, &admitted, small(body).await?)
            }
            Route::Status => proxy.status(head).await,
            Route::Preflight => Ok(proxy.preflight()),
            Route::Pass => proxy.pass(head, body).await,
            Route::Invalid(_) => Err(InvalidHash.into()),
        }
    }

    /// What is refused whatever it is about.
    fn refuse(&self, head: &Parts) -> Option<(Outcome, Response<ServedBody>)> {
        let error = |status, code, message| {
            Some((Outcome::Error(code), reply::error(status, code, message)))
        };
        if self.proxy.is_open()
            && let Err(foreign) = check_host(&head.headers, &head.uri, &self.hosts)
        {
            let refusal = reply::error(StatusCode::FORBIDDEN, foreign.code(), &foreign.to_string());
            return Some((Outcome::Denied, refusal));
        }
        if Proxy::is_loop(head) {
            return error(
                StatusCode::LOOP_DETECTED,
                "loop",
                "this request has come through here before",
            );
        }
        if head.method == Method::CONNECT {
            return error(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "this is no tunnel",
            );
        }
        if upgrades(head) {
            return error(
                StatusCode::NOT_IMPLEMENTED,
                "not_implemented",
                "connections are not upgraded here",
            );
        }
        None
    }
}

impl Serve for Router {
    type Body = Observed;
    type Acquaintance = Acquaintance;

    async fn serve(
        &self,
        request: Request<Incoming>,
        peer: Peer,
        client: &Acquaintance,
        _: Option<&Outlet>,
    ) -> Response<Observed> {
        let (head, body) = request.into_parts();
        let route = Route::parse(&head.method, &head.uri);
        let observation = Observation::begin(&self.metrics, &self.access_log, &head, &route, peer);
        let body = observation.watch(body);
        let (outcome, response) = self.answer(&route, &head, body, client).await;
        observation.answered(outcome, response)
    }

    fn fault(&self) -> Response<Observed> {
        let outcome = Outcome::Error("internal");
        let mut response = reply::error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "this request met a fault of ours",
        );
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
        reply::stamp(&mut response, outcome);
        response.map(Observed::unobserved)
    }
}

/// Reads a small body whole.
async fn small(body: UploadBody) -> Result<Bytes, ProxyError> {
    match Limited::new(body, MAX_SMALL_BODY).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(ProxyError::TooLarge(MAX_SMALL_BODY as u64))
        }
        Err(_) => Err(ProxyError::Cut),
    }
}

/// Whether the request asks for another protocol; an offer of h2c is one a server may ignore.
fn upgrades(head: &Parts) -> bool {
    head.headers
        .get_all(UPGRADE)
        .iter()
        .any(|protocol| !protocol.as_bytes().eq_ignore_ascii_case(b"h2c"))
}
