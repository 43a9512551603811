//! From what turbo or a person wrote to the hashes in it, or to every mistake with its line. Values only.

use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;

use crate::artifact::ArtifactHash;

/// Bytes of input: a dry run says some kilobytes of each task.
pub(super) const MAX_INPUT: u64 = 64 << 20;
/// Hashes that are warmed at once: more than a disk tier of this size has entries for.
const MAX_HASHES: usize = 1_000_000;
/// Bytes of a line: the longest hash, and a comment.
const MAX_LINE: usize = 4096;
/// Mistakes that are told.
const TOLD: usize = 20;
/// What turbo calls the command of a task that a package does not have; it leaves no artifact.
const NO_COMMAND: &str = "<NONEXISTENT>";

/// Input that is not used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unusable {
    /// Not even text.
    NoText,
    /// It looks like a dry run and is none.
    NoDryRun(String),
    /// It has mistakes: the first of them, and how many more.
    Mistakes(Vec<String>, usize),
    /// It has more hashes than are warmed at once.
    TooMany,
}

/// What `turbo run … --dry=json` prints, as far as it matters here.
#[derive(Deserialize)]
struct DryRun {
    tasks: Vec<Task>,
}

#[derive(Deserialize)]
struct Task {
    #[serde(default, rename = "taskId")]
    id: String,
    #[serde(default)]
    hash: String,
    #[serde(default)]
    command: String,
    #[serde(rename = "resolvedTaskDefinition")]
    definition: Option<Definition>,
}

#[derive(Deserialize)]
struct Definition {
    cache: Option<bool>,
}

/// Hashes found, each once and in their order, and what is wrong with the rest.
#[derive(Default)]
struct Found {
    hashes: Vec<ArtifactHash>,
    known: HashSet<ArtifactHash>,
    mistakes: Vec<String>,
    more: usize,
}

/// Reads a dry run of turbo, or a list: a hash a line, `#` begins a comment.
pub(super) fn read(input: &[u8]) -> Result<Vec<ArtifactHash>, Unusable> {
    let text = std::str::from_utf8(input).map_err(|_| Unusable::NoText)?;
    let mut found = Found::default();
    match dry_run(text) {
        Some(json) => found.tasks(json)?,
        None => found.lines(text)?,
    }
    if found.mistakes.is_empty() {
        Ok(found.hashes)
    } else {
        Err(Unusable::Mistakes(found.mistakes, found.more))
    }
}

/// The dry run in a text, behind what package managers print before it.
fn dry_run(text: &str) -> Option<&str> {
    if text.trim_start().starts_with('{') {
        return Some(text);
    }
    Some(text.get(text.find("\n{\n")?..)?.trim_start())
}

// === impl Found ===

impl Found {
    fn tasks(&mut self, json: &str) -> Result<(), Unusable> {
        let parsed: DryRun =
            serde_json::from_str(json).map_err(|error| Unusable::NoDryRun(error.to_string()))?;
        for task in &parsed.tasks {
            let definition = task.definition.as_ref();
            let is_kept = definition.and_then(|it| it.cache) != Some(false);
            if is_kept && task.command != NO_COMMAND {
                self.add(&task.hash, format_args!("task {}", task.id))?;
            }
        }
        Ok(())
    }

    fn lines(&mut self, text: &str) -> Result<(), Unusable> {
        for (number, line) in (1..).zip(text.lines()) {
            if line.len() > MAX_LINE {
                self.mistake(format!("line {number} is longer than {MAX_LINE} bytes"));
                continue;
            }
            let hash = line.split('#').next().unwrap_or_default().trim();
            if !hash.is_empty() {
                self.add(hash, format_args!("line {number}"))?;
            }
        }
        Ok(())
    }

    fn add(&mut self, text: &str, place: fmt::Arguments<'_>) -> Result<(), Unusable> {
        match ArtifactHash::parse(text) {
            // Nobody escapes anything in a list.
            Ok(hash) if hash.as_str() == text => {
                if self.known.insert(hash.clone()) {
                    self.hashes.push(hash);
                }
            }
            _ => {
                let shown: String = text.chars().take(60).collect();
                self.mistake(format!("{place}: {shown:?} is no artifact hash"));
            }
        }
        if self.hashes.len() > MAX_HASHES {
            return Err(Unusable::TooMany);
        }
        Ok(())
    }

    fn mistake(&mut self, mistake: String) {
        if self.mistakes.len() < TOLD {
            self.mistakes.push(mistake);
        } else {
            self.more += 1;
        }
    }
}

// === impl Unusable ===

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoText => f.write_str("the input is not UTF-8"),
            Self::NoDryRun(error) => write!(f, "the input is no dry run of turbo: {error}"),
            Self::TooMany => write!(f, "the input has more than {MAX_HASHES} hashes"),
            Self::Mistakes(first, more) => {
                f.write_str(&first.join("\n"))?;
                if *more > 0 {
                    write!(f, "\nand {more} more")?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let hashes = read(text.as_bytes()).unwrap();
        hashes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_list_has_a_hash_a_line_and_comments() {
        let text = "# ours\n\n140a7f78c2a46f3e\r\n  bb  # twice\nbb\n";
        assert_eq!(found(text), ["140a7f78c2a46f3e", "bb"]);
        assert!(found("").is_empty());
    }

    #[test]
    fn a_dry_run_has_the_hashes_of_tasks_that_leave_artifacts() {
        let text = r#"{ "id": "x", "tasks": [
            { "taskId": "a#build", "hash": "aa", "command": "tsc",
              "resolvedTaskDefinition": { "cache": true }, "cache": { "status": "HIT" } },
            { "taskId": "a#dev", "hash": "bb", "command": "vite",
              "resolvedTaskDefinition": { "cache": false } },
            { "taskId": "b#build", "hash": "cc", "command": "<NONEXISTENT>" },
            { "taskId": "c#build", "hash": "dd" } ] }"#;
        assert_eq!(found(text), ["aa", "dd"]);
        let printed = format!("\n> x@1.0.0 dry\n> turbo run build\n\n{{\n{}", &text[1..]);
        assert_eq!(found(&printed), ["aa", "dd"]);
    }

    #[test]
    fn mistakes_are_told_with_their_places_and_not_all_of_them() {
        let told = |text: &str| read(text.as_bytes()).unwrap_err().to_string();
        let text = "aa\n../etc\n%61\n";
        assert_eq!(
            told(text),
            "line 2: \"../etc\" is no artifact hash\nline 3: \"%61\" is no artifact hash"
        );
        assert!(told(&"x".repeat(MAX_LINE + 1)).starts_with("line 1 is longer"));
        assert!(told(&"a/b\n".repeat(TOLD + 3)).ends_with("\nand 3 more"));
        assert!(told(r#"{"tasks":[{"taskId":"a","hash":"a b"}]}"#).starts_with("task a: "));
        assert!(told("{}").contains("no dry run"));
        assert_eq!(read(b"\xff"), Err(Unusable::NoText));
    }

    #[test]
    fn a_million_hashes_are_warmed_at_once_and_no_more() {
        let list = |count: usize| {
            let lines: Vec<_> = (0..count).map(|number| format!("{number:x}\n")).collect();
            read(lines.concat().as_bytes()).map(|hashes| hashes.len())
        };
        assert_eq!(list(MAX_HASHES), Ok(MAX_HASHES));
        assert_eq!(list(MAX_HASHES + 1), Err(Unusable::TooMany));
    }
}
