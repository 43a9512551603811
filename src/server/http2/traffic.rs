//! What the frames of a connection tell of it, those that come and those that go: joins what reads them.

use super::{Flood, Meter, Refused};
use crate::metrics::Limit;
use crate::server::clock::Cuts;

/// The frames of one connection.
#[derive(Debug)]
pub(in crate::server) struct Traffic {
    meter: Meter,
    refused: Refused,
    /// Who is told of what was refused.
    cuts: Cuts,
}

impl Traffic {
    /// At a connection's beginning, or behind its preface.
    pub(in crate::server) fn new(with_preface: bool, cuts: Cuts) -> Self {
        Self {
            meter: Meter::new(with_preface),
            refused: Refused::new(),
            cuts,
        }
    }

    /// These bytes came, after so many requests had been answered.
    ///
    /// # Errors
    ///
    /// They are one frame too many.
    pub(in crate::server) fn came(&mut self, bytes: &[u8], answered: u32) -> Result<(), Flood> {
        self.meter.answered(answered);
        self.meter.read(bytes)
    }

    /// So many bytes of `pieces` went.
    pub(in crate::server) fn went<'a>(
        &mut self,
        bytes: usize,
        pieces: impl Iterator<Item = &'a [u8]>,
    ) {
        self.meter.sent(bytes);
        let mut left = bytes;
        for piece in pieces {
            let sent = piece.get(..left).unwrap_or(piece);
            for _ in 0..self.refused.read(sent) {
                self.cuts.note(Limit::HeadSize);
            }
            left -= sent.len();
        }
    }
}
