//! Addresses that are said rather than looked up, in curl's notation.

use std::fmt;
use std::net::IpAddr;

use super::address::host;
use super::problem::quoted;

/// An address of one host at one port, which stands for what a look-up would find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// Its name, in lower case.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Where it is.
    pub address: IpAddr,
}

/// Reads `HOST:PORT:ADDRESS`.
pub(super) fn pinned(text: &str) -> Result<Pinned, String> {
    let shown = || quoted(text);
    if text.starts_with('[') {
        return Err(format!(
            "{}: HOST is a name: nobody looks up an address",
            shown()
        ));
    }
    let mut parts = text.splitn(3, ':');
    let (Some(name), Some(port), Some(at)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(format!("{} is not HOST:PORT:ADDRESS", shown()));
    };
    let name = host(name).map_err(|_| format!("{}: HOST is not a host name", shown()))?;
    if name.parse::<IpAddr>().is_ok() {
        return Err(format!(
            "{}: HOST is a name: nobody looks up an address",
            shown()
        ));
    }
    // `u16::from_str` takes a sign.
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse().ok().filter(|port| is_number && *port > 0);
    let port = port.ok_or_else(|| format!("{}: PORT is not a number from 1 to 65535", shown()))?;
    let address = address(at).map_err(|why| format!("{}: {why}", shown()))?;
    Ok(Pinned {
        host: name,
        port,
        address,
    })
}

fn address(text: &str) -> Result<IpAddr, &'static str> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let address = match bare {
        Some(inner) => inner.parse().ok().filter(IpAddr::is_ipv6),
        None => match text.parse() {
            Ok(IpAddr::V6(_)) => return Err("an IPv6 address goes in brackets"),
            other => other.ok(),
        },
    };
    match address {
        None => Err("ADDRESS is not one IP address: each has an entry of its own"),
        Some(address) if address.is_unspecified() || address.is_multicast() => {
            Err("nobody is reached at ADDRESS")
        }
        Some(address) => Ok(address),
    }
}

impl fmt::Display for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, .. } = self;
        match self.address {
            IpAddr::V4(address) => write!(f, "{host}:{port}:{address}"),
            IpAddr::V6(address) => write!(f, "{host}:{port}:[{address}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_read_and_shown_in_one_spelling() {
        for (text, shown) in [
            ("cache.example:443:10.1.2.3", "cache.example:443:10.1.2.3"),
            ("Cache:08443:[0:0::1]", "cache:8443:[::1]"),
            ("localhost:1:127.0.0.2", "localhost:1:127.0.0.2"),
        ] {
            assert_eq!(pinned(text).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_entry_is_refused_with_advice() {
        for (text, advice) in [
            ("", "is not HOST:PORT:ADDRESS"),
            ("cache.example", "is not HOST:PORT:ADDRESS"),
            ("cache.example:443", "is not HOST:PORT:ADDRESS"),
            ("-cache.example:443", "is not HOST:PORT:ADDRESS"),
            (":443:10.1.2.3", "HOST is not a host name"),
            ("*:443:10.1.2.3", "HOST is not a host name"),
            ("+cache:443:10.1.2.3", "HOST is not a host name"),
            ("https://cache:443:10.1.2.3", "PORT is not a number"),
            ("10.1.2.3:443:10.1.2.4", "HOST is a name"),
            ("[::1]:443:10.1.2.4", "HOST is a name"),
            ("cache::10.1.2.3", "PORT is not a number"),
            ("cache:0:10.1.2.3", "PORT is not a number"),
            ("cache:+1:10.1.2.3", "PORT is not a number"),
            ("cache:65536:10.1.2.3", "PORT is not a number"),
            ("cache:443:", "ADDRESS is not one IP address"),
            ("cache:443:other.example", "ADDRESS is not one IP address"),
            ("cache:443:10.1.2.3:443", "ADDRESS is not one IP address"),
            (
                "cache:443:10.1.2.3,10.1.2.4",
                "ADDRESS is not one IP address",
            ),
            ("cache:443:[10.1.2.3]", "ADDRESS is not one IP address"),
            ("cache:443:[fe80::1%eth0]", "ADDRESS is not one IP address"),
            ("cache:443:fd00::1", "goes in brackets"),
            ("cache:443:0.0.0.0", "nobody is reached"),
            ("cache:443:[ff02::1]", "nobody is reached"),
        ] {
            let message = pinned(text).unwrap_err();
            assert!(message.contains(advice), "{text}: {message}");
        }
    }
}
