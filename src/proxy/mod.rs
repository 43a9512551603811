//! The decisions: one file for each thing a client can want.
//!
//! A request comes in as an [`Ask`], already named; what goes out is [`Served`] or a
//! [`ProxyError`], and neither knows a status code.

mod absences;
mod acquaintance;
mod batch;
mod deliver;
mod error;
mod events;
mod get;
mod head;
mod miss;
mod pass;
mod put;
mod served;
mod settle;
mod traced;
mod uploader;
mod waiting;

use std::mem;
use std::net::IpAddr;
use std::sync::Arc;

use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::request::Parts;
use tokio::time::Instant;

pub use crate::access::{Denial, Right};
pub use acquaintance::Acquaintance;
pub use error::ProxyError;
pub use events::EventQueue;
pub use put::UploadBody;
pub use served::{Here, Reply, Served, ServedBody};

use self::absences::Absences;
use self::acquaintance::Known;
use crate::access::{Access, Admitted, Presented, Question};
use crate::artifact::{ArtifactHash, ArtifactKey, OriginId};
use crate::caller::{Caller, CallerDigest, Sealer};
use crate::certificate::Certificate;
use crate::config::{AccessMode, Config, OnReadFailure};
use crate::metrics::Metrics;
use crate::tasks::Tasks;
use crate::tiers::Tiers;
use crate::traces::Tracer;
use crate::transfer::{Filling, Flights, Inspector, LookAgain, Queue, Uploads};
use crate::upstream::{
    Outgoing, Upstream, artifact_headers, artifact_target, forwarded_headers, is_loop,
};

/// Bodies up to this size stay in memory while they arrive, whatever the memory tier admits.
const LEAST_IN_MEMORY: u64 = 64 * 1024;
/// And never more than this, whatever the memory tier admits.
const MOST_IN_MEMORY: u64 = 4 * 1024 * 1024;

/// Everything a decision needs.
pub struct Proxy {
    config: Config,
    /// Who judges at each listener, in their order.
    judges: Vec<AccessMode>,
    origin: OriginId,
    forward: Arc<[HeaderName]>,
    sealer: Arc<Sealer>,
    tiers: Arc<Tiers>,
    upstream: Arc<Upstream>,
    access: Arc<Access>,
    flights: Arc<Flights>,
    uploads: Arc<Uploads>,
    queue: Arc<Queue>,
    absences: Absences,
    inspector: Arc<Inspector>,
    events: EventQueue,
    metrics: Arc<Metrics>,
    tasks: Tasks,
    tracer: Option<Tracer>,
}

/// The parts a proxy is made of.
#[derive(Debug)]
pub struct Stations {
    /// Seals credentials.
    pub sealer: Arc<Sealer>,
    /// Where artifacts rest.
    pub tiers: Arc<Tiers>,
    /// The origin.
    pub upstream: Arc<Upstream>,
    /// Who judges callers.
    pub access: Arc<Access>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Where detached work runs.
    pub tasks: Tasks,
    /// Where spans begin; nowhere where nothing is traced.
    pub tracer: Option<Tracer>,
}

/// An artifact request, named; its caller was let in.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Which artifact.
    pub key: ArtifactKey,
    /// Who asks, and where it stands with the upstream.
    known: Arc<Known>,
    /// With what the caller was let in.
    pub admitted: Admitted,
    /// When it came.
    pub since: Instant,
    /// The same request, for whoever has to ask the upstream.
    pub outgoing: Outgoing,
    /// The client cannot be told the end of a body otherwise than by its length (HTTP/1.0).
    pub needs_length: bool,
}

impl Proxy {
    /// Puts the stations together.
    pub fn new(config: Config, stations: Stations) -> Arc<Self> {
        let Stations {
            sealer,
            tiers,
            upstream,
            access,
            metrics,
            tasks,
            tracer,
        } = stations;
        let events = EventQueue::start(&upstream, &metrics, &tasks);
        let signature_key = config.access.signature_key.clone();
        Arc::new(Self {
            judges: config.listeners().map(|listener| listener.access).collect(),
            origin: upstream.origin_id(),
            forward: config.upstream.forward_headers.clone().into(),
            absences: Absences::new(config.upstream.absent_ttl),
            config,
            sealer,
            tiers,
            upstream,
            access,
            flights: Arc::default(),
            uploads: Arc::default(),
            queue: Arc::default(),
            inspector: Inspector::new(signature_key, Arc::clone(&metrics)),
            events,
            metrics,
            tasks,
            tracer,
        })
    }

    /// The uploads that the upstream has not answered yet.
    pub fn queue(&self) -> Arc<Queue> {
        Arc::clone(&self.queue)
    }

