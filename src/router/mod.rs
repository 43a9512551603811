//! The protocol's edge: HTTP in, HTTP out.
//!
//! A request is named here, handed to the proxy, and its decision becomes an answer; whatever comes
//! of it is observed to the end of its body.

mod arriving;
mod observe;
mod refuse;
mod reply;
mod route;
mod traced;

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONNECTION, HeaderMap, HeaderValue, USER_AGENT};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body;

pub use observe::{Observed, Observer};
pub use route::Route;

use self::arriving::{Arriving, Watch};
use self::observe::Observation;
use crate::artifact::{ArtifactHash, Fields, InvalidHash, Outcome};
use crate::outlet::Outlet;
use crate::proxy::{Acquaintance, Proxy, ProxyError, Right, Served};
use crate::server::{Peer, RequestBody, Serve};

/// Largest body of a batch or events request: a hundred hashes or a few hundred events fit many times.
const MAX_SMALL_BODY: usize = 1024 * 1024;

/// Answers the data listeners.
#[derive(Debug)]
pub struct Router {
    proxy: Arc<Proxy>,
    observer: Arc<Observer>,
    hosts: Vec<String>,
}

impl Router {
    /// Routes to `proxy`, and tells the `observer` what became of requests; `hosts` are the names answered to
    /// where no credential is asked for.
    pub fn new(proxy: Arc<Proxy>, observer: Observer, hosts: Vec<String>) -> Self {
        Self {
            proxy,
            observer: Arc::new(observer),
            hosts,
        }
    }

    /// Boxed but for a hit: its way is not to carry the room that everything else takes.
    async fn decide(
        &self,
        route: Route,
        head: &mut Parts,
        body: Arriving,
        client: &Acquaintance,
    ) -> Result<Served, ProxyError> {
        let proxy = &self.proxy;
        match route {
            Route::Get(hash) => {
                let ask = proxy.name(head, hash, Right::Read, client).await?;
                let told = match proxy.hit(&ask) {
                    Some(told) => told,
                    None => Box::pin(proxy.get(&ask)).await,
                };
                if !told.as_ref().is_ok_and(|served| served.outcome.is_hit()) {
                    leave_agent(head, &ask.outgoing.client);
                }
                told
            }
            Route::Head(hash) => {
                let ask = proxy.name(head, hash, Right::Read, client).await?;
                leave_agent(head, &ask.outgoing.client);
                Box::pin(proxy.head(&ask)).await
            }
            Route::Put(hash) => Box::pin(self.put(head, hash, body, client)).await,
            Route::Batch => Box::pin(self.batch(head, body, client)).await,
            Route::Events => Box::pin(self.events(head, body, client)).await,
            Route::Status => Box::pin(proxy.status(head, client)).await,
            Route::Preflight => Ok(proxy.preflight()),
            Route::Pass => {
                let body = body.map_err(Into::into).boxed_unsync();
                Box::pin(proxy.pass(head, client, body)).await
            }
            Route::Invalid(_) => Err(InvalidHash.into()),
        }
    }

    async fn put(
        &self,
        head: &mut Parts,
        hash: ArtifactHash,
        body: Arriving,
        client: &Acquaintance,
    ) -> Result<Served, ProxyError> {
        let fields = Fields::pick(&head.headers);
        let length = body.size_hint().exact();
        let ask = self.proxy.name(head, hash, Right::Write, client).await?;
        leave_agent(head, &ask.outgoing.client);
        let label = self.proxy.label(&ask, fields, head, client);
        let body = body.map_err(Into::into).boxed_unsync();
        self.proxy.put(ask, label, length, body).await
    }

    /// Nobody's body is read who is not let in.
    async fn batch(
        &self,
        head: &Parts,
        body: Arriving,
        client: &Acquaintance,
    ) -> Result<Served, ProxyError> {
        let admitted = self.proxy.admit(head, client).await?;
        let body = small(body).await?;
        self.proxy.batch(head, &admitted, client, body).await
    }

    async fn events(
        &self,
        head: &Parts,
        body: Arriving,
        client: &Acquaintance,
    ) -> Result<Served, ProxyError> {
        let admitted = self.proxy.admit(head, client).await?;
        self.proxy.events(head, &admitted, small(body).await?)
    }
}

impl Serve for Router {
    type Body = Observed;
    type Acquaintance = Acquaintance;

    fn acquaint(&self, peer: &Peer) -> Acquaintance {
        let address = peer.address.map(|address| address.ip());
        self.proxy.acquaint(peer.listener.0, address)
    }

    async fn serve(
        &self,
        request: Request<RequestBody>,
        peer: Peer,
        client: &Acquaintance,
        outlet: Option<&Outlet>,
    ) -> Response<Observed> {
        let (mut head, body) = request.into_parts();
        let route = Route::parse(&head.method, &head.uri);
        let watch = Watch::over(&body);
        let body = watch.watched(body);
        let observation = Observation::begin(&self.observer, &mut head, &route, peer, watch);
        let (outcome, mut response) = match self.refuse(&head, client) {
            Some(refused) => refused,
            None => reply::respond(self.decide(route, &mut head, body, client).await),
        };
        if let Some(outlet) = outlet {
            response.body_mut().leave_by(outlet);
        }
        observation.answered(&head, outcome, response)
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

/// Leaves behind what the client calls itself, for whoever writes that down: who names a request takes its
/// headers along.
fn leave_agent(head: &mut Parts, taken: &HeaderMap) {
    if let Some(agent) = taken.get(USER_AGENT) {
        head.headers.insert(USER_AGENT, agent.clone());
    }
}

/// Reads a small body whole.
async fn small(body: Arriving) -> Result<Bytes, ProxyError> {
    match Limited::new(body, MAX_SMALL_BODY).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(ProxyError::TooLarge(MAX_SMALL_BODY as u64))
        }
        Err(_) => Err(ProxyError::Cut),
    }
}
