//! Acceptances as bytes, so that a restart in an outage makes nobody a stranger. Pure.
//!
//! Only keyed digests are written. What was read back is as good as lapsed: it serves while the
//! upstream cannot be asked, and is asked about as soon as it can.

use super::evidence::Right;
use super::verdicts::Subject;
use crate::artifact::{OriginId, ScopeDigest};
use crate::caller::CallerDigest;

/// Acceptances written at most, newest first: 4.6 MiB.
pub(super) const MAX_RECORDS: usize = 64 * 1024;

const MAGIC: &[u8] = b"larder verdicts 1\n";
const RECORD: usize = 32 + 32 + 1 + 8;

/// One acceptance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) subject: Subject,
    /// When it was given, in seconds since 1970.
    pub(super) given: u64,
}

/// Writes what `origin` said, each record of a fixed size.
pub(super) fn encode(origin: &OriginId, records: &[Record]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&origin.digest());
    for Record { subject, given } in records {
        bytes.extend_from_slice(subject.caller.as_bytes());
        bytes.extend_from_slice(subject.scope.as_bytes());
        bytes.push(match subject.right {
            Right::Read => b'r',
            Right::Write => b'w',
        });
        bytes.extend_from_slice(&given.to_le_bytes());
    }
    bytes
}

/// Reads what `origin` said; nothing from bytes that are not ours, or about another origin.
pub(super) fn decode(origin: &OriginId, bytes: &[u8]) -> Vec<Record> {
    let said = bytes
        .strip_prefix(MAGIC)
        .and_then(|rest| rest.strip_prefix(&origin.digest()))
        .map(<[u8]>::as_chunks::<RECORD>);
    let Some((records, [])) = said else {
        return Vec::new();
    };
    let records = records.iter().take(MAX_RECORDS);
    records.filter_map(|record| decode_one(record)).collect()
}

fn decode_one(record: &[u8]) -> Option<Record> {
    let (caller, rest) = record.split_first_chunk::<32>()?;
    let (scope, rest) = rest.split_first_chunk::<32>()?;
    let (right, given) = rest.split_first()?;
    let right = match right {
        b'r' => Right::Read,
        b'w' => Right::Write,
        _ => return None,
    };
    let subject = Subject {
        caller: CallerDigest::from_bytes(*caller),
        scope: ScopeDigest::from_bytes(*scope),
        right,
    };
    Some(Record {
        subject,
        given: u64::from_le_bytes(given.try_into().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_written_is_read_back(given in prop::collection::vec((any::<[u8; 32]>(), any::<[u8; 32]>(), any::<bool>(), any::<u64>()), 0..20)) {
            let records: Vec<Record> = given
                .into_iter()
                .map(|(caller, scope, write, given)| Record {
                    subject: Subject {
                        caller: CallerDigest::from_bytes(caller),
                        scope: ScopeDigest::from_bytes(scope),
                        right: if write { Right::Write } else { Right::Read },
                    },
                    given,
                })
                .collect();
            let origin = OriginId::new("https://one");
            let bytes = encode(&origin, &records);
            prop_assert_eq!(decode(&origin, &bytes), records);
            prop_assert!(decode(&OriginId::new("https://other"), &bytes).is_empty());
            for cut in 1..bytes.len() {
                let torn = decode(&origin, &bytes[..bytes.len() - cut]);
                prop_assert!(torn.is_empty() || cut % RECORD == 0);
            }
        }

        #[test]
        fn foreign_bytes_are_no_records(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(decode(&OriginId::new("none"), &bytes).is_empty());
        }
    }
}
