//! A Vercel-compatible remote cache in this process: small, honest, and it counts.
//!
//! It stores what it is sent, for each team by itself, serves it back with its headers, and accepts
//! one token. Its base path is `/api`, like the real one's.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

/// The one token the origin accepts.
pub(crate) const TOKEN: &str = "a-token-of-the-team";

const BASE: &str = "/api/v8/artifacts";

/// The origin; it ends when dropped.
pub(crate) struct Origin {
    address: SocketAddr,
    shelf: Arc<Shelf>,
    _runtime: Runtime,
}

/// What the origin was asked since the last [`Origin::take`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) gets: usize,
    pub(crate) heads: usize,
    pub(crate) puts: usize,
    /// Those of `puts` that came without a length.
    pub(crate) chunked_puts: usize,
    pub(crate) preflights: usize,
    /// Answered 403: a missing or a wrong token.
    pub(crate) refused: usize,
}

/// What is stored, and what was asked.
#[derive(Default)]
struct Shelf {
    artifacts: Mutex<HashMap<Key, Stored>>,
    tally: Mutex<Tally>,
}

/// Team, as it stands in the query, and hash.
type Key = (String, String);

type Answer = Response<Full<Bytes>>;

#[derive(Clone)]
struct Stored {
    headers: HeaderMap,
    body: Bytes,
}

// === impl Origin ===

impl Origin {
    /// Starts on a free port of the loopback interface.
    pub(crate) fn start() -> Self {
        let runtime = Runtime::new().expect("a runtime for the origin");
        let listener = runtime
            .block_on(TcpListener::bind("127.0.0.1:0"))
            .expect("a free port for the origin");
        let address = listener.local_addr().expect("the origin's address");
        let shelf = Arc::new(Shelf::default());
        runtime.handle().spawn(accept(listener, Arc::clone(&shelf)));
        Self {
            address,
            shelf,
            _runtime: runtime,
        }
    }

    /// The base URL, as it would stand in `TURBO_API` or in `upstream.url`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/api", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What was asked since the last call.
    pub(crate) fn take(&self) -> Tally {
        std::mem::take(&mut self.shelf.tally.lock())
    }
}

async fn accept(listener: TcpListener, shelf: Arc<Shelf>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let shelf = Arc::clone(&shelf);
        let service = service_fn(move |request| answer(Arc::clone(&shelf), request));
        connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(shelf: Arc<Shelf>, request: Request<Incoming>) -> Result<Answer, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    if head.method == Method::OPTIONS {
        shelf.tally.lock().preflights += 1;
        return Ok(preflight());
    }
    if head.headers.get(AUTHORIZATION) != Some(&bearer()) {
        shelf.tally.lock().refused += 1;
        return Ok(error(StatusCode::FORBIDDEN, "forbidden"));
    }
    let Some(path) = head.uri.path().strip_prefix(BASE) else {
        return Ok(error(StatusCode::NOT_FOUND, "not_found"));
    };
    let team = head.uri.query().and_then(team).unwrap_or_default();
    let hash = path.trim_start_matches('/').to_owned();
    Ok(match (&head.method, hash.as_str()) {
        (&Method::GET, "status") => json(StatusCode::OK, r#"{"status":"enabled"}"#),
        (&Method::POST, "events") => json(StatusCode::OK, "{}"),
        (&Method::PUT, _) => shelf.put((team, hash), &head.headers, body),
        (&Method::GET | &Method::HEAD, _) => shelf.get(&head.method, &(team, hash)),
        _ => error(StatusCode::NOT_FOUND, "not_found"),
    })
}

fn bearer() -> http::HeaderValue {
    format!("Bearer {TOKEN}").parse().expect("a header value")
}

/// The parameter that names the team: the id wins over the slug.
fn team(query: &str) -> Option<String> {
    ["teamId=", "slug="]
        .into_iter()
        .find_map(|name| query.split('&').find(|pair| pair.starts_with(name)))
        .map(str::to_owned)
}

fn preflight() -> Answer {
    let mut response = Response::default();
    response.headers_mut().insert(
        http::header::ACCESS_CONTROL_ALLOW_HEADERS,
        http::HeaderValue::from_static("authorization, content-type, user-agent"),
    );
    response
}

fn error(status: StatusCode, code: &str) -> Answer {
    json(
        status,
        &format!(r#"{{"error":{{"code":"{code}","message":"{code}"}}}}"#),
    )
}

fn json(status: StatusCode, body: &str) -> Answer {
    let mut response = Response::new(Full::from(body.to_owned()));
    *response.status_mut() = status;
    response
}

// === impl Shelf ===

impl Shelf {
    fn put(&self, key: Key, headers: &HeaderMap, body: Bytes) -> Answer {
        let mut tally = self.tally.lock();
        tally.puts += 1;
        if !headers.contains_key(CONTENT_LENGTH) {
            tally.chunked_puts += 1;
        }
        let headers = headers
            .iter()
            .filter(|(name, _)| name.as_str().starts_with("x-artifact-"))
            .filter(|(name, _)| !name.as_str().starts_with("x-artifact-client-"))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        self.artifacts.lock().insert(key, Stored { headers, body });
        json(StatusCode::ACCEPTED, r#"{"urls":[]}"#)
    }

    fn get(&self, method: &Method, key: &Key) -> Answer {
        let mut tally = self.tally.lock();
        if method == Method::HEAD {
            tally.heads += 1;
        } else {
            tally.gets += 1;
        }
        match self.artifacts.lock().get(key).cloned() {
            None => error(StatusCode::NOT_FOUND, "not_found"),
            Some(Stored { headers, body }) => {
                let mut response = Response::new(Full::from(body));
                *response.headers_mut() = headers;
                response
            }
        }
    }
}
