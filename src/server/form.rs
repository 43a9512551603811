//! Whether a request's head says one thing only: what HTTP demands of it and the library leaves open.
//!
//! Two servers that read one message differently are how a request is smuggled past the first. What is
//! sent on is made anew; but in front of us stands a server that may have read this head otherwise.

use http::header::{EXPECT, HOST, HeaderMap, TRANSFER_ENCODING};
use http::request::Parts;
use http::uri::{Authority, Scheme, Uri};
use http::{Method, Version};

/// Bytes of a request's target, with its query: what RFC 9112 §3 asks recipients to take. The clients in
/// the field send some hundred.
const MAX_TARGET: usize = 8000;

/// A request that cannot be taken as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// No name of a host where there has to be one, several, or something else (RFC 9112 §3.2).
    #[error("a request names one host, in one Host header field")]
    Host,
    /// The target names another host than the `Host` header field.
    #[error("the target and the Host header field name different hosts")]
    TwoHosts,
    /// A target of a form that is for other methods, or for other protocols (RFC 9112 §3.2).
    #[error("this is no target for this method")]
    Target,
    /// A target of more than some kilobytes.
    #[error("the target is longer than {MAX_TARGET} bytes")]
    TargetLength,
    /// More fields than are taken, where the library does not count them.
    #[error("the head has more fields than are taken here")]
    Fields,
    /// A line of the head that ends in LF alone (RFC 9112 §2.2).
    #[error("a line of a head ends in CR and LF")]
    LineEnd,
    /// Several lengths, or one beside a coding (RFC 9112 §6.3).
    #[error("a body has one length, or one coding")]
    Lengths,
    /// A body in chunks within chunks (RFC 9112 §7.1).
    #[error("a body comes in chunks only once")]
    Chunks,
    /// A body in a coding that nobody here undoes (RFC 9112 §6.1).
    #[error("of transfer codings, only chunked is known here")]
    Coding,
    /// The client expects something besides `100-continue` (RFC 9110 §10.1.1).
    #[error("of expectations, only 100-continue is met here")]
    Expectation,
}

/// The `Host` fields of a head.
#[derive(Clone, Copy)]
enum Hosts<'a> {
    None,
    One(&'a [u8]),
    Several,
}

/// Checks what the library does not: hosts, the form of the target, codings and expectations.
pub fn check_form(head: &Parts) -> Result<(), Unfit> {
    // What the connection has seen of it before the library did.
    if let Some(unfit) = head.extensions.get::<Unfit>() {
        return Err(*unfit);
    }
    check_target(&head.method, &head.uri)?;
    let mut hosts = Hosts::None;
    // Going through some fields once costs less than looking for three of them.
    for (name, value) in &head.headers {
        if name == HOST {
            hosts = hosts.and(value.as_bytes());
        } else if name == TRANSFER_ENCODING {
            check_codings(&head.headers)?;
        } else if name == EXPECT && !value.as_bytes().eq_ignore_ascii_case(b"100-continue") {
            return Err(Unfit::Expectation);
        }
    }
    check_hosts(head, hosts)
}

fn check_target(method: &Method, target: &Uri) -> Result<(), Unfit> {
    let length = target
        .path_and_query()
        .map_or(0, |path| path.as_str().len());
    if length > MAX_TARGET {
        return Err(Unfit::TargetLength);
    }
    if *method == Method::CONNECT {
        return Ok(());
    }
    let is_for_the_server = target.path() == "*" && *method == Method::OPTIONS;
    if !target.path().starts_with('/') && !is_for_the_server {
        return Err(Unfit::Target);
    }
    match target.scheme() {
        Some(scheme) if *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS => Err(Unfit::Target),
        _ => Ok(()),
    }
}

/// Which of two names counts, the RFC says; whether whoever stands in front reads it so, nobody knows.
fn check_hosts(head: &Parts, hosts: Hosts<'_>) -> Result<(), Unfit> {
    let host = match hosts {
        Hosts::One(host) if is_host(host) => host,
        Hosts::None if head.version < Version::HTTP_11 => return Ok(()),
        // The target names it there (RFC 9113 §8.3.1).
        Hosts::None if head.version == Version::HTTP_2 => {
            let named = head.uri.authority().map(|named| named.as_str().as_bytes());
            return named
                .filter(|named| is_host(named))
                .map_or(Err(Unfit::Host), |_| Ok(()));
        }
        _ => return Err(Unfit::Host),
    };
    let Some(authority) = head.uri.authority() else {
        return Ok(());
    };
    if !is_host(authority.as_str().as_bytes()) {
        return Err(Unfit::Host);
    }
    let default = if head.uri.scheme() == Some(&Scheme::HTTPS) {
        443
    } else {
        80
    };
    if is_same(authority, host, default) {
        Ok(())
    } else {
        Err(Unfit::TwoHosts)
    }
}

impl<'a> Hosts<'a> {
    fn and(self, host: &'a [u8]) -> Self {
        match self {
            Self::None => Self::One(host),
            Self::One(_) | Self::Several => Self::Several,
        }
    }
}

fn is_same(authority: &Authority, host: &[u8], default: u16) -> bool {
    let port = |authority: &Authority| authority.port_u16().unwrap_or(default);
    Authority::try_from(host).is_ok_and(|host| {
        host.host().eq_ignore_ascii_case(authority.host()) && port(&host) == port(authority)
    })
}

/// Whether this could be a host and a port (RFC 9110 §7.2), or is empty, as where there is none to name.
fn is_host(text: &[u8]) -> bool {
    let end_of = |end: u8| text.iter().position(|byte| *byte == end);
    let (is_named, port) = if text.starts_with(b"[") {
        let Some(end) = end_of(b']') else {
            return false;
        };
        let (address, port) = text.split_at(end + 1);
        (address.iter().all(|byte| is_of_address(*byte)), port)
    } else {
        let (name, port) = text.split_at(end_of(b':').unwrap_or(text.len()));
        (name.iter().all(|byte| is_of_name(*byte)), port)
    };
    let is_port = match port.split_first() {
        None => true,
        Some((colon, digits)) => *colon == b':' && digits.iter().all(u8::is_ascii_digit),
    };
    is_named && is_port
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(&byte)
}

fn is_of_address(byte: u8) -> bool {
    byte.is_ascii_hexdigit() || b"[]:.".contains(&byte)
}

/// The library sees to it that `chunked` comes last, not that it comes alone: whatever came before it would
/// be taken for the body.
fn check_codings(headers: &HeaderMap) -> Result<(), Unfit> {
    let mut is_chunked = false;
    let lines = headers.get_all(TRANSFER_ENCODING).iter();
    for coding in lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')) {
        if !coding.trim_ascii().eq_ignore_ascii_case(b"chunked") {
            return Err(Unfit::Coding);
        }
        if is_chunked {
            return Err(Unfit::Chunks);
        }
        is_chunked = true;
    }
    Ok(())
}

#[cfg(test)]
#[path = "form_tests.rs"]
mod tests;
