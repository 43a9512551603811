//! The header of a load balancer: what it is read as holds for every beginning of it and whatever follows, and
//! what it says can be said again.

#![no_main]

use std::net::{IpAddr, SocketAddr};

use larder::server::{MAX_HEADER, ProxyHeader};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let followed = [data, b"\n"].concat();
    match ProxyHeader::parse(data) {
        Ok(Some(header)) => {
            assert!((15..=MAX_HEADER.min(data.len())).contains(&header.length));
            assert_eq!(ProxyHeader::parse(&data[..header.length]), Ok(Some(header)));
            assert_eq!(ProxyHeader::parse(&followed), Ok(Some(header)));
            assert_short(&data[..header.length - 1]);
            assert_eq!(header.source, source(&data[..header.length]));
            if let Some(source) = header.source {
                assert_eq!(source.ip(), source.ip().to_canonical());
                for again in [line(source), binary(source)] {
                    let told = ProxyHeader::parse(&again).unwrap().unwrap();
                    assert_eq!((told.length, told.source), (again.len(), Some(source)));
                }
            }
        }
        Ok(None) => assert_short(data),
        // Nothing that follows makes one of it.
        Err(none) => assert_eq!(ProxyHeader::parse(&followed), Err(none)),
    }
});

/// Asserts that every beginning of `bytes` may yet become a header.
fn assert_short(bytes: &[u8]) {
    assert!(bytes.len() < MAX_HEADER);
    for end in 0..=bytes.len() {
        assert_eq!(ProxyHeader::parse(&bytes[..end]), Ok(None), "{end}");
    }
}

/// Whom a whole header names, read in the plainest way.
fn source(header: &[u8]) -> Option<SocketAddr> {
    let (ip, port) = if header[0] == b'P' {
        let words: Vec<&str> = std::str::from_utf8(header).unwrap().trim_end().split(' ').collect();
        if words[1] == "UNKNOWN" {
            return None;
        }
        (words[2].parse().unwrap(), words[4].parse().unwrap())
    } else {
        let port = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        match (header[12], header[13]) {
            (0x21, 0x11) => {
                let octets: [u8; 4] = header[16..20].try_into().unwrap();
                (IpAddr::from(octets), port(24))
            }
            (0x21, 0x21) => {
                let octets: [u8; 16] = header[16..32].try_into().unwrap();
                (IpAddr::from(octets), port(48))
            }
            _ => return None,
        }
    };
    Some(SocketAddr::new(ip.to_canonical(), port))
}

/// The first version, as a balancer writes it.
fn line(source: SocketAddr) -> Vec<u8> {
    let (ip, port) = (source.ip(), source.port());
    let family = if ip.is_ipv4() { 4 } else { 6 };
    format!("PROXY TCP{family} {ip} {ip} {port} 443\r\n").into_bytes()
}

/// The second version, as a balancer writes it.
fn binary(source: SocketAddr) -> Vec<u8> {
    let (family, octets) = match source.ip() {
        IpAddr::V4(ip) => (0x11, ip.octets().to_vec()),
        IpAddr::V6(ip) => (0x21, ip.octets().to_vec()),
    };
    let ports = [source.port().to_be_bytes(), [1, 187]].concat();
    let block = [&octets[..], &octets, &ports].concat();
    let length = u8::try_from(block.len()).unwrap();
    [&b"\r\n\r\n\0\r\nQUIT\n\x21"[..], &[family, 0, length], &block].concat()
}
