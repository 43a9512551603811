//! What can be wrong with the way to the upstream, before and during an exchange.

use std::error::Error;
use std::io;
use std::net::SocketAddr;

use hyper_util::client::legacy;
use rustls::AlertDescription;

use super::reach::ForbiddenAddress;
use super::tunnel::NoTunnel;
use crate::artifact::Failure;

/// Why the upstream cannot be set up; each is a mistake in the configuration.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// The base URL is none.
    #[error("upstream.url: {0}")]
    Url(&'static str),
    /// The file of certificate authorities cannot be used.
    #[error("upstream.ca_file: {0}")]
    CaFile(String),
    /// TLS cannot be set up.
    #[error("upstream TLS: {0}")]
    Tls(#[from] rustls::Error),
}

/// The target of a request has no place below the upstream's base URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTarget {
    /// A `.` or `..` segment, plain or encoded, would leave the base path.
    #[error("the path has dot segments")]
    DotSegments,
    /// Not a path at all: the asterisk form.
    #[error("the request target is not a path")]
    NotAPath,
}

/// Why there is no connection, but for the time it took.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoConnection {
    /// The look-up failed.
    #[error("{0} is not found")]
    Name(String, #[source] Box<dyn Error + Send + Sync>),
    /// It has no address at all.
    #[error("the host has no address")]
    NoAddress,
    /// It has none that a redirect may lead to.
    #[error("the host is not for a redirect")]
    Forbidden(#[from] ForbiddenAddress),
    /// No address answers; this was the last to fail.
    #[error("no connection to {0}")]
    Address(SocketAddr, #[source] io::Error),
    /// Somebody else answers, or they and we do not agree.
    #[error("no TLS")]
    Tls(#[source] io::Error),
    /// Not even to the proxy in between.
    #[error("the proxy cannot be reached")]
    Proxy(#[source] Box<Self>),
    /// The proxy leads nowhere.
    #[error("no way through the proxy")]
    Tunnel(#[from] NoTunnel),
}

/// No connection was made in time: the line may be slow, or nobody be there.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("no connection in time")]
pub(super) struct Overdue;

/// Sorts an error of the client by what its caller decides.
pub(super) fn failure_of(error: &legacy::Error) -> Failure {
    if chain(error).any(<dyn Error>::is::<ForbiddenAddress>) {
        return Failure::Error;
    }
    if error.is_connect() || is_refusal(error) {
        return Failure::Unreachable;
    }
    let is_malformed = chain(error)
        .filter_map(|cause| cause.downcast_ref::<hyper::Error>())
        .any(hyper::Error::is_parse);
    if is_malformed || frame_errors(error).any(h2::Error::is_library) {
        Failure::Error
    } else {
        Failure::Cut
    }
}

/// Whether the request was given up by whoever made it: its own body broke off.
pub(super) fn is_withdrawn(error: &legacy::Error) -> bool {
    chain(error)
        .filter_map(|cause| cause.downcast_ref::<hyper::Error>())
        .any(hyper::Error::is_user)
        || frame_errors(error)
            .any(|cause| cause.is_reset() && !cause.is_remote() && !cause.is_library())
}

/// Whether the server has said that it has done nothing about the request: it refused the stream, or
/// was going away and did not take it any more (RFC 9113 §8.7).
pub(super) fn is_unprocessed(error: &legacy::Error) -> bool {
    frame_errors(error).any(|cause| {
        let is_refused = cause.reason() == Some(h2::Reason::REFUSED_STREAM);
        cause.is_remote() && (cause.is_go_away() || is_refused)
    })
}

/// Whether the server refuses to speak with us for what we show of ourselves: in TLS 1.3 it says so only
/// behind the handshake.
pub(super) fn is_refusal(error: &(dyn Error + 'static)) -> bool {
    let inner = chain(error)
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .filter_map(|cause| cause.get_ref()?.downcast_ref());
    inner.into_iter().any(|cause| {
        matches!(
            cause,
            rustls::Error::AlertReceived(
                AlertDescription::CertificateRequired
                    | AlertDescription::BadCertificate
                    | AlertDescription::UnsupportedCertificate
                    | AlertDescription::CertificateRevoked
                    | AlertDescription::CertificateExpired
                    | AlertDescription::CertificateUnknown
                    | AlertDescription::UnknownCA
                    // A signature with another key: no record can be the cause of it.
                    | AlertDescription::DecryptError
                    | AlertDescription::AccessDenied
            )
        )
    })
}

/// Whether a proxy gives no tunnel for want of a credential, or of another one.
pub(super) fn is_barred(error: &legacy::Error) -> bool {
    chain(error)
        .filter_map(|cause| cause.downcast_ref())
        .any(|refusal| matches!(refusal, NoTunnel::Credential))
}

/// Whether a slow line may have been all that was wrong.
pub(super) fn is_slow(error: &legacy::Error) -> bool {
    chain(error).any(<dyn Error>::is::<Overdue>)
}

/// An error and its causes in one line, for the log.
pub(super) fn in_full(error: &(dyn Error + 'static)) -> String {
    chain(error)
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

/// What HTTP/2 says of it.
fn frame_errors<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a h2::Error> + use<'a> {
    chain(error).filter_map(|cause| cause.downcast_ref())
}

fn chain<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> + use<'a> {
    std::iter::successors(Some(error), |&error| error.source())
}
