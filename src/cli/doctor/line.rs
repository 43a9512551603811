//! From what a connection came to, to what is said of it: name, addresses, proxy, clock. Values only.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use super::finding::Finding;
use crate::upstream::NoWay;

/// A look-up that takes longer is paid for by every new connection.
const SLOW_NAME: Duration = Duration::from_secs(1);
/// Clocks that differ by more refuse each other's signed tokens and fresh certificates.
const CLOCKS_APART: Duration = Duration::from_mins(1);

/// Where the addresses of the first host come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// It is called by its address.
    Address,
    /// `upstream.resolve` says it.
    Pinned,
    /// A look-up.
    LookedUp,
}

/// What came of looking for `host`.
pub(super) fn name(
    host: &str,
    named: Named,
    found: &Result<Vec<SocketAddr>, NoWay>,
    took: Duration,
) -> Finding {
    let addresses = match found {
        Ok(addresses) => addresses,
        Err(error) => {
            return Finding::failure(
                error.about(host),
                "look at the name in upstream.url or of the proxy, and at this machine's resolver; \
                 upstream.resolve says an address without one",
            );
        }
    };
    let of_v4 = addresses.iter().filter(|address| address.is_ipv4()).count();
    let of_v6 = addresses.len() - of_v4;
    let shown: Vec<_> = addresses
        .iter()
        .map(|address| address.ip().to_string())
        .collect();
    let detail = match named {
        Named::Address => return Finding::ok(format!("{host} is an address: nothing to look up")),
        Named::Pinned => format!("{host} is at {}, says upstream.resolve", shown.join(", ")),
        Named::LookedUp => {
            format!(
                "{host} is at {} ({of_v4} of IPv4, {of_v6} of IPv6)",
                shown.join(", ")
            )
        }
    };
    if took > SLOW_NAME {
        let advice = "the resolver is slow, which every new connection waits for; \
                      upstream.resolve does without it";
        return Finding::warning(detail, advice);
    }
    Finding::ok(detail)
}

/// What came of connecting to each address; one that answers is enough, and the others cost time.
pub(super) fn addresses(tried: &[(SocketAddr, Result<(), NoWay>)]) -> Vec<Finding> {
    let any = tried.iter().any(|(_, result)| result.is_ok());
    let finding = |(address, result): &(SocketAddr, Result<(), NoWay>)| match result {
        Ok(()) => Finding::ok(format!("{address} answers")),
        Err(error) if any => Finding::warning(
            error.about(&address.to_string()),
            "another address answers: new connections may be slower, and all is lost with that one",
        ),
        Err(error) => Finding::failure(
            error.about(&address.to_string()),
            "look at the port, at firewalls on the way, and whether a proxy is needed \
             (upstream.proxy, HTTPS_PROXY)",
        ),
    };
    tried.iter().map(finding).collect()
}

/// What came of asking a proxy, which `source` names, for the way; in clear text it is asked with each request.
pub(super) fn proxy(at: &str, source: &str, opened: Option<&Result<(), NoWay>>) -> Finding {
    match opened {
        None => Finding::ok(format!(
            "by {at}, says {source}: it gets each request whole"
        )),
        Some(Ok(())) => Finding::ok(format!("by {at}, says {source}: it leads to the upstream")),
        Some(Err(error)) if error.is_barred => Finding::failure(
            format!("by {at}, says {source}: {error}"),
            format!("write the user and password into {source}: http://USER:PASSWORD@{at}"),
        ),
        Some(Err(error)) => Finding::failure(
            format!("by {at}, says {source}: {error}"),
            "have the proxy lead to the upstream, or name the upstream's host in NO_PROXY",
        ),
    }
}

/// How far the upstream's clock and ours are apart, by the `Date` of an answer.
pub(super) fn clock(date: Option<&str>, now: SystemTime) -> Finding {
    let Some(date) = date else {
        return Finding::not_tried("the upstream's answers have no Date");
    };
    let Ok(theirs) = httpdate::parse_http_date(date) else {
        return Finding::not_tried(format!("the upstream's Date is none: {date}"));
    };
    let (apart, which) = match now.duration_since(theirs) {
        Ok(apart) => (apart, "ahead of"),
        Err(error) => (error.duration(), "behind"),
    };
    let seconds = apart.as_secs();
    if apart > CLOCKS_APART {
        return Finding::warning(
            format!("this machine's clock is {seconds} s {which} the upstream's"),
            "set this machine's clock (NTP): certificates, signed tokens and ages of artifacts go by it",
        );
    }
    Finding::ok(format!("{seconds} s {which} the upstream's"))
}
