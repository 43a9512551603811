//! What was done and what was seen, and whether anybody saw what was over.

use parking_lot::Mutex;

/// What the threads of one schedule did, as it ended.
#[derive(Default)]
pub(super) struct History {
    events: Mutex<Vec<Event>>,
}

/// What was done to a key or seen of it, and between which moments.
struct Event {
    hash: &'static str,
    did: Did,
    began: usize,
    ended: usize,
}

#[derive(Debug)]
pub(super) enum Did {
    Wrote(&'static str),
    /// Landed what it fetched; as old as the moment in which it was noted.
    Filled(&'static str),
    Forgot,
    Saw(String),
}

// === impl History ===

impl History {
    pub(super) fn note(&self, hash: &'static str, did: Did, began: usize, ended: usize) {
        let event = Event {
            hash,
            did,
            began,
            ended,
        };
        self.events.lock().push(event);
    }

    /// Nobody saw what had been replaced or forgotten before they looked, nor time run backwards.
    pub(super) fn check(&self) {
        let events = self.events.lock();
        let mut seen = Vec::new();
        for look in events.iter() {
            let Did::Saw(text) = &look.did else { continue };
            let source = events.iter().find(|event| event.brought(look.hash, text));
            let source = source.expect("seen and never written");
            assert!(source.began <= look.ended, "{text} was seen before it was");
            let is_over = |event: &Event| source.ended < event.began && event.ended < look.began;
            let over = events.iter().find(|it| it.ends(look.hash) && is_over(it));
            assert!(over.is_none(), "{text} was over");
            seen.push((look, source));
        }
        for (first, newer) in &seen {
            for (then, older) in &seen {
                let is_back = first.hash == then.hash
                    && first.ended < then.began
                    && older.ended < newer.began;
                assert!(!is_back, "{:?} after {:?}", then.did, first.did);
            }
        }
    }
}

// === impl Event ===

impl Event {
    fn brought(&self, hash: &str, text: &str) -> bool {
        let brought = match self.did {
            Did::Wrote(it) | Did::Filled(it) => it == text,
            Did::Forgot | Did::Saw(_) => false,
        };
        brought && self.hash == hash
    }

    /// Whether it makes what the key had before wrong.
    fn ends(&self, hash: &str) -> bool {
        matches!(self.did, Did::Wrote(_) | Did::Forgot) && self.hash == hash
    }
}
