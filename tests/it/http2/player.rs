//! Plays a case over a socket, and asks afterwards whether everything still works.

use std::net::SocketAddr;

use tokio::net::TcpStream;

use super::case::{Case, Step, fields, head};
use super::wire::{
    ACK, DATA, END_STREAM, Frame, GOAWAY, HEADERS, Line, PING, PROTOCOL_ERROR, RST_STREAM,
    SETTINGS, STREAM_CLOSED, frame,
};
use crate::support::{Client, Origin, within};

/// A path that the origin answers by telling it.
fn usual(mark: &str) -> String {
    format!("/v2/next/{}", mark.to_uppercase())
}

/// One case, and its connection.
struct Player<'a> {
    case: &'a Case,
    mark: &'a str,
    line: Line,
    /// What came and was not asked for yet.
    came: Vec<Frame>,
    is_over: bool,
}

/// Plays `case` against the Larder at `address`, before `origin`.
pub async fn play(case: &Case, mark: &str, address: SocketAddr, origin: &Origin) {
    let mut player = Player::connect(case, mark, address).await;
    if case.is_greeted {
        player.line.greet().await;
    }
    for step in &case.steps {
        within(case.name, player.take(step)).await;
    }
    case.passed.check(origin, mark);
    let mut another = Player::connect(case, mark, address).await;
    another.line.greet().await;
    within(case.name, another.assert_kept(1)).await;
    let old = Client::new(address).get(&usual(mark)).await;
    assert_eq!(old.status, 200, "afterwards, in HTTP/1: {}", case.name);
}

impl<'a> Player<'a> {
    async fn connect(case: &'a Case, mark: &'a str, address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("a connection");
        Self {
            case,
            mark,
            line: Line::new(stream),
            came: Vec::new(),
            is_over: false,
        }
    }

    async fn take(&mut self, step: &Step) {
        match step {
            Step::Send(bytes) => self.send(bytes).await,
            Step::Status(stream, status) => {
                let head = self.until(|frame| frame.is(HEADERS, *stream)).await;
                assert_eq!(head.status(), *status, "{}", self.case.name);
            }
            Step::Ended(stream) => {
                self.until(|frame| {
                    let is_body = frame.is(DATA, *stream) || frame.is(HEADERS, *stream);
                    is_body && frame.flags & END_STREAM != 0
                })
                .await;
            }
            Step::Reset(stream, codes) => {
                let reset = self.until(|frame| frame.is(RST_STREAM, *stream)).await;
                assert!(
                    codes.contains(&reset.code()),
                    "{reset:?}: {}",
                    self.case.name
                );
            }
            Step::ResetOr(stream, status) => self.assert_reset_or(*stream, *status).await,
            Step::StreamClosed(stream) => self.assert_stream_closed(*stream).await,
            Step::Broken(codes) => self.assert_broken(codes).await,
            Step::Gone => while self.next().await.is_some() {},
            Step::Comes(kind, flags) => {
                self.until(|frame| frame.kind == *kind && frame.flags == *flags)
                    .await;
            }
            Step::Kept(stream) => self.assert_kept(*stream).await,
        }
    }

    async fn send(&mut self, bytes: &[u8]) {
        // Marks are as long as what stands for them, for heads say how long they are.
        assert_eq!(self.mark.len(), 2, "two bytes");
        let mut sent = bytes.to_vec();
        for at in 0..sent.len().saturating_sub(1) {
            if &sent[at..at + 2] == b"{}" {
                sent[at..at + 2].copy_from_slice(self.mark.as_bytes());
            }
        }
        self.line.send(&sent).await;
    }

    /// The next frame that fits, of those that came or of those to come.
    async fn until(&mut self, fits: impl Fn(&Frame) -> bool) -> Frame {
        if let Some(at) = self.came.iter().position(&fits) {
            return self.came.remove(at);
        }
        loop {
            let next = self.next().await;
            let Some(next) = next else {
                panic!("it ended behind {:?}: {}", self.came, self.case.name);
            };
            if fits(&next) {
                return next;
            }
            self.came.push(next);
        }
    }

    /// The next frame; what the server asks is answered as clients do.
    async fn next(&mut self) -> Option<Frame> {
        let next = self.line.next().await;
        match &next {
            Some(asked) if asked.flags & ACK == 0 && asked.kind == SETTINGS => {
                self.line.send(&frame(SETTINGS, ACK, 0, b"")).await;
            }
            Some(asked) if asked.flags & ACK == 0 && asked.kind == PING => {
                self.line.send(&frame(PING, ACK, 0, &asked.payload)).await;
            }
            Some(_) => {}
            None => self.is_over = true,
        }
        next
    }

    async fn assert_reset_or(&mut self, stream: u32, status: u16) {
        let said = self
            .until(|frame| frame.is(RST_STREAM, stream) || frame.is(HEADERS, stream))
            .await;
        match said.kind {
            HEADERS => assert_eq!(said.status(), status, "{}", self.case.name),
            _ => assert_eq!(said.code(), PROTOCOL_ERROR, "{}", self.case.name),
        }
    }

    async fn assert_stream_closed(&mut self, stream: u32) {
        let said = self
            .until(|frame| frame.is(RST_STREAM, stream) || frame.kind == GOAWAY)
            .await;
        let is_meant = said.code() == STREAM_CLOSED || said.kind == GOAWAY;
        assert!(is_meant, "{said:?}: {}", self.case.name);
    }

    async fn assert_broken(&mut self, codes: &[u32]) {
        let farewell = self.until(|frame| frame.kind == GOAWAY).await;
        assert!(
            codes.contains(&farewell.code()),
            "{farewell:?}: {}",
            self.case.name
        );
        while !self.is_over {
            if let Some(more) = self.next().await {
                assert!(
                    more.kind != HEADERS && more.kind != DATA,
                    "{more:?}: {}",
                    self.case.name
                );
            }
        }
    }

    async fn assert_kept(&mut self, stream: u32) {
        let path = usual(self.mark);
        let asked = head(stream, END_STREAM, &fields("GET", &path));
        self.line.send(&asked).await;
        let answer = self.until(|frame| frame.is(HEADERS, stream)).await;
        assert_eq!(answer.status(), 200, "afterwards: {}", self.case.name);
        let body = self.until(|frame| frame.is(DATA, stream)).await;
        let told = format!(r#"{{"passed":"{path}"}}"#);
        assert_eq!(
            body.payload,
            told.as_bytes(),
            "afterwards: {}",
            self.case.name
        );
        let is_broken = self.came.iter().any(|frame| frame.kind == GOAWAY);
        assert!(!is_broken, "told to go: {}", self.case.name);
    }
}
