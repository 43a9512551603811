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
    /// Sending or taking as many bytes as are the least in a minute.
    Rate,
    /// Leaving, having been asked to: others wait for room.
    Crowd,
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

/// How requests share a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sharing {
    /// One after the other, as in HTTP/1.
    InTurn,
    /// Any number at once, as in HTTP/2: each of them is watched for itself besides.
    AtOnce {
        /// Requests under way.
        open: u32,
    },
}

/// A wait that is going on; equal waits are one and the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wait {
    /// What for.
    pub(super) bound: Bound,
    /// Goes on with each piece, where pieces are waited for.
    since: u32,
    /// Goes on when enough has come or gone for a minute, where that is asked.
    pub(super) lap: Option<u32>,
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
    sharing: Sharing,
    /// Requests answered.
    answered: u32,
    rate: Rate,
    leaving: Leaving,
}

/// Whether the client is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    Not,
    /// It is waited for no longer.
    Asked,
    /// It has been told, and may take a moment.
    Told,
}

/// How much comes and goes.
#[derive(Clone, Copy, Debug)]
struct Rate {
    /// Bytes of a lap; none where no rate is asked.
    enough: u64,
    received: Lap,
    sent: Lap,
}

/// The way to the next time that enough has passed.
#[derive(Clone, Copy, Debug, Default)]
struct Lap {
    number: u32,
    bytes: u64,
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
    ///
    /// Of a body and of an answer as many bytes as are `enough` are to pass in each minute in which nothing
    /// but the client is waited for; with 0, any number is.
    pub(super) fn accepted(channel: Channel, enough: u64) -> Self {
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
            sharing: Sharing::InTurn,
            answered: 0,
            rate: Rate {
                enough,
                received: Lap::default(),
                sent: Lap::default(),
            },
            leaving: Leaving::Not,
        }
    }

    /// HTTP/2 is spoken from now on: between requests there may be much to read that begins none.
    pub(super) fn share(&mut self) {
        self.sharing = Sharing::AtOnce { open: 0 };
        self.enter(Phase::Idle);
        self.unread = true;
    }

    /// Requests answered so far.
    pub(super) fn answered(&self) -> u32 {
        self.answered
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
        self.rate.received.go(bytes, self.rate.enough);
        match (self.phase, self.sharing) {
            (Phase::Idle, Sharing::InTurn) => {
                self.enter(Phase::Head);
                self.unread = true;
            }
            (Phase::Head, _) => self.unread = true,
            (
                Phase::Shaking | Phase::Idle | Phase::Busy | Phase::Answering | Phase::Lingering,
                _,
            ) => {}
        }
    }

    /// Whether what is read belongs to a head that is due.
    pub(super) fn is_reading_a_head(&self) -> bool {
        self.phase == Phase::Head
    }

    /// A read found nothing; returns whether that is new.
    pub(super) fn read_blocked(&mut self) -> bool {
        !std::mem::replace(&mut self.read_blocked, true)
    }

    /// So many bytes were written: in clear text the client took them, from TLS it may yet have to.
    pub(super) fn wrote(&mut self, bytes: usize) {
        if self.channel == Channel::Clear {
            self.sent(bytes);
        }
    }

    /// The client took so many bytes, whatever they stand for.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.write_blocked = false;
        self.sent = self.sent.wrapping_add(1);
        self.rate.sent.go(bytes, self.rate.enough);
    }

    /// The client takes no more for now.
    pub(super) fn write_blocked(&mut self) {
        self.write_blocked = true;
    }

    /// A head is whole and its request is being answered.
    pub(super) fn begin(&mut self, has_body: bool) {
        self.leaving = Leaving::Not;
        if let Sharing::AtOnce { open } = &mut self.sharing {
            *open += 1;
            if *open == 1 && self.phase == Phase::Idle {
                self.enter(Phase::Busy);
            }
            return;
        }
        self.enter(Phase::Busy);
        // Reading may have gone on behind a head that was whole, for a body where there is one.
        self.read_blocked &= has_body;
        // A client's farewell in TLS is bytes, and may come at any time before its end.
        self.unread = has_body || self.channel == Channel::Tls;
    }

    /// The answer's head is ready.
    pub(super) fn answer(&mut self) {
        self.answered = self.answered.wrapping_add(1);
        if self.sharing == Sharing::InTurn {
            self.enter(Phase::Answering);
        }
    }

    /// The answer's body has ended; returns whether others may have been under way, and none is any more.
    pub(super) fn finish(&mut self) -> bool {
        match &mut self.sharing {
            Sharing::InTurn => {
                self.enter(Phase::Idle);
                false
            }
            Sharing::AtOnce { open } => {
                *open = open.saturating_sub(1);
                let is_last = *open == 0 && self.phase == Phase::Busy;
                if is_last {
                    self.enter(Phase::Idle);
                }
                is_last
            }
        }
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

    /// Asks the client to go, if it is only waited for; returns whether it is.
    pub(super) fn dismiss(&mut self) -> bool {
        let is_silent = self.is_silent();
        if is_silent {
            self.leaving = Leaving::Asked;
        }
        is_silent
    }

    /// Whether the client has been asked to go, and nobody has told it yet.
    pub(super) fn is_asked_to_go(&self) -> bool {
        self.leaving == Leaving::Asked
    }

    /// Whether there is nothing to answer, and some of the last answer was waiting to be taken.
    pub(super) fn is_being_emptied(&self) -> bool {
        self.phase == Phase::Idle && self.write_blocked
    }

    /// The client has been told to go: from now on it is as idle as any other, for a while.
    pub(super) fn part(&mut self) {
        self.leaving = Leaving::Told;
    }

    /// Whether requests may share it, and there is none.
    pub(super) fn is_sharing_silently(&self) -> bool {
        self.phase == Phase::Idle && self.sharing != Sharing::InTurn
    }

    /// Whether there is no request to answer, no answer left to take, and nobody who has asked it to go.
    pub(super) fn is_silent(&self) -> bool {
        let is_waited_for = matches!(self.phase, Phase::Shaking | Phase::Head | Phase::Idle);
        is_waited_for && !self.write_blocked && self.leaving == Leaving::Not
    }

    /// What the client is waited for, if it is.
    pub(super) fn wait(&self) -> Option<Wait> {
        let wait = |bound, since| {
            Some(Wait {
                bound,
                since,
                lap: self.rate.lap(bound),
            })
        };
        match self.phase {
            Phase::Lingering => wait(Bound::Linger, self.turn),
            _ if self.leaving == Leaving::Asked => wait(Bound::Crowd, self.turn),
            // Whoever has been told to go, and takes not even that, is idle like any other.
            _ if self.write_blocked && self.leaving == Leaving::Not => {
                wait(Bound::Stall, self.sent)
            }
            Phase::Shaking => wait(Bound::Handshake, self.turn),
            Phase::Head => wait(Bound::Head, self.turn),
            Phase::Idle => wait(Bound::Idle, self.turn),
            // A read is pending only while the request's body is wanted: a slow answer is not the
            // client's silence.
            Phase::Busy if self.read_blocked && self.sharing == Sharing::InTurn => {
                wait(Bound::Body, self.received)
            }
            Phase::Busy | Phase::Answering => None,
        }
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.turn = self.turn.wrapping_add(1);
    }
}

// === impl Wait ===

impl Wait {
    /// Whether `later` is for the same and on the same lap.
    pub(super) fn is_in_lap_of(&self, later: Self) -> bool {
        self.bound == later.bound && self.lap == later.lap
    }
}

// === impl Rate ===

impl Rate {
    fn lap(&self, bound: Bound) -> Option<u32> {
        let lap = match bound {
            Bound::Body => self.received,
            Bound::Stall => self.sent,
            _ => return None,
        };
        (self.enough > 0).then_some(lap.number)
    }
}

// === impl Lap ===

impl Lap {
    fn go(&mut self, bytes: usize, enough: u64) {
        self.bytes += bytes as u64;
        if self.bytes >= enough {
            *self = Self {
                number: self.number.wrapping_add(1),
                bytes: 0,
            };
        }
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
            Self::Rate => "rate",
            Self::Crowd => "crowd",
            Self::Linger => "linger",
        }
    }
}

#[cfg(test)]
#[path = "phase_tests.rs"]
mod tests;
