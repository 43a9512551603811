//! The ways in which the origin fails, and how often each.

use crate::support::Dice;

/// What goes wrong with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// An answer to what was never read.
    Early(u16),
    /// The right answer, and an end somewhere in it; an upload is stored all the same.
    Broken(End),
    /// No answer. An upload is not stored.
    Nothing(End),
    Garbage,
    Status(u16),
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Close,
    Reset,
    /// After a while in which nothing comes.
    Silence,
}

impl Fault {
    /// One of them, or most often none.
    pub fn any(dice: &mut Dice, method: &str) -> Self {
        let end = match dice.below(5) {
            0 | 1 => End::Close,
            2 | 3 => End::Reset,
            _ => End::Silence,
        };
        match dice.below(100) {
            0..10 => Self::Broken(end),
            10..14 => Self::Nothing(end),
            14 => Self::Garbage,
            15..18 => Self::Status([500, 503, 429][usize::try_from(dice.below(3)).unwrap_or(0)]),
            18..20 if method == "PUT" => {
                Self::Early([500, 403, 429][usize::try_from(dice.below(3)).unwrap_or(0)])
            }
            _ => Self::None,
        }
    }
}
