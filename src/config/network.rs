//! Networks: lists of who is meant, by address.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::Listen;
use super::problem::quoted;

/// A network, or one address: a network of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(IpNet);

/// Some networks, none of them at all by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(pub Vec<Network>);

/// Whose connections begin with a header that says for whom they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forwarders {
    /// Those that come from here.
    pub networks: Networks,
    /// And those that come by a unix socket.
    pub unix: bool,
}

/// One entry of the list of forwarders.
#[derive(Clone, Copy, Debug)]
pub(super) enum Forwarder {
    /// Whoever comes from there.
    Network(Network),
    /// Whoever comes by a unix socket.
    Unix,
}

/// The word for unix sockets in a list of forwarders.
const UNIX: &str = "unix";

/// Every address from which connections to loopback come, of either kind.
const LOOPBACK: [IpNet; 2] = [
    IpNet::new_assert(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8),
    IpNet::new_assert(IpAddr::V6(Ipv6Addr::LOCALHOST), 128),
];

/// Reads a network: `10.0.0.0/8`, `2001:db8::/32`, or one address.
pub(super) fn network(text: &str) -> Result<Network, String> {
    let wrong = || {
        format!(
            "{} is neither an address nor a network such as 10.0.0.0/8",
            quoted(text)
        )
    };
    let network = match text.split_once('/') {
        Some(_) => text.parse().map_err(|_| wrong())?,
        None => IpNet::from(text.parse::<IpAddr>().map_err(|_| wrong())?),
    };
    if network.addr() != network.network() {
        let meant = network.trunc();
        return Err(format!("{} is not where it begins: {meant}", quoted(text)));
    }
    // It would be judged as IPv4, and never be met.
    if network.addr().to_canonical() != network.addr() {
        return Err(format!("{} is IPv4: write it as such", quoted(text)));
    }
    Ok(Network(network))
}

/// Reads one entry of a list of forwarders: a network, or `unix`.
pub(super) fn forwarder(text: &str) -> Result<Forwarder, String> {
    match text {
        UNIX => Ok(Forwarder::Unix),
        _ => network(text).map(Forwarder::Network),
    }
}

// === impl Network ===

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.prefix_len() == self.0.max_prefix_len() {
            self.0.addr().fmt(f)
        } else {
            self.0.fmt(f)
        }
    }
}

// === impl Networks ===

impl Networks {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `address` is in one of them; IPv4 in the clothes of IPv6 is IPv4.
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.0.contains(&address))
    }

    /// One of them that holds every address of its kind.
    pub(super) fn everybody(&self) -> Option<Network> {
        let mut networks = self.0.iter().copied();
        networks.find(|network| network.0.prefix_len() == 0)
    }

    /// Whether some address of `other` is in one of them.
    fn meet(&self, other: IpNet) -> bool {
        let mut networks = self.0.iter().map(|network| network.0);
        networks.any(|network| network.contains(&other) || other.contains(&network))
    }
}

// === impl Forwarders ===

impl Forwarders {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.networks.is_empty() && !self.unix
    }

    /// Whether one of them may connect to an address of this machine alone, for somebody who is elsewhere.
    pub(super) fn may_come_by(&self, address: &Listen) -> bool {
        let Listen::Tcp { host, .. } = address else {
            return self.unix;
        };
        let kind = host.parse::<IpAddr>().ok();
        let mut from = LOOPBACK
            .into_iter()
            .filter(|net| kind.is_none_or(|kind| kind.is_ipv4() == net.addr().is_ipv4()));
        from.any(|net| self.networks.meet(net))
    }

    /// The entries in words that would be read as the same.
    pub(super) fn shown(&self) -> Vec<String> {
        let networks = self.networks.0.iter().map(ToString::to_string);
        networks.chain(self.unix.then(|| UNIX.to_owned())).collect()
    }
}

impl FromIterator<Forwarder> for Forwarders {
    fn from_iter<I: IntoIterator<Item = Forwarder>>(entries: I) -> Self {
        let mut forwarders = Self::default();
        for entry in entries {
            match entry {
                Forwarder::Network(network) => forwarders.networks.0.push(network),
                Forwarder::Unix => forwarders.unix = true,
            }
        }
        forwarders
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_the_networks_that_hold_it_and_in_no_other() {
        let list = ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::1"];
        let networks = Networks(list.map(|text| network(text).unwrap()).to_vec());
        for (address, is_in) in [
            ("10.255.0.1", true),
            ("11.0.0.0", false),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("::ffff:10.1.2.3", true),
            ("::ffff:11.1.2.3", false),
            ("2001:db8:ffff::1", true),
            ("2001:db9::1", false),
            ("::1", true),
            ("127.0.0.1", false),
        ] {
            assert_eq!(
                networks.contain(address.parse().unwrap()),
                is_in,
                "{address}"
            );
        }
        assert!(!Networks::default().contain("::1".parse().unwrap()));
        let everybody = Networks(vec![network("0.0.0.0/0").unwrap()]);
        assert!(everybody.contain("::ffff:1.2.3.4".parse().unwrap()));
        assert!(!everybody.contain("2001:db8::1".parse().unwrap()));
    }

    #[test]
    fn what_is_no_network_is_refused_with_advice() {
        for (text, advice) in [
            ("10.0.0.1/8", "10.0.0.0/8"),
            ("10.0.0.0/33", "neither"),
            ("10.0.0/8", "neither"),
            ("localhost", "neither"),
            ("10.0.0.1:80", "neither"),
            ("", "neither"),
            ("unix", "neither"),
            ("::ffff:10.0.0.0/104", "as such"),
            ("::ffff:10.0.0.1", "as such"),
        ] {
            let message = network(text).unwrap_err();
            assert!(message.contains(advice), "{text}: {message}");
        }
    }
}
