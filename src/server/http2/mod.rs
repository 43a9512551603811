//! A connection that speaks HTTP/2: how the library is set up for it, and how it ends.

use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::{Either, ready};
use http::header::{CONTENT_LENGTH, COOKIE, HeaderMap, HeaderValue};
use http::{Method, Request, Response};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep};
use tracing::debug;

use super::answer::Answer;
use super::connection::{Client, Session};
use super::form::Unfit;
use super::guard::Watch;
use super::phase::Bound;
use super::{Limits, Serve, connection};
use crate::metrics::Limit;
use crate::tasks::Tasks;

mod body;
mod frames;
mod refused;
mod stream;
mod traffic;
mod windows;

pub(super) use self::body::Shared;
pub use self::frames::{Flood, Meter};
use self::refused::Refused;
use self::stream::{Stream, Streams, Taken};
pub(super) use self::traffic::Traffic;
pub(super) use self::windows::{Advances, Windows};

/// Bytes of one answer that lie ready for a client that takes none for now.
const SEND_BUFFER: usize = 128 * 1024;

/// Requests that a client has taken back and that were not looked at yet; a client that makes more of
/// them means harm (CVE-2023-44487).
const MAX_TAKEN_BACK: usize = 20;

/// Requests that had to be refused for their form, or whose bodies went on long after they were refused, in
/// the life of a connection (CVE-2025-8671). Behind a balancer that is a long one, of many clients, and
/// its end costs all of them; many in a short time are a flood of frames that bring little.
const MAX_MALFORMED: usize = 1024;

/// A client that vanished is noticed after this much silence, and so much more without an answer to a
/// ping. In HTTP/1 the bounds of the one request under way do that; here others keep a connection busy.
const PING_INTERVAL: Duration = Duration::from_secs(45);

/// At least.
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// When a client was told to go, if it was; clones share it.
#[derive(Clone, Debug, Default)]
struct Farewell(Arc<OnceLock<Instant>>);

/// Serves a connection to its end.
pub(super) async fn serve<S, I>(io: I, session: Session<S>, windows: Windows)
where
    S: Serve,
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Session {
        client,
        watch,
        ration,
        mut clock,
        limits,
        tasks,
    } = session;
    let windows = Arc::new(windows);
    let cuts = clock.cuts().clone();
    let streams = Streams::new(
        Arc::clone(&limits),
        tasks.clone(),
        cuts.clone(),
        Arc::clone(&windows),
    );
    let farewell = Farewell::default();
    let service = {
        let (streams, watch, farewell) = (streams.clone(), watch.clone(), farewell.clone());
        let limits = Arc::clone(&limits);
        service_fn(move |mut request: Request<Incoming>| {
            if farewell.is_over(patience(&limits)) {
                return Either::Left(ready(Err(h2::Reason::REFUSED_STREAM.into())));
            }
            let stream = streams.begin(!request.body().is_end_stream());
            if request.headers().len() > limits.max_fields {
                request.extensions_mut().insert(Unfit::Fields);
                cuts.note(Limit::HeadSize);
            }
            Either::Right(answer(Arc::clone(&client), request, watch.clone(), stream))
        })
    };
    let protocol = protocol(streams, &limits, &windows);
    let mut connection = pin!(protocol.serve_connection(TokioIo::new(io), service));
    tokio::select! {
        biased;
        expired = connection::attend(connection.as_mut(), &ration, &mut clock) => {
            // Whoever takes nothing takes no farewell.
            if !matches!(expired, Some(Bound::Idle | Bound::Head | Bound::Crowd)) {
                return;
            }
        }
        () = tasks.stopping() => {}
    }
    connection.as_mut().graceful_shutdown();
    farewell.say();
    watch.part();
    clock.hurry();
    // A request that met the farewell on its way is answered all the same. Whoever goes on asking does not
    // listen: none of that is begun, and so it does not keep the connection.
    tokio::select! {
        biased;
        _ = connection::attend(connection, &ration, &mut clock) => {}
        () = end_of_grace(&tasks, limits.shutdown_grace) => {
            debug!("a connection outlasted the shutdown grace");
        }
    }
}

async fn end_of_grace(tasks: &Tasks, grace: Duration) {
    tasks.stopping().await;
    sleep(grace).await;
}

fn protocol(streams: Streams, limits: &Limits, windows: &Windows) -> http2::Builder<Streams> {
    let mut builder = http2::Builder::new(streams);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.max_streams)
        .initial_stream_window_size(windows.stream())
        .initial_connection_window_size(windows.connection())
        .max_send_buf_size(SEND_BUFFER)
        .max_header_list_size(u32::try_from(limits.max_head).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(MAX_TAKEN_BACK)
        .max_local_error_reset_streams(MAX_MALFORMED)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(patience(limits));
    builder
}

/// How long what goes out may stand behind an answer that its client takes slowly: a ping, a farewell.
fn patience(limits: &Limits) -> Duration {
    limits.stall_timeout.max(PING_TIMEOUT)
}

async fn answer<S: Serve>(
    client: Arc<Client<S>>,
    mut request: Request<Incoming>,
    watch: Watch,
    stream: Stream,
) -> Result<Response<Taken<Answer<S::Body>>>, h2::Error> {
    let (turn, _) = watch.begin(!request.body().is_end_stream());
    let is_head = request.method() == Method::HEAD;
    join_cookies(request.headers_mut());
    let request = request.map(|body| stream.receive(body));
    let serving = pin!(client.serve(request));
    let mut response = client.answer(serving).await;
    if is_head {
        say_length(&mut response);
    }
    Ok(response.map(|body| Taken::new(Answer::new(body, turn), stream, is_head)))
}

/// What a body would be as long as that is not sent: the library says it only of one that is.
fn say_length(response: &mut Response<impl Body>) {
    let length = response.body().size_hint().exact();
    if let Some(length) = length.filter(|length| *length > 0) {
        let fields = response.headers_mut();
        fields.entry(CONTENT_LENGTH).or_insert(length.into());
    }
}

/// A client may send each of its cookies in a field of its own, and whoever is not asked in HTTP/2 is to
/// find them in one (RFC 9113 §8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(COOKIE).iter().nth(1).is_none() {
        return;
    }
    let crumbs: Vec<&[u8]> = headers
        .get_all(COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if let Ok(mut whole) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        whole.set_sensitive(true);
        headers.insert(COOKIE, whole);
    }
}

// === impl Farewell ===

impl Farewell {
    fn say(&self) {
        self.0.get_or_init(Instant::now);
    }

    /// Whether it was said so long ago that it must have been heard.
    fn is_over(&self, patience: Duration) -> bool {
        self.0.get().is_some_and(|said| said.elapsed() > patience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crumbs_of_a_cookie_are_one_field_again() {
        let mut headers = HeaderMap::new();
        join_cookies(&mut headers);
        assert!(headers.is_empty());
        for crumb in ["a=1", "b=2", "c=3"] {
            headers.append(COOKIE, HeaderValue::from_static(crumb));
        }
        join_cookies(&mut headers);
        let cookies: Vec<_> = headers.get_all(COOKIE).iter().collect();
        assert_eq!(cookies, ["a=1; b=2; c=3"]);
    }
}
