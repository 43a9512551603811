//! What can be wrong with a file, and what it means for the request: never more than a miss.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::{info, warn};

use crate::artifact::Bypass;

/// Why an entry cannot be read.
#[derive(Debug)]
pub(in crate::tiers) enum Fault {
    /// There is no such file, or it is none of ours.
    Missing,
    /// It is not what was written.
    Corrupt(&'static str),
    /// The disk does not say.
    Failing(io::Error),
}

/// Tells the log about failing file calls once, not once a request.
#[derive(Debug, Default)]
pub(super) struct Faults {
    failing: AtomicBool,
}

// === impl Fault ===

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            io::ErrorKind::UnexpectedEof => Self::Corrupt("it ends early"),
            _ if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
                Self::Missing
            }
            _ => Self::Failing(error),
        }
    }
}

/// Whether a failed call says nothing about the file: the process or the system is short of
/// something, or the disk was not asked at all.
pub(super) fn passes(error: &io::Error) -> bool {
    use rustix::io::Errno;
    const SHORTAGES: [Errno; 5] = [
        Errno::MFILE,
        Errno::NFILE,
        Errno::NOMEM,
        Errno::AGAIN,
        Errno::INTR,
    ];
    Errno::from_io_error(error).is_none_or(|errno| SHORTAGES.contains(&errno))
}

// === impl Faults ===

impl Faults {
    /// Notes a failed file call and says what it means for an artifact that was to be stored.
    pub(super) fn note(&self, call: &str, error: &io::Error) -> Bypass {
        if !self.failing.swap(true, Ordering::Relaxed) {
            warn!(call, %error, "the disk tier fails; requests are answered without it");
        }
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Bypass::NoRoom,
            _ => Bypass::DiskFault,
        }
    }

    /// Notes that an artifact was stored.
    pub(super) fn clear(&self) {
        if self.failing.load(Ordering::Relaxed) && self.failing.swap(false, Ordering::Relaxed) {
            info!("the disk tier works again");
        }
    }
}
