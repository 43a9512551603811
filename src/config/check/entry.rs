//! Lists of tables, read entry by entry and field by field: every mistake is noted.

use figment::value::{Dict, Value};

use super::super::problem::quoted;
use super::super::raw::Raw;
use super::super::{Rights, value};

/// A list of tables.
pub(super) struct List {
    pub(super) key: &'static str,
    /// What an entry is.
    pub(super) what: &'static str,
}

impl List {
    /// Reads the list. The mistakes of an entry are noted behind its name, or its number where it has
    /// none. What `clash` finds between two of them is a mistake too.
    pub(super) fn read<T>(
        &self,
        raw: &mut Raw,
        name: impl Fn(&Value) -> Option<&str>,
        entry: impl Fn(&Value) -> Result<T, Vec<String>>,
        clash: impl Fn(&T, &T) -> Option<String>,
    ) -> Vec<T> {
        let items = raw.take(self.key, value::items).unwrap_or_default();
        let mut entries: Vec<T> = Vec::new();
        for (index, item) in items.iter().enumerate() {
            match entry(item) {
                Ok(entry) => {
                    if let Some(mistake) = entries.iter().find_map(|other| clash(other, &entry)) {
                        raw.mistake(self.key, mistake);
                    }
                    entries.push(entry);
                }
                Err(mistakes) => {
                    let who = name(item).map_or_else(|| (index + 1).to_string(), quoted);
                    for mistake in mistakes {
                        raw.mistake(self.key, format!("{} {who}: {mistake}", self.what));
                    }
                }
            }
        }
        entries
    }
}

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
