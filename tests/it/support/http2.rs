//! A client of HTTP/2: any number of requests at once on one connection, whole or step by step.

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::client::{Reply, Request};
use super::tls::{Stream, Trust};
use super::wire::{Ended, Head};
use super::{Larder, within};

/// One connection, whose requests share it.
#[derive(Debug)]
pub struct Http2 {
    requests: SendRequest<Bytes>,
    token: Option<String>,
    authority: String,
    scheme: &'static str,
    /// How the connection has ended, once it has.
    ended: watch::Receiver<Option<Result<(), String>>>,
    _driving: JoinSet<()>,
}

/// A request that is being sent, and its answer.
#[derive(Debug)]
pub struct Exchange {
    pub upload: SendStream<Bytes>,
    answer: ResponseFuture,
}

/// An answer whose body is still to be read.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: Head,
    body: RecvStream,
}

// === impl Http2 ===

impl Http2 {
    /// With the token `member`, in clear text or as that Larder's clients trust it.
    pub async fn of(larder: &Larder) -> Self {
        Self::ahead(larder, 1 << 20).await
    }

    /// The same, which lets so many bytes of each answer be sent ahead.
    pub async fn ahead(larder: &Larder, window: u32) -> Self {
        let stream = TcpStream::connect(larder.address()).await.expect("a port");
        stream.set_nodelay(true).expect("an option");
        let (scheme, stream): (_, Box<dyn Stream>) = match larder.trust() {
            None => ("http", Box::new(stream)),
            Some(trust) => ("https", secured(trust, stream).await),
        };
        let mut builder = Builder::new();
        builder
            .initial_window_size(window)
            .initial_connection_window_size(1 << 30)
            .max_frame_size(1 << 20);
        let shaking = builder.handshake::<_, Bytes>(stream);
        let (requests, connection) = within("a preface", shaking).await.expect("HTTP/2");
        let (end, ended) = watch::channel(None);
        let mut driving = JoinSet::new();
        driving.spawn(async move {
            let ended = connection.await.map_err(|error| error.to_string());
            end.send_replace(Some(ended));
        });
        Self {
            requests,
            token: Some("member".to_owned()),
            authority: larder.address().to_string(),
            scheme,
            ended,
            _driving: driving,
        }
    }

    /// Sends this bearer token instead, or none.
    pub fn token(mut self, token: Option<&str>) -> Self {
        self.token = token.map(str::to_owned);
        self
    }

    pub async fn get(&self, target: &str) -> Reply {
        self.ask(&Request::new("GET", target)).await
    }

    pub async fn put(&self, target: &str, body: &[u8]) -> Reply {
        self.ask(&Request::new("PUT", target).body(body)).await
    }

    /// Sends a request and reads its answer to the end; status 0 where there is none.
    pub async fn ask(&self, request: &Request) -> Reply {
        let body = request.whole_body().to_vec();
        let mut exchange = self.begin(request, body.is_empty()).await;
        if !body.is_empty() {
            // Whoever is refused early shows that in its answer.
            exchange.upload.send_data(body.into(), true).ok();
        }
        match exchange.answer().await {
            Ok(answer) => answer.whole().await,
            Err(_) => Reply::none(),
        }
    }

    /// Sends a request's head; `is_all` says that no body follows.
    pub async fn begin(&self, request: &Request, is_all: bool) -> Exchange {
        let head = self.head_of(request);
        let ready = within("room for a stream", self.requests.clone().ready()).await;
        let mut ready = ready.expect("a connection");
        let (answer, upload) = ready.send_request(head, is_all).expect("a request");
        Exchange { upload, answer }
    }

    /// Whether the connection takes another request.
    pub async fn is_open(&self) -> bool {
        self.requests.clone().ready().await.is_ok()
    }

    /// Waits for the connection's end.
    pub async fn ended(&mut self) -> Result<(), String> {
        let ended = self.ended.wait_for(Option::is_some);
        let ended = within("the connection's end", ended).await.expect("ours");
        ended.clone().expect("just seen")
    }

    fn head_of(&self, request: &Request) -> http::Request<()> {
        let (method, target, fields) = request.said();
        let uri = format!("{}://{}{target}", self.scheme, self.authority);
        let mut head = http::Request::builder().method(method).uri(uri);
        for (name, value) in fields {
            head = head.header(name, value);
        }
        if let Some(token) = &self.token
            && !fields.iter().any(|(name, _)| name == "authorization")
        {
            head = head.header("authorization", format!("Bearer {token}"));
        }
        head.body(()).expect("a head")
    }
}

async fn secured(trust: &Trust, stream: TcpStream) -> Box<dyn Stream> {
    let trust = trust.clone().offering(&[b"h2", b"http/1.1"]);
    let secured = within("a handshake", trust.secure(stream)).await;
    let secured = secured.expect("TLS");
    assert_eq!(secured.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    Box::new(secured)
}

// === impl Exchange ===

impl Exchange {
    /// The answer's head, or why there is none.
    pub async fn answer(self) -> Result<Answer, Option<Reason>> {
        let answered = within("an answer's head", self.answer).await;
        let (head, body) = answered.map_err(|error| error.reason())?.into_parts();
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into();
        let headers = head.headers.iter();
        Ok(Answer {
            status: head.status.as_u16(),
            head: Head {
                start: format!("HTTP/2 {}", head.status.as_u16()),
                headers: headers
                    .map(|(name, value)| (name.to_string(), text(value)))
                    .collect(),
            },
            body,
        })
    }
}

// === impl Answer ===

impl Answer {
    /// The next piece of the body, for which room is made; nothing at its end.
    pub async fn piece(&mut self) -> Option<Result<Bytes, Option<Reason>>> {
        let piece = match within("a piece of a body", self.body.data()).await? {
            Ok(piece) => piece,
            Err(error) => return Some(Err(error.reason())),
        };
        // A stream that is over needs no room.
        self.body.flow_control().release_capacity(piece.len()).ok();
        Some(Ok(piece))
    }

    /// Reads what is left.
    pub async fn whole(mut self) -> Reply {
        let mut body = Vec::new();
        let ended = loop {
            match self.piece().await {
                Some(Ok(piece)) => body.extend_from_slice(&piece),
                Some(Err(_)) => break Ended::Cut,
                None => break Ended::Whole,
            }
        };
        Reply {
            status: self.status,
            head: self.head,
            body,
            ended,
        }
    }
}
