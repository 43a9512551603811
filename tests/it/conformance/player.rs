//! Plays a case over a socket, and asks afterwards whether everything still works.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::case::{Answer, Bare, Bodiless, Body, Case, Error, Place, Status, Step};
use crate::support::{Client, Ended, Head, Incoming, Origin, Reply, artifact, within};

/// An artifact that is here throughout.
pub const KNOWN: &str = "known";
/// Its body.
pub const KNOWN_BODY: &[u8] = b"what is known";

/// A client of one case, and its connection.
struct Player<'a> {
    case: &'a Case,
    mark: &'a str,
    place: Place,
    connection: BufReader<TcpStream>,
    /// The last answer said that it is the last.
    is_told: bool,
    /// Nobody has to be told: nothing was answered, or a client of HTTP/1.0 that knows, or one that left.
    need_not_be_told: bool,
    has_left: bool,
}

/// Plays `case` against the Larder at `address`, before `origin` if there is one.
pub async fn play(case: &Case, mark: &str, address: SocketAddr, origin: Option<&Origin>) {
    let stream = TcpStream::connect(address).await.expect("a connection");
    let place = origin.map_or(Place::Alone, |_| Place::Before);
    let mut player = Player {
        case,
        mark,
        place,
        connection: BufReader::new(stream),
        is_told: false,
        need_not_be_told: true,
        has_left: false,
    };
    for step in &case.steps {
        within(case.name, player.take(step)).await;
    }
    if let Some(origin) = origin {
        case.passed.check(origin, mark);
    }
    let mut client = Client::new(address);
    if case.origin_says.is_none() {
        let left = client.get(&artifact(mark)).await;
        match case.leaves {
            Some(body) => left.assert_body(body),
            None => assert_eq!(left.status, 404, "something is left"),
        }
    }
    client.get(&artifact(KNOWN)).await.assert_body(KNOWN_BODY);
    let usual = client.get(&usual_target(mark)).await;
    player.assert_usual(usual.status, &usual.body);
}

/// A path that the origin answers by telling it.
fn usual_target(mark: &str) -> String {
    format!("/v2/next/{}", mark.to_uppercase())
}

impl Player<'_> {
    async fn take(&mut self, step: &Step) {
        match step {
            Step::Send(bytes) => self.send(bytes).await,
            Step::Interim(status) => {
                let head = self.head().await;
                assert_eq!(head.word(1), status.to_string(), "{}", self.case.name);
            }
            Step::Answer(before, alone) => match self.place {
                Place::Alone => self.answer(*alone).await,
                _ => self.answer(*before).await,
            },
            Step::HalfClose => {
                self.has_left = true;
                self.connection
                    .get_mut()
                    .shutdown()
                    .await
                    .expect("a socket");
            }
            Step::Closed => self.assert_closed().await,
            Step::KeptIfSoSaid if self.is_told => self.assert_closed().await,
            Step::Kept | Step::KeptIfSoSaid => self.assert_kept().await,
        }
    }

    /// That the other side no longer listens shows in its answer.
    async fn send(&mut self, bytes: &[u8]) {
        let mut parts = Vec::new();
        let mut rest = bytes;
        while let Some(at) = rest.windows(2).position(|pair| pair == b"{}") {
            parts.extend_from_slice(&rest[..at]);
            parts.extend_from_slice(self.mark.as_bytes());
            rest = &rest[at + 2..];
        }
        parts.extend_from_slice(rest);
        self.connection.write_all(&parts).await.ok();
    }

    async fn head(&mut self) -> Head {
        let head = Head::read(&mut self.connection).await;
        head.unwrap_or_else(|| panic!("closed without an answer: {}", self.case.name))
    }

    async fn answer(&mut self, wanted: Answer) {
        let head = self.head().await;
        let method = if matches!(wanted, Bodiless(_)) {
            "HEAD"
        } else {
            "GET"
        };
        let mut incoming = Incoming::of_answer(&head, method);
        let (body, ended) = incoming.rest(&mut self.connection).await;
        assert_eq!(ended, Ended::Whole, "{head:?}");
        self.is_told = head.get("connection") == Some("close");
        self.need_not_be_told = head.word(0) == "HTTP/1.0" || self.has_left;
        let reply = Reply {
            status: head.word(1).parse().expect("a status"),
            head,
            body,
            ended,
        };
        wanted.assert(&reply, self.case.name);
    }

    async fn assert_closed(&mut self) {
        let is_known = self.is_told || self.need_not_be_told;
        assert!(is_known, "not said to be closed: {}", self.case.name);
        let mut rest = Vec::new();
        let read = self.connection.read_to_end(&mut rest).await;
        let rest = rest.escape_ascii().to_string();
        assert!(rest.is_empty(), "more came: {rest}: {}", self.case.name);
        read.unwrap_or_else(|error| panic!("reset, not closed: {error}: {}", self.case.name));
    }

    async fn assert_kept(&mut self) {
        assert!(!self.is_told, "said to be closed: {}", self.case.name);
        let target = usual_target(self.mark);
        self.send(format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes())
            .await;
        let head = self.head().await;
        let mut incoming = Incoming::of_answer(&head, "GET");
        let (body, _) = incoming.rest(&mut self.connection).await;
        self.assert_usual(head.word(1).parse().expect("a status"), &body);
    }

    #[track_caller]
    fn assert_usual(&self, status: u16, body: &[u8]) {
        let parsed: Value = serde_json::from_slice(body).expect("json");
        let told = (status, parsed["passed"].as_str());
        let target = usual_target(self.mark);
        let usual = match self.place {
            Place::Alone => (404, None),
            _ => (200, Some(target.as_str())),
        };
        assert_eq!(told, usual, "afterwards: {}", self.case.name);
    }
}

impl Answer {
    #[track_caller]
    fn assert(self, reply: &Reply, name: &str) {
        let (Bare(status) | Error(status, _) | Status(status) | Bodiless(status) | Body(status, _)) =
            self;
        assert_eq!(reply.status, status, "{name}: {:?}", reply.head);
        let body = reply.body.escape_ascii().to_string();
        match self {
            Bare(_) => {
                assert_eq!(body, "", "{name}");
                assert_eq!(reply.header("connection"), Some("close"), "{name}");
            }
            Error(_, code) => {
                assert_eq!(crate::support::error_code(reply), code, "{name}");
                assert!(reply.cache_status().starts_with("larder; "), "{name}");
            }
            Body(_, wanted) => assert_eq!(body, wanted.escape_ascii().to_string(), "{name}"),
            Status(_) | Bodiless(_) => {}
        }
    }
}
