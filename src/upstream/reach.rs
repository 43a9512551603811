//! How private an address is, so that a redirect cannot lead where only we can go. Values only.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Who can reach an address, from everybody to nobody but this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// The internet.
    Public,
    /// One network: RFC 1918, carrier-grade NAT, unique local.
    Private,
    /// This machine.
    Loopback,
}

/// A redirect led to an address that is more private than the upstream itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a redirect to {0} is not followed: it is more private than the upstream")]
pub(super) struct ForbiddenAddress(pub(super) IpAddr);

impl Reach {
    /// `None` for addresses no redirect may ever name: link-local (where clouds keep their
    /// credentials), unspecified, multicast, reserved.
    pub(super) fn of(address: IpAddr) -> Option<Self> {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self::of_v4(v4),
            IpAddr::V6(v6) => Self::of_v6(v6),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Option<Self> {
        match address.octets() {
            [127, ..] => Some(Self::Loopback),
            [0 | 224..=255, ..] | [169, 254, ..] => None,
            [10, ..]
            | [172, 16..=31, ..]
            | [192, 168, ..]
            | [192, 0, 0, _]
            | [100, 64..=127, ..]
            | [198, 18..=19, ..] => Some(Self::Private),
            _ => Some(Self::Public),
        }
    }

    fn of_v6(address: Ipv6Addr) -> Option<Self> {
        if let Some(v4) = embedded(address) {
            return Self::of_v4(v4);
        }
        match address.segments() {
            [0, 0, 0, 0, 0, 0, 0, 1] => Some(Self::Loopback),
            [0, 0, 0, 0, 0, 0, ..] | [0xfe80..=0xfebf | 0xff00..=0xffff, ..] => None,
            // Unique local, the old site-local, and NAT64 prefixes of one network.
            [0xfc00..=0xfdff | 0xfec0..=0xfeff, ..] | [0x64, 0xff9b, 1, ..] => Some(Self::Private),
            _ => Some(Self::Public),
        }
    }
}

/// Whether a redirect by an upstream of reach `upstream` may lead to `address`.
pub(super) fn check(address: IpAddr, upstream: Reach) -> Result<(), ForbiddenAddress> {
    match Reach::of(address) {
        Some(reach) if reach <= upstream => Ok(()),
        _ => Err(ForbiddenAddress(address)),
    }
}

/// The IPv4 address behind a well-known NAT64 or a 6to4 address.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(address: &str, upstream: Reach) -> bool {
        check(address.parse().unwrap(), upstream).is_ok()
    }

    #[test]
    fn a_redirect_never_leads_to_something_more_private() {
        let table = [
            ("93.184.216.34", Reach::Public),
            ("2606:2800:220:1::1", Reach::Public),
            ("64:ff9b::5db8:d822", Reach::Public),
            ("10.1.2.3", Reach::Private),
            ("172.31.0.1", Reach::Private),
            ("192.168.1.1", Reach::Private),
            ("100.64.0.1", Reach::Private),
            ("fd00:ec2::254", Reach::Private),
            ("::ffff:10.0.0.1", Reach::Private),
            ("64:ff9b::a00:1", Reach::Private),
            ("2002:a00:1::1", Reach::Private),
            ("127.0.0.1", Reach::Loopback),
            ("127.9.9.9", Reach::Loopback),
            ("::1", Reach::Loopback),
            ("::ffff:127.0.0.1", Reach::Loopback),
        ];
        for (address, reach) in table {
            for upstream in [Reach::Public, Reach::Private, Reach::Loopback] {
                assert_eq!(allowed(address, upstream), reach <= upstream, "{address}");
            }
        }
    }

    #[test]
    fn some_addresses_are_nobodys_redirect_target() {
        for address in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "fe80::1",
            "febf::1",
            "0.0.0.0",
            "::",
            "::7f00:1",
            "224.0.0.1",
            "255.255.255.255",
            "ff02::1",
        ] {
            assert!(!allowed(address, Reach::Loopback), "{address}");
        }
    }

    #[test]
    fn neighbours_of_private_ranges_are_public() {
        for address in [
            "172.15.0.1",
            "172.32.0.1",
            "100.63.0.1",
            "100.128.0.1",
            "11.0.0.1",
        ] {
            assert!(allowed(address, Reach::Public), "{address}");
        }
    }
}
