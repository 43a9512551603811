//! TLS before a connection, in paused time: what it bounds, and what it makes of a client's manners.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::super::Tls;
use super::super::connection;
use super::*;
use crate::config::{Identity, ServerTls};
use crate::metrics::Metrics;
use crate::tasks::Tasks;

/// A server's side and what its clients trust.
struct Trusted {
    tls: Tls,
    client: ClientConfig,
    metrics: Arc<Metrics>,
    tasks: Tasks,
}

impl Trusted {
    fn new() -> Self {
        let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(own.cert.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let identity = Identity::of(vec![own.cert.der().clone()], &key);
        Self {
            tls: Tls::new(&ServerTls::showing(identity)).unwrap(),
            client,
            metrics: Arc::new(Metrics::new().unwrap()),
            tasks: Tasks::new(),
        }
    }

    /// Runs a connection and its client, over a line that holds `buffer` bytes, to the end of both.
    async fn connect<C, F>(&self, buffer: usize, client: C)
    where
        C: FnOnce(DuplexStream) -> F,
        F: Future<Output = ()>,
    {
        let (near, far) = duplex(buffer);
        self.serve(far, client(near)).await;
    }

    /// Runs the connection on `far`, and its client, to the end of both.
    async fn serve<I>(&self, far: I, client: impl Future<Output = ()>)
    where
        I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let metrics = Some(Arc::clone(&self.metrics));
        let accepted = Accepted {
            watch: Watch::new(Channel::Tls, &limits()),
            ..in_clear_text((), None, &limits())
        };
        let accepted = self.tls.secure(far, accepted, metrics);
        tokio::join!(
            client,
            connection::run(accepted, Scripted::new(), limits(), &self.tasks)
        );
    }

    /// What a client begins its handshake with.
    fn first_message(&self) -> Vec<u8> {
        let name = ServerName::try_from("localhost").unwrap();
        let config = Arc::new(self.client.clone());
        let mut session = ClientConnection::new(config, name).unwrap();
        let mut message = Vec::new();
        session.write_tls(&mut message).unwrap();
        message
    }

    async fn shake_hands<I: AsyncRead + AsyncWrite + Unpin>(&self, io: I) -> TlsStream<I> {
        let connector = TlsConnector::from(Arc::new(self.client.clone()));
        let name = ServerName::try_from("localhost").unwrap();
        connector.connect(name, io).await.unwrap()
    }

