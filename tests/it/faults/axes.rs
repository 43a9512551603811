//! The table's axes: over which protocol, where, what, and whom it meets. Data.

/// What the origin speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Http1,
    Http1Tls,
    Http2Tls,
}

/// Where an exchange with the origin goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Before the origin has read anything.
    Connect,
    /// Behind the first message of the TLS handshake.
    Handshake,
    /// In place of the answer's head; of an upload, once its whole body has been read.
    Head,
    /// Behind so many quarters of the body: of the answer's to a read, of the upload's own.
    Body(usize),
    /// In place of the answer's end: behind every byte of an artifact, within the answer to an upload.
    End,
}

/// What happens there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Refuse,
    Stall,
    Reset,
    Garbage,
    /// The answer's length is more than what follows.
    TooLong,
    /// The answer's length is less than what follows.
    TooShort,
    /// The connection closes in an orderly way.
    Close,
    /// The same, with the word that nothing was done about any question.
    GoAway,
}

/// Whom it meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    Get,
    /// A `GET` with twenty followers.
    Crowd,
    Head,
    Put,
    /// An upload of which nobody said how long it is.
    PutChunked,
    /// The question about who asks for what is here, and was accepted some time ago.
    Lapsed,
    /// The same question about somebody unknown.
    Stranger,
}

// === impl Protocol ===

impl Protocol {
    pub const ALL: [Self; 3] = [Self::Http1, Self::Http1Tls, Self::Http2Tls];
}

// === impl Place ===

impl Place {
    pub const ALL: [Self; 8] = [
        Self::Connect,
        Self::Handshake,
        Self::Head,
        Self::Body(0),
        Self::Body(1),
        Self::Body(2),
        Self::Body(3),
        Self::End,
    ];

    /// Whether there is no connection yet.
    pub fn is_before_requests(self) -> bool {
        matches!(self, Self::Connect | Self::Handshake)
    }
}

// === impl Fault ===

impl Fault {
    pub const ALL: [Self; 8] = [
        Self::Refuse,
        Self::Stall,
        Self::Reset,
        Self::Garbage,
        Self::TooLong,
        Self::TooShort,
        Self::Close,
        Self::GoAway,
    ];

    /// Whether HTTP/2 says by it that the origin has done nothing about a question.
    pub fn is_disavowal(self) -> bool {
        matches!(self, Self::Refuse | Self::GoAway)
    }

    pub fn is_lie(self) -> bool {
        matches!(self, Self::TooLong | Self::TooShort)
    }
}

// === impl Asker ===

impl Asker {
    pub const ALL: [Self; 7] = [
        Self::Get,
        Self::Crowd,
        Self::Head,
        Self::Put,
        Self::PutChunked,
        Self::Lapsed,
        Self::Stranger,
    ];

    pub fn is_upload(self) -> bool {
        matches!(self, Self::Put | Self::PutChunked)
    }

    /// Whether the origin is asked by a `GET`, and so answers with the artifact.
    pub fn fetches(self) -> bool {
        matches!(self, Self::Get | Self::Crowd)
    }

    /// The question as the origin hears it.
    pub fn upstream_method(self) -> &'static str {
        match self {
            Self::Get | Self::Crowd => "GET",
            Self::Head | Self::Lapsed | Self::Stranger => "HEAD",
            Self::Put | Self::PutChunked => "PUT",
        }
    }

    /// The question as Larder hears it.
    pub fn method(self) -> &'static str {
        match self {
            Self::Lapsed | Self::Stranger => "GET",
            asker => asker.upstream_method(),
        }
    }

    /// How many ask at once.
    pub fn heads(self) -> usize {
        if self == Self::Crowd { 21 } else { 1 }
    }
}
