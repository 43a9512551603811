//! A try upstream as a trace shows it: from the request's head to the last byte of its answer.
//!
//! Where nothing is traced it is nothing.

use http::{HeaderMap, Request, StatusCode, Uri, Version};

use crate::artifact::{Failure, version_number};
use crate::metrics::Exchange;
use crate::traces::{Kind, Span, SpanContext, Tracer, known_method};

/// A try, as long as it goes on.
#[derive(Debug, Default)]
pub(super) struct Attempt(Option<Box<Told>>);

#[derive(Debug)]
struct Told {
    span: Span,
    /// Bytes of the answer's body.
    bytes: u64,
    /// There is an answer, or it is known why there is none.
    is_decided: bool,
}

/// On whose account a request is sent, where its headers do not say so to whoever is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct OnAccountOf(pub(super) SpanContext);

impl Attempt {
    /// Begins a try, which the request names as its parent from here on: where it named one, and that is traced.
    pub(super) fn begin<B>(tracer: Option<&Tracer>, request: &mut Request<B>) -> Self {
        let begin = |tracer: &Tracer| {
            let (told, is_shown) = account_of(request)?;
            let method = known_method(request.method());
            let mut span = tracer.below(told, Kind::Client, method.unwrap_or("HTTP").into());
            if is_shown {
                span.announce(request.headers_mut());
            }
            span.text("http.request.method", method.unwrap_or("_OTHER"));
            note_server(&mut span, request.uri());
            Some(Box::new(Told {
                span,
                bytes: 0,
                is_decided: false,
            }))
        };
        Self(tracer.and_then(begin))
    }

    /// There is a head; its body is told of as it comes.
    pub(super) fn answered(&mut self, status: StatusCode, version: Version) {
        let Some(told) = &mut self.0 else { return };
        told.is_decided = true;
        told.span
            .count("http.response.status_code", status.as_u16().into());
        told.span
            .text("network.protocol.version", version_number(version));
        // An absence is an answer, and most often the expected one.
        let is_failure = status.is_client_error() || status.is_server_error();
        if is_failure && status != StatusCode::NOT_FOUND {
            told.span.failed(status.as_str());
        }
    }

    /// There will be none, or its body broke off.
    pub(super) fn failed(&mut self, failure: Failure) {
        if let Some(told) = &mut self.0 {
            told.is_decided = true;
            told.span.failed(Exchange::Failed(failure).as_str());
        }
    }

    /// So many bytes of the body came.
    pub(super) fn delivered(&mut self, bytes: usize) {
        if let Some(told) = &mut self.0 {
            told.bytes += bytes as u64;
        }
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        if self.is_decided {
            self.span.count("http.response.body.size", self.bytes);
        } else {
            // Whoever waited for it did so no longer.
            self.span.failed("given_up");
        }
    }
}

/// On whose account a request is sent, and whether it says so itself.
fn account_of<B>(request: &Request<B>) -> Option<(SpanContext, bool)> {
    if let Some(OnAccountOf(context)) = request.extensions().get() {
        return Some((*context, false));
    }
    traced(request.headers()).map(|context| (context, true))
}

/// Whom headers name as the one that asks, if that is traced.
pub(super) fn traced(headers: &HeaderMap) -> Option<SpanContext> {
    SpanContext::of(headers).filter(|context| context.is_sampled())
}

/// Without the path and what is behind it: the path may name anything, and the query does.
fn note_server(span: &mut Span, uri: &Uri) {
    if let Some(host) = uri.host() {
        span.text("server.address", host.trim_matches(['[', ']']));
    }
    let is_secure = uri.scheme_str() == Some("https");
    let usual = if is_secure { 443 } else { 80 };
    let port = uri.port_u16().unwrap_or(usual);
    span.count("server.port", port.into());
    span.text("url.scheme", if is_secure { "https" } else { "http" });
}
