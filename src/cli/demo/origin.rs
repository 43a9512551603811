//! The embedded origin: as much of a Vercel-compatible remote cache as the build asks for.
//!
//! Artifacts lie in memory, apart for each team, and only the right token sees them.

use std::collections::HashMap;
use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full, Limited};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::TcpStream;

use super::build::{DURATION, MAX_ARTIFACT, ROUTE, authorization};
use super::loopback;
use crate::tasks::Tasks;

/// What the origin holds.
#[derive(Debug, Default)]
pub(super) struct Origin {
    shelf: Mutex<HashMap<Name, Stored>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Name {
    /// The query, which is where clients say their team.
    team: String,
    hash: String,
}

#[derive(Clone, Debug)]
struct Stored {
    duration: Option<HeaderValue>,
    body: Bytes,
}

// === impl Origin ===

impl Origin {
    /// Serves an empty origin until `tasks` stop; returns its address.
    pub(super) async fn open(tasks: &Tasks) -> io::Result<SocketAddr> {
        let origin = Arc::new(Self::default());
        loopback::listen(tasks, move |stream| {
            let origin = Arc::clone(&origin);
            async move {
                if let Err(error) = serve(stream, &origin).await {
                    tracing::debug!(%error, "a connection to the demo's origin broke");
                }
            }
        })
        .await
    }

    async fn answer<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body<Error: Into<Box<dyn Error + Send + Sync>>>,
    {
        if request.headers().get(AUTHORIZATION) != Some(&authorization()) {
            return error(403, "forbidden", "not the token of this demo");
        }
        let Some(hash) = request.uri().path().strip_prefix(ROUTE).map(str::to_owned) else {
            return error(404, "not_found", "not a path of this demo");
        };
        let team = request.uri().query().unwrap_or_default().to_owned();
        let name = Name { team, hash };
        match *request.method() {
            Method::GET if name.hash == "status" => json(200, r#"{"status":"enabled"}"#.to_owned()),
            // The connection leaves the body of an answer to `HEAD` away.
            Method::GET | Method::HEAD => self.give(&name),
            Method::PUT => self.take(name, request).await,
            _ => error(405, "method_not_allowed", "not a method of this demo"),
        }
    }

    fn give(&self, name: &Name) -> Response<Full<Bytes>> {
        let Some(stored) = self.shelf.lock().get(name).cloned() else {
            return error(404, "not_found", "no such artifact");
        };
        let mut response = Response::new(Full::new(stored.body));
        let octets = HeaderValue::from_static("application/octet-stream");
        response.headers_mut().insert(CONTENT_TYPE, octets);
        if let Some(duration) = stored.duration {
            response.headers_mut().insert(DURATION, duration);
        }
        response
    }

    async fn take<B>(&self, name: Name, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body<Error: Into<Box<dyn Error + Send + Sync>>>,
    {
        let duration = request.headers().get(DURATION).cloned();
        let Ok(body) = Limited::new(request.into_body(), MAX_ARTIFACT)
            .collect()
            .await
        else {
            return error(400, "bad_request", "the artifact is cut or too large");
        };
        self.shelf.lock().insert(
            name,
            Stored {
                duration,
                body: body.to_bytes(),
            },
        );
        json(202, r#"{"urls":[]}"#.to_owned())
    }
}

fn error(code: u16, name: &str, message: &str) -> Response<Full<Bytes>> {
    json(
        code,
        serde_json::json!({ "error": { "code": name, "message": message } }).to_string(),
    )
}

fn json(code: u16, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    if let Ok(code) = code.try_into() {
        *response.status_mut() = code;
    }
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

async fn serve(stream: TcpStream, origin: &Origin) -> Result<(), hyper::Error> {
    let service = service_fn(|request| async { Ok::<_, Infallible>(origin.answer(request).await) });
    http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(origin: &Origin, method: Method, target: &str, body: &[u8]) -> (u16, Bytes) {
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header(AUTHORIZATION, authorization())
            .header(DURATION, "12")
            .body(Full::new(Bytes::copy_from_slice(body)))
            .unwrap();
        let response = origin.answer(request).await;
        let code = response.status().as_u16();
        (
            code,
            response.into_body().collect().await.unwrap().to_bytes(),
        )
    }

    #[tokio::test]
    async fn an_upload_is_given_back_with_its_duration() {
        let origin = Origin::default();
        let target = "/v8/artifacts/abc?slug=demo";
        assert_eq!(ask(&origin, Method::GET, target, b"").await.0, 404);
        assert_eq!(ask(&origin, Method::PUT, target, b"body").await.0, 202);
        assert_eq!(
            ask(&origin, Method::GET, target, b"").await,
            (200, Bytes::from("body"))
        );
        let name = Name {
            team: "slug=demo".to_owned(),
            hash: "abc".to_owned(),
        };
        assert_eq!(origin.give(&name).headers().get(DURATION).unwrap(), "12");
    }

    #[tokio::test]
    async fn teams_do_not_see_one_another() {
        let origin = Origin::default();
        ask(&origin, Method::PUT, "/v8/artifacts/abc?slug=demo", b"body").await;
        let other = ask(&origin, Method::GET, "/v8/artifacts/abc?slug=other", b"").await;
        assert_eq!(other.0, 404);
    }

    #[tokio::test]
    async fn another_token_is_refused() {
        let origin = Origin::default();
        for token in [None, Some("Bearer other")] {
            let mut request = Request::builder().uri("/v8/artifacts/status");
            if let Some(token) = token {
                request = request.header(AUTHORIZATION, token);
            }
            let request = request.body(Full::<Bytes>::default()).unwrap();
            assert_eq!(origin.answer(request).await.status().as_u16(), 403);
        }
        assert_eq!(
            ask(&origin, Method::GET, "/v8/artifacts/status", b"")
                .await
                .0,
            200
        );
    }

    #[tokio::test]
    async fn too_large_an_artifact_is_refused() {
        let (origin, target) = (Origin::default(), "/v8/artifacts/abc");
        let body = vec![0; MAX_ARTIFACT + 1];
        assert_eq!(ask(&origin, Method::PUT, target, &body).await.0, 400);
        assert_eq!(ask(&origin, Method::GET, target, b"").await.0, 404);
    }
}
