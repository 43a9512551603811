//! What can be wrong with the way to the upstream, before and during an exchange.

use std::error::Error;

use hyper_util::client::legacy;

use super::reach::ForbiddenAddress;
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

/// No connection was made in time: the line may be slow, or nobody be there.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("no connection in time")]
pub(super) struct Overdue;

/// Sorts an error of the client by what its caller decides.
pub(super) fn failure_of(error: &legacy::Error) -> Failure {
    if chain(error).any(<dyn Error>::is::<ForbiddenAddress>) {
        return Failure::Error;
    }
    if error.is_connect() {
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
