//! What is known of an artifact, told to people. Pure.

use std::collections::BTreeSet;
use std::iter;

use bytesize::ByteSize;
use serde::Deserialize;
use serde_json::Value;

/// Requests that are told of: the rest is older, and in the JSON.
const TOLD: usize = 10;

/// What the admin listener told of one artifact.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) hash: String,
    pub(super) team: Option<String>,
    /// None where it does not tell of them.
    pub(super) entries: Option<Vec<Value>>,
    /// Why not every entry was looked at, where that is so.
    pub(super) unseen: Option<String>,
    pub(super) holds: Vec<Value>,
    pub(super) requests: Vec<Value>,
}

/// Where it rests.
#[derive(Deserialize)]
struct Entry {
    team: Option<String>,
    bytes: u64,
    landed: String,
    tiers: Vec<String>,
    sha: Option<String>,
    uploader: Option<Uploader>,
}

/// Who brought it.
#[derive(Deserialize)]
struct Uploader {
    name: Option<String>,
    digest: Option<String>,
    address: Option<String>,
    user_agent: Option<String>,
}

/// Why it is absent.
#[derive(Deserialize)]
struct Hold {
    team: Option<String>,
    since: String,
    healed: u64,
}

/// What happened to a request of it.
#[derive(Deserialize)]
struct Request {
    time: String,
    route: String,
    team: Option<String>,
    status: u16,
    outcome: String,
    peer: Option<String>,
    explanation: String,
}

// === impl Known ===

impl Known {
    /// Whether it was never heard of.
    pub(super) fn is_nothing(&self) -> bool {
        let entries = self.entries.as_ref();
        entries.is_none_or(Vec::is_empty) && self.holds.is_empty() && self.requests.is_empty()
    }
}

/// All that is known, in lines.
///
/// # Errors
///
/// When the admin listener tells it in another form: it is of another version.
pub(super) fn story(known: &Known) -> serde_json::Result<String> {
    let holds = read::<Hold>(&known.holds)?;
    let requests = read::<Request>(&known.requests)?;
    let mut lines = vec![known.hash.clone()];
    if let Some(entries) = &known.entries {
        let entries = read::<Entry>(entries)?;
        lines.extend(of_entries(&entries, known.unseen.as_deref()));
        lines.extend(elsewhere(known, &entries, &requests));
    }
    lines.extend(holds.iter().map(Hold::line));
    lines.extend(of_requests(&requests));
    let plain: Vec<_> = lines.iter().map(|line| plain(line)).collect();
    Ok(plain.join("\n") + "\n")
}

fn read<T: for<'a> Deserialize<'a>>(list: &[Value]) -> serde_json::Result<Vec<T>> {
    list.iter().map(T::deserialize).collect()
}

fn of_entries(entries: &[Entry], unseen: Option<&str>) -> Vec<String> {
    let mut lines: Vec<_> = entries.iter().map(Entry::line).collect();
    match unseen {
        Some(why) if entries.is_empty() => lines.push(format!("  here       perhaps: {why}")),
        Some(why) => lines.push(format!("  here       perhaps in more places: {why}")),
        None if entries.is_empty() => {
            lines.push("  not here   no tier has it, under any team".to_owned());
        }
        None => {}
    }
    lines
}

/// Of each team that asked for it, or that is asked about, and has none while another has.
fn elsewhere(known: &Known, entries: &[Entry], requests: &[Request]) -> Vec<String> {
    let owners: BTreeSet<_> = entries.iter().map(|entry| entry.team.as_deref()).collect();
    let missed = requests.iter().filter(|request| request.is_miss());
    let asked: BTreeSet<_> = match known.team.as_deref() {
        Some(team) => BTreeSet::from([Some(team)]),
        None => missed.map(|request| request.team.as_deref()).collect(),
    };
    let without = asked.difference(&owners).filter(|_| !owners.is_empty());
    without
        .map(|team| {
            let owners: Vec<_> = owners.iter().map(|owner| whose(*owner)).collect();
            let (owners, team) = (owners.join(" and "), whose(*team));
            format!("  elsewhere  it is here {owners}; who asks {team} does not find it")
        })
        .collect()
}

fn of_requests(requests: &[Request]) -> Vec<String> {
    if requests.is_empty() {
        return vec!["no request of it is remembered: they end with the process".to_owned()];
    }
    let told = requests.iter().take(TOLD).flat_map(Request::lines);
    let heading = format!("last requests, newest first, {} in all", requests.len());
    iter::once(heading).chain(told).collect()
}

fn whose(team: Option<&str>) -> String {
    team.map_or_else(
        || "under no team, for one caller alone".to_owned(),
        |team| format!("under the team {team}"),
    )
}

/// A client's words may hold what moves a terminal's cursor.
fn plain(line: &str) -> String {
    let shown = |letter: char| {
        if letter.is_control() {
            '\u{fffd}'
        } else {
            letter
        }
    };
    line.chars().map(shown).collect()
}

// === impl Entry ===

impl Entry {
    fn line(&self) -> String {
        let Self {
            bytes,
            landed,
            tiers,
            ..
        } = self;
        let (whose, size) = (whose(self.team.as_deref()), ByteSize::b(*bytes));
        let tiers = tiers.join(" and ");
        let uploader = self.uploader.as_ref().map(Uploader::words);
        let by = uploader.unwrap_or_else(|| "fetched, or from whom is not known".to_owned());
        let sha = self.sha.as_ref();
        let sha = sha.map_or_else(String::new, |sha| format!(", made from commit {sha}"));
        format!("  here       {whose}: {size} in {tiers}, landed {landed}, {by}{sha}")
    }
}

