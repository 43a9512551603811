//! A mistake in the configuration, in words: where it is, which key, what is wrong with it.
//!
//! Values of secrets are never part of one.

use std::fmt;

use super::keys;
use super::suggest;

/// The longest piece of a wrong value that is shown.
const SHOWN: usize = 60;

/// One mistake: a line for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem(String);

/// Every mistake of a configuration, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

/// A wrong value as it is shown: on one line, in quotes, cut when long.
pub(super) fn quoted(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}…", text.get(..end).unwrap_or_default()),
    }
}

// === impl Problem ===

impl Problem {
    /// A mistake in the value of a key, or in its lack of one.
    pub(super) fn at(source: &str, key: &str, message: &str) -> Self {
        match source {
            "default" => Self(format!("{key}: {message}")),
            _ => Self(format!("{source}: {key}: {message}")),
        }
    }

    /// A mistake that concerns no key.
    pub(super) fn plain(source: &str, message: &str) -> Self {
        Self(format!("{source}: {message}"))
    }

    /// What is wrong with setting `path` at all; nothing when it is a key of this version.
    pub(super) fn of_key(source: &str, path: &str) -> Option<Self> {
        match keys::find(path) {
            Some(_) => None,
            None if keys::is_misnamed(path) => Some(Self::at(source, path, keys::NAMES)),
            None => Some(Self::plain(
                source,
                &format!("unknown key {path}{}", hint(suggest::key(path))),
            )),
        }
    }

    /// A variable that begins as ours do and is none of them.
    pub(super) fn unknown_variable(name: &str) -> Self {
        Self(format!(
            "unknown variable {name}{}",
            hint(suggest::variable(name))
        ))
    }
}

fn hint(nearest: Option<String>) -> String {
    nearest.map_or_else(String::new, |name| format!(": did you mean {name}?"))
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl Problems ===

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}