    fn count(&self, result: &str) -> u64 {
        let families = self.metrics.registry().gather();
        let mut series = families
            .iter()
            .filter(|family| family.name() == "larder_tls_handshakes_total")
            .flat_map(prometheus::proto::MetricFamily::get_metric);
        let found = series.find(|metric| metric.get_label()[0].value() == result);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count"
        )]
        let count = found.unwrap().get_counter().get_value() as u64;
        count
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_shake_hands_is_cut_at_the_handshake_timeout() {
    let whole = Trusted::new().first_message();
    let half = &whole[..7];
    for (said, is_answered) in [(&[][..], false), (half, false), (&whole, true)] {
        let trusted = Trusted::new();
        trusted
            .connect(4096, |mut io| async move {
                let start = Instant::now();
                io.write_all(said).await.unwrap();
                assert_eq!(!read_rest(&mut io).await.is_empty(), is_answered);
                assert_eq!(start.elapsed().as_secs(), 7);
            })
            .await;
        assert_eq!((trusted.count("left"), trusted.count("full")), (1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_head_has_all_of_its_time_from_the_end_of_the_handshake() {
    let trusted = Trusted::new();
    trusted
        .connect(4096, |io| async {
            let start = Instant::now();
            tokio::time::sleep(Duration::from_secs(6)).await;
            let mut io = trusted.shake_hands(io).await;
            io.write_all(b"GET /hello HT").await.unwrap();
            assert!(
                io.read_to_end(&mut Vec::new()).await.is_err(),
                "no farewell"
            );
            assert_eq!(start.elapsed().as_secs(), 16);
        })
        .await;
    assert_eq!(trusted.count("full"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_reader_is_cut_when_it_takes_nothing_and_not_while_it_takes_little() {
    const PIPE: usize = 4096;
    // Of the smaller answer TLS holds all: HTTP has long done with it.
    for path in ["/some", "/big"] {
        let trusted = Trusted::new();
        trusted
            .connect(PIPE, |io| async {
                let mut io = trusted.shake_hands(io).await;
                let ask = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
                io.write_all(ask.as_bytes()).await.unwrap();
                io.flush().await.unwrap();
                let (mut near, _) = io.into_inner();
                for _ in 0..4 {
                    tokio::time::sleep(Duration::from_secs(59)).await;
                    near.read_exact(&mut [0; PIPE]).await.unwrap();
                }
                tokio::time::sleep(Duration::from_secs(61)).await;
                // What is in the pipe has left; the rest of the answer is gone.
                assert_eq!(read_rest(&mut near).await.len(), PIPE);
            })
            .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_kept_connection_ends_at_the_idle_timeout_with_a_farewell() {
    let trusted = Trusted::new();
    trusted
        .connect(4096, |io| async {
            let mut io = trusted.shake_hands(io).await;
            for _ in 0..2 {
                assert_eq!(exchange(&mut io, HELLO).await.1, "hello");
                tokio::time::sleep(Duration::from_secs(100)).await;
            }
            assert_eq!(exchange(&mut io, HELLO).await.1, "hello");
            let start = Instant::now();
            // Without a farewell this would be an error.
            assert_eq!(read_rest(&mut io).await, b"");
            assert_eq!(start.elapsed().as_secs(), 130);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_says_farewell_to_who_is_idle() {
    let trusted = Trusted::new();
    let start = Instant::now();
    trusted
        .connect(4096, |io| async {
            let mut io = trusted.shake_hands(io).await;
            assert_eq!(exchange(&mut io, HELLO).await.1, "hello");
            trusted.tasks.stop();
            assert_eq!(read_rest(&mut io).await, b"");
        })
        .await;
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_answer_a_farewell_is_not_waited_for_long() {
    let trusted = Trusted::new();
    let start = Instant::now();
    let mut kept = None;
    trusted
        .connect(4096, |io| async {
            let mut io = trusted.shake_hands(io).await;
            assert_eq!(exchange(&mut io, HELLO).await.1, "hello");
            kept = Some(io);
        })
        .await;
    assert_eq!(start.elapsed().as_secs(), 132);
    assert_eq!(read_rest(&mut kept.unwrap()).await, b"");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_hangs_up_without_a_farewell_gets_its_answer_and_one_with_gets_one_back() {
    let asked = b"PUT /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc";
    for says_farewell in [false, true] {
        let trusted = Trusted::new();
        trusted
            .connect(4096, |io| async {
                let mut io = trusted.shake_hands(io).await;
                io.write_all(asked).await.unwrap();
                io.flush().await.unwrap();
                if says_farewell {
                    io.shutdown().await.unwrap();
                } else {
                    io.get_mut().0.shutdown().await.unwrap();
                }
                let mut answer = Vec::new();
                // An end without the server's own farewell would be an error here.
                io.read_to_end(&mut answer).await.unwrap();
                assert!(answer.starts_with(b"HTTP/1.1 200 "));
                assert!(answer.ends_with(b"\r\n\r\nabc"));
            })
            .await;
    }
}

#[tokio::test]
async fn a_client_that_has_said_farewell_still_gets_all_of_its_last_answer() {
    for ask in [
        "GET /big HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        "GET /big HTTP/1.0\r\n\r\n",
    ] {
        let trusted = Trusted::new();
        let (near, far) = tcp_pair(64 * 1024).await;
        let client = async {
            let mut io = trusted.shake_hands(near).await;
            io.write_all(ask.as_bytes()).await.unwrap();
            // Whoever answers reads no more, and most of the answer has no room on the line.
            read_head(&mut io).await;
            io.shutdown().await.unwrap();
            assert_eq!(read_rest(&mut io).await.len(), BIG);
        };
        trusted.serve(far, client).await;
    }
}

/// Both ends of a connection whose first end has room for so many bytes that wait to be read.
async fn tcp_pair(room: u32) -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(room).unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(socket.connect(address), listener.accept());
    (near.unwrap(), far.unwrap().0)
}

#[tokio::test(start_paused = true)]
async fn half_a_request_is_never_taken_for_a_whole_one() {
    let trusted = Trusted::new();
    trusted
        .connect(4096, |io| async {
            let mut io = trusted.shake_hands(io).await;
            let half = b"PUT /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 6\r\n\r\nabc";
            io.write_all(half).await.unwrap();
            io.flush().await.unwrap();
            io.get_mut().0.shutdown().await.unwrap();
            let mut answer = Vec::new();
            io.read_to_end(&mut answer).await.ok();
            assert!(!answer.ends_with(b"abc"), "{answer:?}");
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn http_in_clear_text_is_told_what_is_spoken_here() {
    let trusted = Trusted::new();
    trusted
        .connect(4096, |mut io| async move {
            let start = Instant::now();
            let (head, body) = exchange(&mut io, HELLO).await;
            assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
            let body: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert_eq!(body["error"]["code"], "tls_required");
            assert_eq!(read_rest(&mut io).await, b"");
            drop(io);
            assert_eq!(start.elapsed(), Duration::ZERO);
        })
        .await;
    assert_eq!(trusted.count("clear-text"), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_neither_tls_nor_http_is_hung_up_on_at_once() {
    let trusted = Trusted::new();
    trusted
        .connect(4096, |mut io| async move {
            io.write_all(b"\x05\x01\x00\x05\x01\x00").await.unwrap();
            let start = Instant::now();
            read_rest(&mut io).await;
            assert_eq!(start.elapsed(), Duration::ZERO);
        })
        .await;
    assert_eq!(trusted.count("failed"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_session_is_resumed_with_what_the_client_kept_of_it() {
    let trusted = Trusted::new();
    for _ in 0..2 {
        trusted
            .connect(4096, |io| async {
                let mut io = trusted.shake_hands(io).await;
                assert_eq!(exchange(&mut io, HELLO).await.1, "hello");
            })
            .await;
    }
    assert_eq!((trusted.count("full"), trusted.count("resumed")), (1, 1));
}
