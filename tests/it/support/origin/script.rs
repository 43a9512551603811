//! What the origin does with a request, written as a sentence:
//! `script().head(200).chunk(b"half").hold("gate").chunk(b"rest")`.
//!
//! A body is framed by its real length unless the script says otherwise.

/// What happens, in order. The request's body is read before the first step unless
/// [`early`](Script::early).
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// How much of the request's body is read before the first step, where not all of it.
    pub(super) early: Option<usize>,
    pub(super) steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    Hold(String),
    Answer(Answer),
    Raw(Vec<u8>),
    /// The same, outside a body's framing.
    Loose(Vec<u8>),
    AsUsual,
    Cut,
    Reset,
    /// Says that nothing was done about the request, as HTTP/2 can.
    Refuse,
    Stall,
}

/// A head and what follows it.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    pub(super) framing: Framing,
    pub(super) body: Vec<Step>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Framing {
    /// `Content-Length`: this one, else the body's.
    Length(Option<usize>),
    Chunked,
    /// Neither: the connection's end ends the body.
    Unframed,
}

/// The empty script.
pub fn script() -> Script {
    Script::default()
}

// === impl Script ===

impl Script {
    /// Answers before the request's body is read.
    pub fn early(self) -> Self {
        self.after(0)
    }

    /// Answers once this much of the request's body has been read.
    pub fn after(mut self, bytes: usize) -> Self {
        self.early = Some(bytes);
        self
    }

    /// Begins an answer; what follows belongs to it.
    pub fn head(self, status: u16) -> Self {
        self.step(Step::Answer(Answer::new(status)))
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.answer()
            .headers
            .push((name.to_owned(), value.to_owned()));
        self
    }

    /// Says this length, whatever the body's is.
    pub fn length(mut self, length: usize) -> Self {
        self.answer().framing = Framing::Length(Some(length));
        self
    }

    pub fn chunked(mut self) -> Self {
        self.answer().framing = Framing::Chunked;
        self
    }

    pub fn unframed(mut self) -> Self {
        self.answer().framing = Framing::Unframed;
        self
    }

    /// Sends a piece of the body.
    pub fn chunk(self, bytes: &[u8]) -> Self {
        self.step(Step::Raw(bytes.to_vec()))
    }

    /// Sends bytes as they are, whatever was promised about what is sent now.
    pub fn loose(self, bytes: &[u8]) -> Self {
        self.step(Step::Loose(bytes.to_vec()))
    }

    /// Waits until the test opens the gate.
    pub fn hold(self, gate: &str) -> Self {
        self.step(Step::Hold(gate.to_owned()))
    }

    /// Goes on as without a script.
    pub fn usual(self) -> Self {
        self.step(Step::AsUsual)
    }

    /// Closes the connection in an orderly way.
    pub fn cut(self) -> Self {
        self.step(Step::Cut)
    }

    /// Breaks the connection; in HTTP/2, the stream.
    pub fn reset(self) -> Self {
        self.step(Step::Reset)
    }

    /// Refuses the stream, in HTTP/2.
    pub fn refuse(self) -> Self {
        self.step(Step::Refuse)
    }

    /// Does nothing more, for ever.
    pub fn stall(self) -> Self {
        self.step(Step::Stall)
    }

    /// Bytes after a head are its body; before one they are sent as they are.
    fn step(mut self, step: Step) -> Self {
        match self.steps.last_mut() {
            Some(Step::Answer(answer)) => answer.body.push(step),
            _ => self.steps.push(step),
        }
        self
    }

    fn answer(&mut self) -> &mut Answer {
        match self.steps.last_mut() {
            Some(Step::Answer(answer)) => answer,
            _ => panic!("a head comes first"),
        }
    }
}

// === impl Answer ===

impl Answer {
    pub(super) fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            framing: Framing::Length(None),
            body: Vec::new(),
        }
    }

    pub(super) fn headers(mut self, headers: &[(String, String)]) -> Self {
        self.headers.extend_from_slice(headers);
        self
    }

    pub(super) fn length(mut self, length: usize) -> Self {
        self.framing = Framing::Length(Some(length));
        self
    }

    pub(super) fn text(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.headers
            .push(("content-type".to_owned(), content_type.to_owned()));
        self.body.push(Step::Raw(body.into()));
        self
    }

    /// Says that nothing follows on this connection.
    pub(super) fn closing(mut self) -> Self {
        self.headers
            .push(("connection".to_owned(), "close".to_owned()));
        self
    }

    pub(super) fn bytes(mut self, body: Vec<u8>) -> Self {
        self.body.push(Step::Raw(body));
        self
    }

    pub(super) fn head(&self) -> String {
        let mut lines = vec![format!("HTTP/1.1 {} Scripted", self.status)];
        let fields = self.fields();
        lines.extend(
            fields
                .iter()
                .map(|(name, value)| format!("{name}: {value}")),
        );
        match self.framing {
            Framing::Length(_) => {}
            Framing::Chunked => lines.push("transfer-encoding: chunked".to_owned()),
            Framing::Unframed => lines.push("connection: close".to_owned()),
        }
        lines.join("\r\n") + "\r\n\r\n"
    }

    pub(super) fn status(&self) -> u16 {
        self.status
    }

    /// Its fields, whatever frames its body.
    pub(super) fn fields(&self) -> Vec<(String, String)> {
        let mut fields = self.headers.clone();
        if let Framing::Length(said) = self.framing {
            let length = said.unwrap_or(self.sent()).to_string();
            fields.push(("content-length".to_owned(), length));
        }
        fields
    }

    /// Whether the length said is the length sent; after another one the connection is of no use.
    pub(super) fn tells_the_truth(&self) -> bool {
        !matches!(self.framing, Framing::Length(Some(said)) if said != self.sent())
    }

    fn sent(&self) -> usize {
        let length = |step: &Step| {
            if let Step::Raw(bytes) = step {
                bytes.len()
            } else {
                0
            }
        };
        self.body.iter().map(length).sum()
    }
}

// === impl Framing ===

impl Framing {
    pub(super) fn frame(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            // An empty chunk would be the last one.
            Self::Chunked if !bytes.is_empty() => {
                let mut framed = format!("{:x}\r\n", bytes.len()).into_bytes();
                framed.extend_from_slice(bytes);
                framed.extend_from_slice(b"\r\n");
                framed
            }
            Self::Chunked | Self::Length(_) | Self::Unframed => bytes.to_vec(),
        }
    }
}
