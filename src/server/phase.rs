//! Where a connection is between two requests, and what it waits for: a value, without socket or clock.

/// What a client may take too long for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    /// Making the handshake.
    Handshake,
    /// Finishing a request's head.
    Head,
    /// Beginning another request.
    Idle,
    /// Sending more of a request's body.
    Body,
    /// Taking more of an answer.
    Stall,
    /// Hanging up after we did.
    Linger,
}

/// What becomes of what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Channel {
    /// It leaves as it is.
    Clear,
    /// It is held first, and leaves as something else.
    Tls,
}

/// A wait that is going on; equal waits are one and the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wait {
    /// What for.
    pub(super) bound: Bound,
    since: u32,
}

/// What is known of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    phase: Phase,
    /// Counts phases begun.
    turn: u32,
    /// Counts pieces received, in any phase.
    received: u32,
    /// Counts pieces sent.
    sent: u32,
    read_blocked: bool,
    write_blocked: bool,
    /// Bytes may be on their way that nobody will read.
    unread: bool,
    channel: Channel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Shaking,
    Head,
    Busy,
    Answering,
    Idle,
    Lingering,
}

// === impl State ===

impl State {
    /// A connection just accepted: its handshake is due from now, or its first head where there is none.
    pub(super) fn accepted(channel: Channel) -> Self {
        Self {
            phase: match channel {
                Channel::Clear => Phase::Head,
                Channel::Tls => Phase::Shaking,
            },
            turn: 0,
            received: 0,
            sent: 0,
            read_blocked: false,
            write_blocked: false,
            unread: false,
            channel,
        }
    }

    /// The handshake is over: the first head is due from now.
    pub(super) fn shaken(&mut self) {
        if self.phase == Phase::Shaking {
            self.enter(Phase::Head);
        }
    }

    /// A read brought `bytes`; none is the end of what the client sends.
    pub(super) fn read(&mut self, bytes: usize) {
        self.read_blocked = false;
        if bytes == 0 {
            self.unread = false;
            return;
        }
        self.received = self.received.wrapping_add(1);
        match self.phase {
            Phase::Idle => {
                self.enter(Phase::Head);
                self.unread = true;
            }
            Phase::Head => self.unread = true,
            Phase::Shaking | Phase::Busy | Phase::Answering | Phase::Lingering => {}
        }
    }

    /// A read found nothing.
    pub(super) fn read_blocked(&mut self) {
        self.read_blocked = true;
    }

    /// Some bytes were written: in clear text the client took them, from TLS it may yet have to.
    pub(super) fn wrote(&mut self) {
        if self.channel == Channel::Clear {
            self.sent();
        }
    }

    /// The client took some bytes, whatever they stand for.
    pub(super) fn sent(&mut self) {
        self.write_blocked = false;
        self.sent = self.sent.wrapping_add(1);
    }

    /// The client takes no more for now.
    pub(super) fn write_blocked(&mut self) {
        self.write_blocked = true;
    }

    /// A head is whole and its request is being answered.
    pub(super) fn begin(&mut self, has_body: bool) {
        self.enter(Phase::Busy);
        // A client's farewell in TLS is bytes, and may come at any time before its end.
        self.unread = has_body || self.channel == Channel::Tls;
    }

    /// The answer's head is ready.
    pub(super) fn answer(&mut self) {
        self.enter(Phase::Answering);
    }

    /// The answer's body has ended.
    pub(super) fn finish(&mut self) {
        self.enter(Phase::Idle);
    }

    /// We hung up; returns whether the client should be given time to do so too.
    ///
    /// Closing a socket with unread bytes resets it, and a reset may overtake the answer: an upload
    /// that was refused early would look like a broken line.
    pub(super) fn hang_up(&mut self) -> bool {
        if self.phase != Phase::Lingering {
            self.enter(Phase::Lingering);
        }
        self.unread
    }

    /// What the client is waited for, if it is.
    pub(super) fn wait(&self) -> Option<Wait> {
        let wait = |bound, since| Some(Wait { bound, since });
        match self.phase {
            Phase::Lingering => wait(Bound::Linger, self.turn),
            _ if self.write_blocked => wait(Bound::Stall, self.sent),
            Phase::Shaking => wait(Bound::Handshake, self.turn),
            Phase::Head => wait(Bound::Head, self.turn),
            Phase::Idle => wait(Bound::Idle, self.turn),
            // A read is pending only while the request's body is wanted: a slow answer is not the
            // client's silence.
            Phase::Busy if self.read_blocked => wait(Bound::Body, self.received),
            Phase::Busy | Phase::Answering => None,
        }
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.turn = self.turn.wrapping_add(1);
    }
}

// === impl Bound ===

impl Bound {
    /// The bound's name in logs.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Head => "head",
            Self::Idle => "idle",
            Self::Body => "body",
            Self::Stall => "stall",
            Self::Linger => "linger",
        }
    }
}

#[cfg(test)]
#[path = "phase_tests.rs"]
mod tests;