    /// What there is to remember of a client at `address` before its first request; `listener` is the
    /// place of the one it came by among all of them.
    pub fn acquaint(&self, listener: usize, address: Option<IpAddr>) -> Acquaintance {
        let judge = self.judges.get(listener).copied();
        // Whom nothing is known of is a stranger until the upstream says otherwise.
        let judge = judge.unwrap_or(AccessMode::Upstream);
        Acquaintance::new(judge, self.access.speaks_for(judge)).at(address)
    }

    /// Names an artifact request of a caller that is let in for it; takes its headers.
    pub async fn name(
        &self,
        head: &mut Parts,
        hash: ArtifactHash,
        right: Right,
        client: &Acquaintance,
    ) -> Result<Ask, ProxyError> {
        let known = client.meet(&self.sealer, head)?;
        let query = head.uri.query().unwrap_or_default();
        let presented = presented(&known.caller, head);
        let admitted = self.access.admit(known.judge, presented, query, right);
        let admitted = admitted.await?;
        let known = match admitted.certificate() {
            Some(name) => Arc::new(client.certified(&self.sealer, &known, name)),
            None => known,
        };
        let outgoing = Outgoing {
            target: artifact_target(&hash, &head.uri)?,
            client: mem::take(&mut head.headers),
            version: head.version,
            speaker: admitted.credential().unwrap_or(&known.caller).clone(),
            forward: Arc::clone(&self.forward),
        };
        Ok(Ask {
            key: ArtifactKey::new(&self.origin, known.scope.clone(), hash),
            known,
            admitted,
            since: Instant::now(),
            outgoing,
            needs_length: head.version < http::Version::HTTP_11,
        })
    }

    /// Lets a caller in where no single artifact is asked for.
    pub async fn admit(&self, head: &Parts, client: &Acquaintance) -> Result<Admitted, ProxyError> {
        let caller = self.sealer.seal(&head.headers)?;
        let query = head.uri.query().unwrap_or_default();
        let (judge, presented) = (client.judge(), presented(&caller, head));
        let admitted = self.access.admit(judge, presented, query, Right::Read);
        Ok(admitted.await?)
    }

    /// A request as it goes upstream, where it is about artifacts but no single one.
    fn forwarded<B>(
        &self,
        head: &Parts,
        admitted: &Admitted,
        body: B,
    ) -> Result<http::Request<B>, ProxyError> {
        let mut request = http::Request::new(body);
        *request.method_mut() = head.method.clone();
        *request.uri_mut() = self.upstream.target(&head.uri)?.into();
        let forward = &self.forward;
        *request.headers_mut() = match admitted.credential() {
            Some(own) => {
                let client = (&head.headers, head.version);
                let mut headers = artifact_headers(client, own, forward);
                // As a form it could name another team than the query does.
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                headers
            }
            None => forwarded_headers(&head.headers, head.version),
        };
        Ok(request)
    }

    /// Whether this very process has forwarded the request before.
    pub fn is_loop(head: &Parts) -> bool {
        is_loop(&head.headers)
    }

    /// The fills under way.
    pub fn flights(&self) -> Arc<Flights> {
        Arc::clone(&self.flights)
    }

    /// How many uploads are under way.
    pub fn uploads(&self) -> usize {
        self.uploads.number()
    }

    fn filling(&self, look_again: LookAgain) -> Filling {
        Filling {
            tiers: Arc::clone(&self.tiers),
            inspector: Arc::clone(&self.inspector),
            metrics: Arc::clone(&self.metrics),
            in_memory: self.in_memory(),
            look_again,
        }
    }

    fn in_memory(&self) -> u64 {
        self.config
            .tier
            .memory
            .max_artifact
            .clamp(LEAST_IN_MEMORY, MOST_IN_MEMORY)
    }

    /// A read that failed, as the operator wants clients to see it.
    fn as_told(&self, error: ProxyError) -> ProxyError {
        match (error, self.config.upstream.on_read_failure) {
            (ProxyError::Unanswered(failure), OnReadFailure::Error) => {
                ProxyError::Unserved(failure)
            }
            (error, _) => error,
        }
    }
}

/// What the sender of a request presents.
fn presented<'a>(caller: &'a Caller, head: &'a Parts) -> Presented<'a> {
    Presented {
        caller,
        certificate: Certificate::of(&head.extensions).map(AsRef::as_ref),
    }
}

impl Ask {
    /// Whose word the upstream hears: what it says of an artifact it says to them.
    fn speaker(&self) -> CallerDigest {
        self.outgoing.speaker.digest()
    }

    fn question(&self) -> Question<'_> {
        Question {
            caller: &self.known.caller,
            judge: self.known.judge,
            admitted: &self.admitted,
            standing: &self.known.standing,
            since: self.since,
            key: &self.key,
            outgoing: &self.outgoing,
        }
    }
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxy")
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}
