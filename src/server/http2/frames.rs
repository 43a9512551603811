//! What the frames of a connection are worth: many that bring little cost us more than whoever sends
//! them. Reads heads and skips the rest.
//!
//! Single kinds of flood have bounds in the library, each its own. This one holds for all of them, those
//! to come included: it asks of what comes that it brings something.

use std::time::Duration;

use tokio::time::Instant;

use crate::server::chooser::PREFACE;

/// Bytes of a frame before what it carries (RFC 9113 §4.1).
pub(super) const HEAD: usize = 9;

/// The kind of a frame that carries a piece of a body.
const DATA: u8 = 0;

/// A piece of a body that is worth its frame: what is kept of a frame until somebody reads it takes
/// about half as much.
const WORTHY: usize = 256;

/// Frames that bring little and may come at any time. Two are usual for each piece of 16 KiB that a
/// client takes, and a hundred at the beginning.
const BURST: u32 = 2048;

/// And so many more each second, whatever else happens.
const PER_SECOND: u32 = 256;

/// An answer stands for what its client had to send to get it.
const FOR_AN_ANSWER: u32 = 8;

/// Bytes sent that stand for a frame of the client: it says that it has taken them.
const SENT: usize = 1024;

/// Bytes of bodies received that stand for another frame.
const RECEIVED: usize = 1024;

/// Counts the frames of one connection.
#[derive(Debug)]
pub struct Meter {
    /// Frames that may come before something is done for them.
    credit: u32,
    answered: u32,
    sent: usize,
    received: usize,
    /// Since when the last second's credit was not given yet.
    since: Instant,
    at: Place,
}

/// Where in the stream of frames a connection is.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// In what comes before the first frame, or in what a frame carries: so many bytes are left of it.
    Within(usize),
    /// In a frame's head, of which so many bytes have come.
    Head([u8; HEAD], usize),
}

/// More frames came than what they brought is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a client sends many frames that bring little")]
pub struct Flood;

/// Bytes that a frame carries, from the beginning of its head.
pub(super) fn length([high, middle, low]: [u8; 3]) -> usize {
    usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low)
}

impl Meter {
    /// At a connection's beginning, or behind its preface.
    pub fn new(with_preface: bool) -> Self {
        Self {
            credit: BURST,
            answered: 0,
            sent: 0,
            received: 0,
            since: Instant::now(),
            at: if with_preface {
                Place::Within(PREFACE.len())
            } else {
                Place::Head([0; HEAD], 0)
            },
        }
    }

    /// So many requests have been answered since the connection began.
    pub fn answered(&mut self, answered: u32) {
        let more = answered.wrapping_sub(self.answered);
        self.answered = answered;
        self.earn(more.saturating_mul(FOR_AN_ANSWER));
    }

    /// So many bytes were sent.
    pub fn sent(&mut self, bytes: usize) {
        self.sent += bytes;
        let earned = self.sent / SENT;
        self.sent %= SENT;
        self.earn(u32::try_from(earned).unwrap_or(u32::MAX));
    }

    /// These bytes came.
    ///
    /// # Errors
    ///
    /// They are one frame too many.
    pub fn read(&mut self, mut bytes: &[u8]) -> Result<(), Flood> {
        while let Some(first) = bytes.first() {
            match &mut self.at {
                Place::Within(left) => {
                    let now = bytes.len().min(*left);
                    *left -= now;
                    bytes = bytes.get(now..).unwrap_or_default();
                    if *left == 0 {
                        self.at = Place::Head([0; HEAD], 0);
                    }
                }
                Place::Head(head, came) => {
                    if let Some(place) = head.get_mut(*came) {
                        *place = *first;
                    }
                    *came += 1;
                    bytes = bytes.get(1..).unwrap_or_default();
                    if *came == HEAD {
                        let head = *head;
                        self.begin(head)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self, [high, middle, low, kind, ..]: [u8; HEAD]) -> Result<(), Flood> {
        let length = length([high, middle, low]);
        self.at = match length {
            0 => Place::Head([0; HEAD], 0),
            length => Place::Within(length),
        };
        if kind == DATA && length >= WORTHY {
            self.received += length;
            let earned = self.received / RECEIVED;
            self.received %= RECEIVED;
            self.earn(u32::try_from(earned).unwrap_or(u32::MAX));
            return Ok(());
        }
        if self.credit == 0 {
            self.wait();
        }
        self.credit = self.credit.checked_sub(1).ok_or(Flood)?;
        Ok(())
    }

    /// Gives what the time since the last look stands for. Asked only of whoever has used up the rest.
    fn wait(&mut self) {
        let now = Instant::now();
        let passed = now.saturating_duration_since(self.since);
        self.since = now;
        let earned = passed.min(Duration::from_mins(1)).as_millis() * u128::from(PER_SECOND) / 1000;
        self.earn(u32::try_from(earned).unwrap_or(u32::MAX));
    }

    fn earn(&mut self, more: u32) {
        self.credit = self.credit.saturating_add(more).min(BURST);
    }
}
