//! The vocabulary everybody shares: names, labels, outcomes. No I/O.

mod answer;
mod hash;
mod key;
mod label;
mod outcome;
mod signature;
mod uploader;
mod version;

#[cfg(test)]
mod key_tests;

pub use answer::Answer;
pub use hash::{ArtifactHash, InvalidHash, MAX_HASH};
pub use key::{
    ArtifactKey, KeyDigest, OriginId, Scope, ScopeDigest, form_decoded, named_teams, parameters,
};
pub use label::{
    Fields, LAST_SECOND, Label, Landed, MAX_FIELD_BYTES, MAX_FIELDS, Meta, TooManyFields,
};
pub use outcome::{Bypass, Failure, Ground, Outcome, RouteName, Tier};
pub use signature::{SignatureCheck, SignatureFault, SignatureKey, SignatureVerdict};
pub use uploader::{MAX_UPLOADER_TEXT, ShortDigest, Uploader};
pub use version::{version_number, via_member};
