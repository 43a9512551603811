//! An origin that speaks HTTP: what every verb needs of it.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Request, Uri};
use http_body_util::Full;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::attempt::OnAccountOf;
use super::breaker::TRY_WAIT;
use super::broken::{Broken, Excuse};
use super::client::{BodyPace, Client, Patience, Reply};
use super::complaints::Complaints;
use super::connector::{Connector, Watched};
use super::gates::{Class, Gates};
use super::lanes::Lanes;
use super::passage::Passage;
use super::pauses::Pauses;
use super::retry::Retries;
use super::setback::Setback;
use super::target::Base;
use super::{UpstreamError, tls};
use crate::artifact::Failure;
use crate::config;
use crate::metrics::Gauge;
use crate::tasks::Tasks;
use crate::traces::{SpanContext, Tracer};

/// Idle time-outs without a byte taken, after which an upload has stalled. More than one: the
/// kernel's send buffer empties in steps that a slow line needs long for.
const STALL_FACTOR: u32 = 3;

/// The origin and the pool of connections to it.
pub(super) struct Http {
    base: Base,
    pub(super) client: Client,
    pub(super) lanes: Lanes,
    pub(super) first_byte: Duration,
    pub(super) stall: Duration,
    /// The budgets of whole operations.
    pub(super) limits: Limits,
    pub(super) gates: Arc<Gates>,
    pub(super) pauses: Pauses,
    pub(super) retries: Retries,
    pub(super) tasks: Tasks,
}

/// A request whose body is at hand, as long as it may have to be sent once more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Small<'a> {
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a Bytes,
    /// On whose account it is sent, where its headers are not to say so.
    pub(super) on_account_of: Option<SpanContext>,
}

/// How long a whole operation may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// A fetch, to its head.
    pub(super) head: Duration,
    /// A question about a caller.
    pub(super) probe: Duration,
    /// From an upload's end to its answer.
    pub(super) answer: Duration,
    /// An exchange, to its last byte.
    pub(super) exchange: Duration,
}

// === impl Small ===

impl<'a> Small<'a> {
    pub(super) fn of(request: &'a Request<Bytes>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            body: request.body(),
            on_account_of: None,
        }
    }
}

// === impl Http ===

impl Http {
    /// `open` is 1 while some requests are spared.
    pub(super) fn new(
        url: &Uri,
        config: &config::Upstream,
        open: Gauge,
        tasks: Tasks,
        tracer: Option<Tracer>,
    ) -> Result<Self, UpstreamError> {
        let base = Base::new(url)?;
        let (ca_file, identity) = (config.ca_file.as_deref(), config.identity.as_ref());
        let tls = tls::connector(ca_file, identity, config.http2)?;
        let gates = Arc::new(Gates::new(config.breaker, open));
        let watched = Watched {
            timeout: config.connect_timeout,
            gates: Arc::clone(&gates),
        };
        let connector = Connector::new(&base, config, tls, watched)?;
        let pace = BodyPace {
            idle: config.idle_timeout,
            min_rate: config.min_rate,
            limit: config.exchange_timeout,
        };
        Ok(Self {
            base,
            client: Client::new(connector, config.max_concurrent, pace, tracer),
            lanes: Lanes::new(config.max_concurrent),
            first_byte: config.first_byte_timeout,
            stall: config.idle_timeout.saturating_mul(STALL_FACTOR),
            limits: Limits {
                head: config.head_timeout,
                probe: config.probe_timeout,
                answer: config.answer_timeout,
                exchange: config.exchange_timeout,
            },
            gates,
            pauses: Pauses::new(),
            retries: Retries::new(),
            tasks,
        })
    }

    pub(super) fn complaints(&self) -> &Complaints {
        self.client.complaints()
    }

    pub(super) fn base(&self) -> &Base {
        &self.base
    }

    /// Lets a request through, unless what would come of it is known.
    pub(super) async fn enter(
        &self,
        class: Class,
        target: &PathAndQuery,
        headers: &HeaderMap,
    ) -> Result<Passage, Setback> {
        self.pauses.check(class, headers)?;
        self.gates.enter(class, key_of(target)).await
    }

    /// Takes note of what an exchange led to, where that was nothing.
    pub(super) fn failed(&self, passage: &mut Passage, setback: Setback, headers: &HeaderMap) {
        passage.failed(setback);
        if let (Failure::Limited, Some(rest)) = (setback.failure, setback.rest) {
            self.pauses.note(passage.class(), headers, rest);
        }
    }

    /// Sends a request whose body is at hand; a safe one again, once, where it met a connection
    /// that the origin had closed while it was idle.
    pub(super) async fn send_small(&self, small: Small<'_>) -> Result<Reply, Broken> {
        let is_safe = matches!(*small.method, Method::GET | Method::HEAD);
        match self.send_once(small).await {
            Err(broken) if broken.excuse == Excuse::Idle && is_safe => self.send_once(small).await,
            result => result,
        }
    }

    async fn send_once(&self, small: Small<'_>) -> Result<Reply, Broken> {
        let length = Some(small.body.len() as u64);
        let mut request = Request::new(Full::new(small.body.clone()));
        request.method_mut().clone_from(small.method);
        request.uri_mut().clone_from(small.uri);
        request.headers_mut().clone_from(small.headers);
        if let Some(context) = small.on_account_of {
            request.extensions_mut().insert(OnAccountOf(context));
        }
        self.client.send(request, length, &self.patience()).await
    }

    /// Runs an exchange that tries for everybody, after `why`, as nobody's: whoever asked hears a moment
    /// later that it leads to nothing, as before, and the exchange goes on until it is known.
    ///
    /// `unread` ends an answer that nobody waits for any more.
    pub(super) async fn venture<T, F>(
        &self,
        exchange: impl Future<Output = Result<T, Setback>> + Send + 'static,
        why: Failure,
        unread: impl FnOnce(T) -> F + Send + 'static,
    ) -> Result<T, Setback>
    where
        T: Send + 'static,
        F: Future<Output = ()> + Send,
    {
        let (sender, told) = oneshot::channel();
        self.tasks.spawn(async move {
            if let Err(Ok(late)) = sender.send(exchange.await) {
                unread(late).await;
            }
        });
        match timeout(TRY_WAIT, told).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) | Err(_) => Err(Setback::untold(why)),
        }
    }

    pub(super) fn uri(&self, target: &PathAndQuery) -> Result<Uri, Setback> {
        let uri = self.base.uri(target);
        uri.map_err(|_| Setback::useless(Failure::Error))
    }

    pub(super) fn patience(&self) -> Patience {
        Patience {
            hush: None,
            leave: None,
            stall: self.stall,
            answer: self.first_byte,
        }
    }

    /// Waits for a turn, until it would come too late or to nothing.
    pub(super) async fn turn<T>(
        passage: &Passage,
        turn: impl Future<Output = T>,
        within: Duration,
    ) -> Result<T, Setback> {
        tokio::select! {
            biased;
            turn = turn => Ok(turn),
            setback = passage.until_vain() => Err(setback),
            () = sleep(within) => Err(Setback::crowded()),
        }
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http")
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}

/// What tells targets apart where failures are counted.
pub(super) fn key_of(target: &PathAndQuery) -> u64 {
    let mut hasher = DefaultHasher::new();
    target.hash(&mut hasher);
    hasher.finish()
}

pub(super) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
