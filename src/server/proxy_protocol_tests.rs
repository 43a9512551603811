//! What is a header of a load balancer, and what is none.

use proptest::prelude::*;

use super::*;

const BALANCER: &str = "192.0.2.1:1";

fn parse(bytes: impl AsRef<[u8]>) -> Result<Option<ProxyHeader>, NoHeader> {
    ProxyHeader::parse(bytes.as_ref())
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A header of the second version with this command, family and block.
fn binary(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let length = u16::try_from(block.len()).unwrap().to_be_bytes();
    [&SIGNATURE[..], &[command, family], &length, block].concat()
}

fn block(source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    let octets = |it: SocketAddr| match it.ip() {
        IpAddr::V4(it) => it.octets().to_vec(),
        IpAddr::V6(it) => it.octets().to_vec(),
    };
    let ports = [
        source.port().to_be_bytes(),
        destination.port().to_be_bytes(),
    ];
    [octets(source), octets(destination), ports.concat()].concat()
}

#[test]
fn a_line_says_for_whom_a_connection_is() {
    for (line, source) in [
        (
            "TCP4 203.0.113.5 192.0.2.1 56324 443",
            Some("203.0.113.5:56324"),
        ),
        (
            "TCP4 255.255.255.255 255.255.255.255 65535 65535",
            Some("255.255.255.255:65535"),
        ),
        (
            "TCP6 2001:db8::5 2001:db8::1 56324 443",
            Some("[2001:db8::5]:56324"),
        ),
        ("TCP6 ::ffff:203.0.113.5 ::1 1 0", Some("203.0.113.5:1")),
        ("UNKNOWN", None),
        ("UNKNOWN ffff::ffff ::1 65535 65535", None),
    ] {
        let whole = format!("PROXY {line}\r\n");
        let header = ProxyHeader {
            length: whole.len(),
            source: source.map(address),
        };
        assert_eq!(parse(&whole), Ok(Some(header)), "{line}");
        let followed = format!("{whole}GET / HTTP/1.1\r\n\r\n");
        assert_eq!(parse(followed), Ok(Some(header)), "{line}");
    }
}

#[test]
fn what_is_no_line_is_refused_as_soon_as_that_shows() {
    for line in [
        "GET / HTTP/1.1\r\n",
        "P ",
        "PROXX",
        "PROXY TCP4 203.0.113.5 192.0.2.1 1\r\n",
        "PROXY TCP4 203.0.113.5 192.0.2.1 1 2 3\r\n",
        "PROXY TCP4  203.0.113.5 192.0.2.1 1 2\r\n",
        "PROXY TCP4 203.0.113.5 192.0.2.1 1 65536\r\n",
        "PROXY TCP4 203.0.113.5 192.0.2.1 +1 2\r\n",
        "PROXY TCP4 203.0.113.5 192.0.2.1 01 2\r\n",
        "PROXY TCP4 203.0.113.05 192.0.2.1 1 2\r\n",
        "PROXY TCP4 2001:db8::5 2001:db8::1 1 2\r\n",
        "PROXY TCP6 203.0.113.5 192.0.2.1 1 2\r\n",
        "PROXY UDP4 203.0.113.5 192.0.2.1 1 2\r\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY \r\n",
        "PROXY TCP4 \u{e9}\r\n",
    ] {
        assert_eq!(parse(line), Err(NoHeader), "{line:?}");
    }
    let long = format!("PROXY UNKNOWN {}", "x".repeat(MAX_LINE));
    assert_eq!(parse(&long[..MAX_LINE - 1]), Ok(None));
    assert_eq!(parse(&long[..MAX_LINE]), Err(NoHeader));
}

#[test]
fn the_second_version_says_for_whom_a_connection_is() {
    let (one, other) = (address("203.0.113.5:56324"), address("192.0.2.1:443"));
    let four = block(one, other);
    let six = block(address("[2001:db8::5]:1"), address("[2001:db8::1]:2"));
    let mapped = block(address("[::ffff:203.0.113.5]:1"), address("[::1]:2"));
    let with_extras = [&four[..], &[0x03, 0, 4, 1, 2, 3, 4, 0xff, 0xff]].concat();
    for (command, family, block, source) in [
        (0x21, 0x11, four.clone(), Some("203.0.113.5:56324")),
        (0x21, 0x11, with_extras, Some("203.0.113.5:56324")),
        (0x21, 0x21, six, Some("[2001:db8::5]:1")),
        (0x21, 0x21, mapped, Some("203.0.113.5:1")),
        (0x21, 0x31, vec![b'/'; 216], None),
        (0x21, 0x00, vec![1; 7], None),
        (0x20, 0x00, vec![], None),
        (0x20, 0x11, four, None),
        (0x20, 0xff, vec![0; MAX_HEADER - FIXED], None),
    ] {
        let whole = binary(command, family, &block);
        let header = ProxyHeader {
            length: whole.len(),
            source: source.map(address),
        };
        assert_eq!(parse(&whole), Ok(Some(header)), "{whole:?}");
        assert_eq!(
            parse([&whole, HELLO].concat()),
            Ok(Some(header)),
            "{whole:?}"
        );
    }
}

const HELLO: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

#[test]
fn what_is_not_of_the_second_version_is_refused() {
    let four = block(address(BALANCER), address(BALANCER));
    for (command, family, block) in [
        (0x11, 0x11, four.clone()),
        (0x22, 0x11, four.clone()),
        (0x21, 0x12, four.clone()),
        (0x21, 0x22, vec![0; 36]),
        (0x21, 0x13, four.clone()),
        (0x21, 0x41, four.clone()),
        (0x21, 0x11, four[..11].to_vec()),
        (0x21, 0x21, vec![0; 35]),
        (0x21, 0x31, vec![0; 215]),
        (0x20, 0x00, vec![0; MAX_HEADER - FIXED + 1]),
    ] {
        let whole = binary(command, family, &block);
        assert_eq!(parse(&whole), Err(NoHeader), "{whole:?}");
    }
    assert_eq!(parse(b"\r\n\r\n\0\r\nQUIS"), Err(NoHeader));
    assert_eq!(parse(b"\r\n\r\nGET / HTTP/1.1\r\n"), Err(NoHeader));
}

proptest! {
    /// Whatever is told arrives, every beginning of a header is one, and nothing behind it counts.
    #[test]
    fn what_a_header_says_arrives_in_any_pieces(
        source: SocketAddr,
        port: u16,
        is_binary: bool,
        behind: Vec<u8>,
    ) {
        let destination = SocketAddr::new(source.ip(), port);
        let family = if source.is_ipv4() { 4 } else { 6 };
        let mut bytes = if is_binary {
            let family = if source.is_ipv4() { 0x11 } else { 0x21 };
            binary(0x21, family, &block(source, destination))
        } else {
            let (ip, from) = (source.ip(), source.port());
            format!("PROXY TCP{family} {ip} {ip} {from} {port}\r\n").into_bytes()
        };
        for end in 0..bytes.len() {
            prop_assert_eq!(parse(&bytes[..end]), Ok(None));
        }
        let source = Some(SocketAddr::new(source.ip().to_canonical(), source.port()));
        let header = ProxyHeader { length: bytes.len(), source };
        bytes.extend(behind);
        prop_assert_eq!(parse(&bytes), Ok(Some(header)));
    }

    #[test]
    fn random_bytes_are_refused_or_short(bytes: Vec<u8>) {
        if let Ok(Some(header)) = parse(&bytes) {
            prop_assert!(header.length <= bytes.len());
        }
    }
}
