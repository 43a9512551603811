//! Bytes on their way, once, for everybody who waits.
//!
//! A spool has one writer and many readers, and belongs to nobody: a miss is the upstream written
//! into a spool that clients read, an upload a client written into a spool that the upstream reads.
//! Both end the same way: a whole spool lands in the tiers, or it is dropped and never was. Nothing
//! here knows HTTP, nor how to reach the upstream.

mod fill;
mod flights;
mod inspection;
mod inspector;
mod progress;
mod queue;
mod reader;
mod seats;
mod shared;
mod spool;
#[cfg(test)]
mod tests;
mod uploads;

pub use fill::{Filled, Filling, LookAgain, Source, SourceHead, fill};
pub use flights::{Fate, Flights, Follower, Head, Joined, Lead, Opening};
pub use inspection::{Doubt, Inspection};
pub use inspector::Inspector;
pub use progress::{Broken, Ending};
pub use queue::{Queue, Queued};
pub use reader::Reader;
pub use spool::{Growth, NoSeat, Plan, Spool, SpoolWriter, Storing, Unwanted, Whole};
pub use uploads::{Order, Received, Settling, Turn, Uploads, receive};