// === impl Uploader ===

impl Uploader {
    fn words(&self) -> String {
        let digest = self
            .digest
            .as_ref()
            .map(|digest| format!("caller {digest}"));
        let name = self.name.clone().or(digest);
        let mut words = format!("uploaded by {}", name.as_deref().unwrap_or("somebody"));
        for (word, text) in [(" from ", &self.address), (", ", &self.user_agent)] {
            if let Some(text) = text {
                words.extend([word, text]);
            }
        }
        words
    }
}

// === impl Hold ===

impl Hold {
    fn line(&self) -> String {
        let team = self.team.as_ref();
        let whom = team.map_or_else(
            || "for every team".to_owned(),
            |team| format!("for the team {team}"),
        );
        let so_far = match self.healed {
            0 => String::new(),
            1 => ", as it was under one query so far".to_owned(),
            number => format!(", as it was under {number} queries so far"),
        };
        format!(
            "  held       {whom} since {}: a 404 until a new upload of it is accepted{so_far}",
            self.since
        )
    }
}

// === impl Request ===

impl Request {
    /// Whether it came to nothing because nothing was found.
    fn is_miss(&self) -> bool {
        matches!(self.outcome.as_str(), "absent" | "degraded")
    }

    fn lines(&self) -> [String; 2] {
        let from = self.peer.as_deref().unwrap_or("a unix socket");
        let what = format!("{} {} {}", self.route, self.status, self.outcome);
        [
            format!(
                "  {}  {what}, {}, from {from}",
                self.time,
                whose(self.team.as_deref())
            ),
            format!("      {}", self.explanation),
        ]
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(team: Option<&str>) -> Value {
        json!({"key": "00", "hash": "aa", "team": team, "bytes": 1_258_291, "landed": "2027-01-31T18:00:07Z",
            "age_seconds": 1, "last_used": null, "tiers": ["memory", "disk"], "sha": "beef",
            "uploader": {"name": "ci", "digest": null, "address": "10.0.0.7", "user_agent": "turbo 2.11"}})
    }

    fn request(team: Option<&str>, outcome: &str) -> Value {
        json!({"time": "2027-01-31T18:00:07.312Z", "route": "get", "hash": "aa", "team": team, "status": 404,
            "outcome": outcome, "detail": null, "peer": "10.0.0.8", "explanation": "there is none\u{9b}2J"})
    }

    fn known(entries: Option<Vec<Value>>, requests: Vec<Value>) -> Known {
        Known {
            hash: "aa".to_owned(),
            team: None,
            entries,
            unseen: None,
            holds: Vec::new(),
            requests,
        }
    }

    #[test]
    fn where_it_is_and_from_whom_is_told() {
        let told = story(&known(Some(vec![entry(Some("acme"))]), Vec::new())).unwrap();
        assert_eq!(
            told.lines().nth(1).unwrap(),
            "  here       under the team acme: 1.2 MiB in memory and disk, landed 2027-01-31T18:00:07Z, uploaded by \
             ci from 10.0.0.7, turbo 2.11, made from commit beef"
        );
        assert!(told.contains("no request of it is remembered"), "{told}");
        let told = story(&known(Some(Vec::new()), Vec::new())).unwrap();
        assert!(told.contains("no tier has it"), "{told}");
        let unseen = Known {
            unseen: Some("503: the disk".to_owned()),
            ..known(Some(Vec::new()), Vec::new())
        };
        let told = story(&unseen).unwrap();
        assert!(
            told.contains("  here       perhaps: 503: the disk\n"),
            "{told}"
        );
        let told = story(&known(None, vec![request(None, "absent")])).unwrap();
        assert!(
            !told.contains("  here "),
            "of entries nothing is said: {told}"
        );
    }

    #[test]
    fn a_team_that_has_none_hears_of_the_one_that_has() {
        let elsewhere =
            "it is here under the team acme; who asks under the team other does not find it";
        let entries = || Some(vec![entry(Some("acme"))]);
        let told = story(&known(entries(), vec![request(Some("other"), "absent")])).unwrap();
        assert!(told.contains(elsewhere), "{told}");
        let told = story(&known(entries(), vec![request(Some("acme"), "absent")])).unwrap();
        assert!(!told.contains("elsewhere"), "{told}");
        let told = story(&known(entries(), vec![request(Some("other"), "stored")])).unwrap();
        assert!(!told.contains("elsewhere"), "{told}");
        let asked = Known {
            team: Some("other".to_owned()),
            ..known(entries(), Vec::new())
        };
        assert!(story(&asked).unwrap().contains(elsewhere));
        let alone = story(&known(
            Some(vec![entry(None)]),
            vec![request(Some("acme"), "absent")],
        ));
        assert!(alone.unwrap().contains("for one caller alone; who asks"));
    }

    #[test]
    fn holds_and_requests_are_told_in_words_that_a_terminal_may_be_shown() {
        let told =
            json!({"hash": "aa", "team": null, "since": "2027-01-31T18:00:07Z", "healed": 2});
        let held = Known {
            holds: vec![told],
            ..known(None, vec![request(Some("acme"), "absent"); 12])
        };
        let told = story(&held).unwrap();
        assert!(
            told.contains("held       for every team since 2027-01-31T18:00:07Z: a 404 until a new upload of it is accepted, as it was under 2 queries"),
            "{told}"
        );
        assert!(told.contains("12 in all"), "{told}");
        assert_eq!(
            told.matches("there is none\u{fffd}2J").count(),
            TOLD,
            "{told}"
        );
        assert!(
            told.contains("get 404 absent, under the team acme, from 10.0.0.8"),
            "{told}"
        );
    }
}
