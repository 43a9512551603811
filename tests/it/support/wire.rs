//! HTTP/1.1 as bytes, for both ends of the tests: heads, framed bodies, and how a body ended.
//!
//! Deliberately no HTTP library: what is tested is what is on the wire.

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// How a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// As its framing promised.
    Whole,
    /// Before that.
    Cut,
}

/// A start line and its header fields, names in lower case.
#[derive(Clone, Debug, Default)]
pub struct Head {
    pub start: String,
    pub headers: Vec<(String, String)>,
}

/// A body that is being read.
#[derive(Clone, Copy, Debug)]
pub struct Incoming(Left);

#[derive(Clone, Copy, Debug)]
enum Left {
    Length(u64),
    ChunkSize,
    Chunk(u64),
    UntilClose,
    Nothing(Ended),
}

// === impl Head ===

impl Head {
    /// Reads a head; nothing where the connection ends first or sends something else.
    pub async fn read(from: &mut (impl AsyncBufRead + Unpin)) -> Option<Self> {
        let start = line(from).await?;
        let mut headers = Vec::new();
        loop {
            let line = line(from).await?;
            if line.is_empty() {
                return Some(Self { start, headers });
            }
            let (name, value) = line.split_once(':')?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// The first field of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    /// Every field of that name.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers
            .iter()
            .filter(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
            .collect()
    }

    /// A word of the start line.
    pub fn word(&self, position: usize) -> &str {
        self.start.split(' ').nth(position).unwrap_or_default()
    }
}

// === impl Incoming ===

impl Incoming {
    /// A body that is over before it began.
    pub fn nothing(ended: Ended) -> Self {
        Self(Left::Nothing(ended))
    }

    /// The body of a request.
    pub fn of_request(head: &Head) -> Self {
        framed(head).unwrap_or(Self::nothing(Ended::Whole))
    }

    /// The body of the answer to a request with this method.
    pub fn of_answer(head: &Head, method: &str) -> Self {
        let bodiless = method == "HEAD" || matches!(head.word(1), "204" | "304");
        if bodiless || head.word(1).starts_with('1') {
            return Self::nothing(Ended::Whole);
        }
        framed(head).unwrap_or(Self(Left::UntilClose))
    }

    /// Whether only the connection's end ends it.
    pub fn is_unframed(&self) -> bool {
        matches!(self.0, Left::UntilClose)
    }

    /// The next bytes, or how the body ended.
    pub async fn piece(
        &mut self,
        from: &mut (impl AsyncBufRead + Unpin),
    ) -> Result<Vec<u8>, Ended> {
        loop {
            self.0 = match self.0 {
                Left::Nothing(ended) => return Err(ended),
                Left::Length(0) => Left::Nothing(Ended::Whole),
                Left::ChunkSize => chunk_size(from).await,
                Left::Chunk(0) => match line(from).await.as_deref() {
                    Some("") => Left::ChunkSize,
                    _ => Left::Nothing(Ended::Cut),
                },
                Left::Length(_) | Left::Chunk(_) | Left::UntilClose => {
                    let piece = some(from, self.0.at_most()).await;
                    self.0 = self.0.after(piece.as_deref());
                    match piece {
                        Some(piece) if !piece.is_empty() => return Ok(piece),
                        _ => continue,
                    }
                }
            };
        }
    }

    /// Everything that is left, and how it ended.
    pub async fn rest(&mut self, from: &mut (impl AsyncBufRead + Unpin)) -> (Vec<u8>, Ended) {
        let mut body = Vec::new();
        loop {
            match self.piece(from).await {
                Ok(piece) => body.extend_from_slice(&piece),
                Err(ended) => return (body, ended),
            }
        }
    }
}

// === impl Left ===

impl Left {
    fn at_most(self) -> u64 {
        match self {
            Self::Length(left) | Self::Chunk(left) => left,
            _ => u64::MAX,
        }
    }

    /// What is left after a read: `None` is an error of the connection, no bytes its end.
    fn after(self, piece: Option<&[u8]>) -> Self {
        match (self, piece) {
            (Self::UntilClose, Some([])) => Self::Nothing(Ended::Whole),
            (_, None | Some([])) => Self::Nothing(Ended::Cut),
            (Self::Length(left), Some(piece)) => Self::Length(left - piece.len() as u64),
            (Self::Chunk(left), Some(piece)) => Self::Chunk(left - piece.len() as u64),
            (left, Some(_)) => left,
        }
    }
}

fn framed(head: &Head) -> Option<Incoming> {
    if head.get("transfer-encoding").is_some() {
        return Some(Incoming(Left::ChunkSize));
    }
    let length = head
        .get("content-length")?
        .parse()
        .expect("a number as content-length");
    Some(Incoming(Left::Length(length)))
}

async fn chunk_size(from: &mut (impl AsyncBufRead + Unpin)) -> Left {
    let size = line(from)
        .await
        .and_then(|line| u64::from_str_radix(&line, 16).ok());
    match size {
        None => Left::Nothing(Ended::Cut),
        Some(0) => match line(from).await.as_deref() {
            Some("") => Left::Nothing(Ended::Whole),
            _ => Left::Nothing(Ended::Cut),
        },
        Some(size) => Left::Chunk(size),
    }
}

/// One line without its end; nothing where the connection ends within it.
async fn line(from: &mut (impl AsyncBufRead + Unpin)) -> Option<String> {
    let mut line = Vec::new();
    from.read_until(b'\n', &mut line).await.ok()?;
    let line = line.strip_suffix(b"\r\n")?;
    Some(String::from_utf8_lossy(line).into_owned())
}

async fn some(from: &mut (impl AsyncBufRead + Unpin), at_most: u64) -> Option<Vec<u8>> {
    let buffered = from.fill_buf().await.ok()?;
    let taken = buffered
        .len()
        .min(usize::try_from(at_most).unwrap_or(usize::MAX));
    let piece = buffered[..taken].to_vec();
    from.consume(taken);
    Some(piece)
}
