//! Where a host is: at the address that it is, at those pinned to it, or wherever its name leads.
//!
//! Addresses that a redirect may not lead to are left out, however they were found.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tower_service::Service;

use super::error::NoConnection;
use super::reach::{ForbiddenAddress, Reach, check};
use super::target::Origin;
use crate::config::Pinned;

/// More addresses of one host are not tried: the time to connect would be over long before.
const MAX_ADDRESSES: usize = 16;

/// The addresses that are known without a look-up, and the look-up.
pub(super) struct Names {
    pinned: Vec<Pinned>,
}

// === impl Names ===

impl Names {
    pub(super) fn new(pinned: Vec<Pinned>) -> Self {
        Self { pinned }
    }

    /// The addresses of an origin within `limit`, in the order in which they are to be tried.
    pub(super) async fn find(
        &self,
        origin: &Origin,
        limit: Option<Reach>,
    ) -> Result<Vec<SocketAddr>, NoConnection> {
        let host = origin.bare_host();
        let mut found = self.pinned_to(origin);
        if found.is_empty() {
            found = match host.parse::<IpAddr>() {
                Ok(address) => vec![address],
                Err(_) => looked_up(host).await?,
            };
        }
        let mut kept = screen(found, limit)?;
        kept.truncate(MAX_ADDRESSES);
        let at_port = |address| SocketAddr::new(address, origin.port());
        Ok(kept.into_iter().map(at_port).collect())
    }

    fn pinned_to(&self, origin: &Origin) -> Vec<IpAddr> {
        let host = origin.bare_host();
        let fits = |pin: &&Pinned| pin.host == host && pin.port == origin.port();
        let pins = self.pinned.iter().filter(fits);
        pins.map(|pin| pin.address).collect()
    }
}

/// The address a host says by itself, which no resolver is asked for.
pub(super) fn named_address(origin: &Origin) -> Option<IpAddr> {
    let host = origin.bare_host().trim_end_matches('.');
    if host == "localhost" || host.ends_with(".localhost") {
        return Some(Ipv4Addr::LOCALHOST.into());
    }
    host.parse().ok()
}

async fn looked_up(host: &str) -> Result<Vec<IpAddr>, NoConnection> {
    let unknown = |cause| NoConnection::Name(host.to_owned(), cause);
    let name: Name = host.parse().map_err(|error| unknown(Box::new(error)))?;
    let found = GaiResolver::new().call(name).await;
    let found = found.map_err(|error| unknown(Box::new(error)))?;
    Ok(alternating(found.map(|address| address.ip())))
}

/// The families by turns, that of the first address first (RFC 8305 §4): where one of them leads
/// nowhere, the other is not behind all of it.
fn alternating(found: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
    let mut found = found.peekable();
    let Some(first) = found.peek().copied() else {
        return Vec::new();
    };
    let is_first = |address: &IpAddr| address.is_ipv4() == first.is_ipv4();
    let (firsts, others): (VecDeque<_>, VecDeque<_>) = found.partition(is_first);
    let mut queues = [firsts, others];
    let mut order = Vec::new();
    while queues.iter().any(|queue| !queue.is_empty()) {
        order.extend(queues.iter_mut().filter_map(VecDeque::pop_front));
    }
    order
}

/// Keeps the addresses within `limit`; an error where there were only others.
fn screen(found: Vec<IpAddr>, limit: Option<Reach>) -> Result<Vec<IpAddr>, ForbiddenAddress> {
    let mut kept = Vec::new();
    let mut refused = None;
    for address in found {
        match limit.map_or(Ok(()), |limit| check(address, limit)) {
            Ok(()) => kept.push(address),
            Err(error) => refused = Some(error),
        }
    }
    match refused {
        Some(error) if kept.is_empty() => Err(error),
        _ => Ok(kept),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn origin(url: &str) -> Origin {
        Origin::of(&url.parse().unwrap()).unwrap()
    }

    #[test]
    fn a_name_is_screened_by_all_its_addresses() {
        let found = addresses(&["10.0.0.1", "93.184.216.34", "169.254.169.254"]);
        let screened = |limit| screen(found.clone(), limit).unwrap().len();
        assert_eq!(screened(None), 3);
        assert_eq!(screened(Some(Reach::Public)), 1);
        assert_eq!(screened(Some(Reach::Loopback)), 2);
        let rebound = addresses(&["10.0.0.1"]);
        assert!(screen(rebound, Some(Reach::Public)).is_err());
    }

    #[test]
    fn hosts_that_are_addresses_are_known_without_a_resolver() {
        let named = |url: &str| named_address(&origin(url));
        assert_eq!(named("http://[::1]:80/"), "::1".parse().ok());
        assert_eq!(named("http://10.0.0.1/"), "10.0.0.1".parse().ok());
        assert_eq!(named("http://LOCALHOST./"), "127.0.0.1".parse().ok());
        assert_eq!(named("http://o.example/"), None);
    }

    #[test]
    fn families_take_turns_and_keep_their_own_order() {
        let found = addresses(&["::1", "::2", "::3", "10.0.0.1", "10.0.0.2"]);
        let order = addresses(&["::1", "10.0.0.1", "::2", "10.0.0.2", "::3"]);
        assert_eq!(alternating(found.into_iter()), order);
        assert!(alternating(std::iter::empty()).is_empty());
    }

    #[tokio::test]
    async fn what_is_pinned_holds_for_its_host_and_port_alone_and_is_judged_all_the_same() {
        let pin = |host: &str, port, address: &str| Pinned {
            host: host.to_owned(),
            port,
            address: address.parse().unwrap(),
        };
        let names = Names::new(vec![
            pin("o.invalid", 443, "93.184.216.34"),
            pin("o.invalid", 443, "10.0.0.1"),
            pin("meta.invalid", 80, "169.254.169.254"),
        ]);
        let find = async |url: &str, limit| names.find(&origin(url), limit).await;
        let found = find("https://O.invalid/", None).await.unwrap();
        let order = ["93.184.216.34:443", "10.0.0.1:443"].map(|at| at.parse().unwrap());
        assert_eq!(found, order);
        let public = find("https://o.invalid/", Some(Reach::Public)).await;
        assert_eq!(public.unwrap(), order[..1]);
        for elsewhere in ["https://o.invalid:8443/", "http://o.invalid/"] {
            let error = find(elsewhere, None).await.unwrap_err();
            assert!(
                matches!(error, NoConnection::Name(..)),
                "{elsewhere}: {error}"
            );
        }
        let error = find("http://meta.invalid/", Some(Reach::Loopback)).await;
        assert!(matches!(error, Err(NoConnection::Forbidden(_))));
    }
}
