//! One entry of a list of tables, read field by field: every mistake in it is noted.

use figment::value::{Dict, Value};

use super::super::problem::quoted;
use super::super::{Rights, value};

/// One entry, and what was found wrong with it so far.
pub(super) struct Entry<'a> {
    fields: &'a Dict,
    /// What is wrong with it.
    pub(super) mistakes: Vec<String>,
}

impl<'a> Entry<'a> {
    /// Reads `fields`, of which an entry knows those in `known`.
    pub(super) fn new(fields: &'a Dict, known: &[&str]) -> Self {
        let unknown = fields.keys().filter(|name| !known.contains(&name.as_str()));
        let mistakes = unknown
            .map(|name| format!("{} is none of: {}", quoted(name), known.join(", ")))
            .collect();
        Self { fields, mistakes }
    }

    /// Whether a field is there, whatever it says.
    pub(super) fn has(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    /// Reads one field; a mistake is noted, and reads as nothing.
    pub(super) fn take<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Option<T> {
        let parsed = parse(self.fields.get(name)?);
        self.note(parsed.map_err(|message| format!("{name} {message}")))
    }

    /// Takes what was made of something in the entry; a mistake is noted.
    pub(super) fn note<T>(&mut self, made: Result<T, String>) -> Option<T> {
        made.map_err(|mistake| self.mistakes.push(mistake)).ok()
    }

    /// Reads one field that must be there; `what` says what it is for.
    pub(super) fn need<T>(
        &mut self,
        name: &str,
        what: &str,
        parse: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Option<T> {
        if !self.has(name) {
            self.mistakes.push(format!("needs {what}"));
        }
        self.take(name, parse)
    }

    /// What was made of the entry, unless something is wrong with it.
    pub(super) fn end<T>(self, made: T) -> Result<T, Vec<String>> {
        if self.mistakes.is_empty() {
            Ok(made)
        } else {
            Err(self.mistakes)
        }
    }
}

/// Teams, at least one.
pub(super) fn teams(value: &Value) -> Result<Vec<String>, String> {
    let teams = value::list(value, |team| Ok(team.to_owned()))?;
    if teams.is_empty() {
        return Err("names no team: `*` stands for every team".to_owned());
    }
    Ok(teams)
}

/// What may be done.
pub(super) fn rights(value: &Value) -> Result<Rights, String> {
    value::choice(value, &Rights::ALL.map(|rights| (rights.as_str(), rights)))
}
