//! A tunnel through an HTTP proxy: `CONNECT` (RFC 9110 §9.3.6).
//!
//! Nothing of a request goes into it but where it leads, and the proxy's own credential.

use std::io;

use http::HeaderValue;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::line::Io;
use super::target::Origin;

/// A proxy's answer is a line and a few fields.
const MAX_HEAD: usize = 16 * 1024;

/// Why a proxy gives no tunnel.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoTunnel {
    /// It wants a credential, or another one.
    #[error("the proxy wants a user and password, or others (407)")]
    Credential,
    /// It refuses, or does not reach the origin itself.
    #[error("the proxy answers {0} to CONNECT")]
    Status(u16),
    /// It is no proxy, or speaks out of turn.
    #[error("what the proxy answers to CONNECT is none")]
    NoAnswer,
    /// The connection broke.
    #[error("the proxy broke off")]
    Broken(#[from] io::Error),
}

/// Has the proxy at the other end of `io` lead it to `origin`.
pub(super) async fn tunnel(
    mut io: Io,
    origin: &Origin,
    credential: Option<&HeaderValue>,
) -> Result<Io, NoTunnel> {
    let to = origin.authority();
    let mut asked = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n").into_bytes();
    if let Some(credential) = credential {
        asked.extend_from_slice(b"Proxy-Authorization: ");
        asked.extend_from_slice(credential.as_bytes());
        asked.extend_from_slice(b"\r\n");
    }
    asked.extend_from_slice(b"\r\n");
    io.write_all(&asked).await?;
    io.flush().await?;
    match answered(&mut io).await? {
        200..=299 => Ok(io),
        407 => Err(NoTunnel::Credential),
        other => Err(NoTunnel::Status(other)),
    }
}

/// The status of the proxy's answer. Behind the head of one that is no refusal nothing may have come
/// yet: the rest is the origin's, and an origin of TLS does not speak first.
async fn answered(io: &mut Io) -> Result<u16, NoTunnel> {
    let mut head = Vec::new();
    loop {
        if let Some(line) = first_line(&head) {
            let status = status(line).ok_or(NoTunnel::NoAnswer)?;
            if status >= 300 || head.ends_with(b"\r\n\r\n") || head.ends_with(b"\n\n") {
                return Ok(status);
            }
        }
        let is_endless = head.len() >= MAX_HEAD || contains_end(&head);
        if is_endless || io.read_buf(&mut head).await? == 0 {
            return Err(NoTunnel::NoAnswer);
        }
    }
}

fn contains_end(head: &[u8]) -> bool {
    head.windows(4).any(|four| four == b"\r\n\r\n")
}

fn first_line(head: &[u8]) -> Option<&[u8]> {
    let end = head.iter().position(|byte| *byte == b'\n')?;
    head.get(..end)
}

fn status(line: &[u8]) -> Option<u16> {
    let line = line
        .strip_prefix(b"HTTP/1.0 ")
        .or_else(|| line.strip_prefix(b"HTTP/1.1 "))?;
    let (digits, rest) = line.split_at_checked(3)?;
    let is_over = matches!(rest.first(), None | Some(b' ' | b'\r'));
    let status: u16 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (is_over && (100..=599).contains(&status)).then_some(status)
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    async fn asked_of(proxy: &'static [u8]) -> (Result<(), NoTunnel>, String) {
        let (near, mut far) = duplex(64 * 1024);
        far.write_all(proxy).await.unwrap();
        far.shutdown().await.unwrap();
        let origin = Origin::of(&"https://O.example/x?y".parse().unwrap()).unwrap();
        let credential = HeaderValue::from_static("Basic dTpw");
        let led = tunnel(Box::pin(near), &origin, Some(&credential)).await;
        let mut heard = String::new();
        let result = led.map(drop);
        far.read_to_string(&mut heard).await.unwrap();
        (result, heard)
    }

    #[tokio::test]
    async fn it_is_asked_for_with_the_credential_of_the_proxy_and_nothing_else() {
        for answer in [
            &b"HTTP/1.1 200 Connection established\r\n\r\n"[..],
            b"HTTP/1.0 200\r\nvia: x\r\n\r\n",
            b"HTTP/1.1 299 Odd\n\n",
        ] {
            let (led, heard) = asked_of(answer).await;
            led.unwrap();
            assert_eq!(
                heard,
                "CONNECT o.example:443 HTTP/1.1\r\nHost: o.example:443\r\nProxy-Authorization: Basic dTpw\r\n\r\n"
            );
        }
    }

    #[tokio::test]
    async fn a_refusal_is_told_by_its_status_and_garbage_is_none() {
        for (answer, told) in [
            (
                &b"HTTP/1.1 407 Who\r\ncontent-length: 2\r\n\r\n.."[..],
                "(407)",
            ),
            (b"HTTP/1.1 403 Forbidden\r\n\r\n", "answers 403 "),
            (b"HTTP/1.0 503\r\n", "answers 503 "),
            (b"HTTP/1.1 100 Go on\r\n\r\n", "answers 100 "),
            (b"", "is none"),
            (b"HTTP/1.1 200 OK", "is none"),
            (b"HTTP/1.1 2000 OK\r\n\r\n", "is none"),
            (b"SSH-2.0-x\r\n\r\n", "is none"),
        ] {
            let error = asked_of(answer).await.0.unwrap_err().to_string();
            assert!(error.contains(told), "{told}: {error}");
        }
    }

    #[tokio::test]
    async fn who_breaks_off_or_speaks_out_of_turn_gives_no_tunnel() {
        for answer in [
            &b"HTTP/1.1 200 OK\r\nvia: x\r\n"[..],
            b"HTTP/1.1 200 OK\r\n\r\nHELLO",
        ] {
            assert!(asked_of(answer).await.0.is_err());
        }
    }
}
