//! One connection of the front: what each fault does to the request it meets.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, copy_bidirectional, sink};
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::Fault;
use super::request::{Request, split};

const LATE: Duration = Duration::from_secs(3);
/// Twenty bytes each time: 200 a second.
const DROP: Duration = Duration::from_millis(100);
/// As much of an upload as is read before its connection is reset.
const MIDDLE: usize = 1000;

/// Passes a request on and its answer back.
pub(super) async fn relay(
    mut stream: TcpStream,
    request: &Request,
    origin: SocketAddr,
) -> io::Result<()> {
    let mut origin = TcpStream::connect(origin).await?;
    request.forward(&mut origin).await?;
    copy_bidirectional(&mut stream, &mut origin).await?;
    Ok(())
}

// === impl Fault ===

impl Fault {
    pub(super) async fn play(
        self,
        mut stream: TcpStream,
        mut request: Request,
        origin: SocketAddr,
    ) -> io::Result<()> {
        match self {
            // These four are played before there is a request.
            Self::Refused | Self::BlackHole | Self::UnknownHost | Self::UntrustedTls => Ok(()),
            Self::Silence => hold(stream).await,
            Self::Status(status) => {
                request.read_body(&mut stream, usize::MAX).await?;
                last_words(stream, &answer(status, "")).await
            }
            Self::RetryLater(status) => {
                request.read_body(&mut stream, usize::MAX).await?;
                last_words(stream, &answer(status, "retry-after: 2\r\n")).await
            }
            Self::Early(status) => last_words(stream, &answer(status, "")).await,
            Self::Garbage => last_words(stream, "\u{1}no such protocol\r\n\r\n").await,
            Self::Late => {
                sleep(LATE).await;
                relay(stream, &request, origin).await
            }
            Self::Reset => {
                request.read_body(&mut stream, MIDDLE).await?;
                stream.set_zero_linger()
            }
            Self::Stall | Self::Cut | Self::Drip => self.spoil(stream, &request, origin).await,
        }
    }

    /// The origin's answer with something wrong about its body.
    async fn spoil(
        self,
        mut stream: TcpStream,
        request: &Request,
        origin: SocketAddr,
    ) -> io::Result<()> {
        let mut origin = TcpStream::connect(origin).await?;
        request.forward(&mut origin).await?;
        let mut message = Vec::new();
        origin.read_to_end(&mut message).await?;
        let (head, body) = split(&message).ok_or(io::ErrorKind::InvalidData)?;
        stream.write_all(head).await?;
        stream.write_all(b"\r\n\r\n").await?;
        match self {
            Self::Cut => stream.write_all(&body[..body.len() / 2]).await,
            Self::Drip => drip(&mut stream, body).await,
            _ => hold(stream).await,
        }
    }
}

/// Says nothing for as long as the other side stays.
async fn hold(mut stream: TcpStream) -> io::Result<()> {
    copy(&mut stream, &mut sink()).await?;
    Ok(())
}

/// Answers and closes, but reads on, so that the answer is not lost in a reset.
async fn last_words(mut stream: TcpStream, words: &str) -> io::Result<()> {
    stream.write_all(words.as_bytes()).await?;
    stream.shutdown().await?;
    hold(stream).await
}

async fn drip(stream: &mut TcpStream, body: &[u8]) -> io::Result<()> {
    for drop in body.chunks(20) {
        stream.write_all(drop).await?;
        sleep(DROP).await;
    }
    Ok(())
}

fn answer(status: u16, fields: &str) -> String {
    let code = if status == 403 { "forbidden" } else { "failed" };
    let body = format!(r#"{{"error":{{"code":"{code}","message":"as the test wants it"}}}}"#);
    let length = body.len();
    format!(
        "HTTP/1.1 {status} Status\r\n{fields}content-type: application/json\r\n\
         content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}
