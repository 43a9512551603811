//! What was written, layer over layer, and not yet understood.
//!
//! figment merges the layers and remembers which of them each value came from. Values stay as they were
//! written: text stays text, so that a token `007` is never a number on its way to its field. Secrets are
//! among them: nothing here can be printed.

use std::collections::{BTreeMap, BTreeSet};

use figment::util::nest;
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::keys;
use super::problem::Problem;
use super::value;

/// One value, for one key, from one place.
#[derive(Clone)]
pub(super) struct Setting {
    /// The key's path.
    pub(super) key: String,
    /// The value as written.
    pub(super) value: Value,
    /// `default`, `FILE:LINE`, a variable's name, or a flag.
    pub(super) source: String,
}

/// Every layer merged, and what was found wrong or doubtful so far.
pub(super) struct Raw {
    figment: Figment,
    /// The layer that each key's value came from, counted from the lowest.
    layers: BTreeMap<String, usize>,
    laid: usize,
    hidden: BTreeSet<String>,
    /// What forbids to start.
    pub(super) problems: Vec<Problem>,
    /// What should be read by somebody.
    pub(super) warnings: Vec<String>,
}

// === impl Setting ===

impl Setting {
    /// A value that is plain text.
    pub(super) fn text(
        key: impl Into<String>,
        text: impl Into<String>,
        source: impl Into<String>,
    ) -> Self {
        Self {
            key: key.into(),
            value: Value::from(text.into()),
            source: source.into(),
        }
    }
}

impl Provider for Setting {
    fn metadata(&self) -> Metadata {
        Metadata::from(
            self.key.clone(),
            figment::Source::Custom(self.source.clone()),
        )
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let tree = nest(&self.key, self.value.clone());
        Ok(Profile::Default.collect(tree.into_dict().unwrap_or_default()))
    }
}

// === impl Raw ===

impl Raw {
    /// Nothing written yet, but what was noted while reading.
    pub(super) fn new(problems: Vec<Problem>, warnings: Vec<String>) -> Self {
        Self {
            figment: Figment::new(),
            layers: BTreeMap::new(),
            laid: 0,
            hidden: BTreeSet::new(),
            problems,
            warnings,
        }
    }

    /// Lays one more layer, `settings`, over what is there.
    pub(super) fn lay(&mut self, settings: impl IntoIterator<Item = Setting>) {
        self.laid += 1;
        for setting in settings {
            self.layers.insert(setting.key.clone(), self.laid);
            self.figment = std::mem::take(&mut self.figment).merge(setting);
        }
    }

    /// Of two keys that say the same thing, hides the one from the lower layer, as if nobody had set
    /// it. Keys of one layer contradict each other: that is said, and neither is hidden.
    pub(super) fn choose(&mut self, key: &str, twin: &str) {
        let layer = |key| self.layers.get(key).filter(|_| self.is_set(key));
        let (Some(one), Some(other)) = (layer(key), layer(twin)) else {
            return;
        };
        if one == other {
            let message = format!("{key} is set too ({}): keep one", self.source(key));
            self.mistake(twin, message);
        } else {
            let lower = if one < other { key } else { twin };
            self.hidden.insert(lower.to_owned());
        }
    }

    /// Hides each of `keys`, as if nobody had set it.
    pub(super) fn hide(&mut self, keys: &[&str]) {
        self.hidden.extend(keys.iter().map(|&key| key.to_owned()));
    }

    /// Reads one key; a mistake is noted, and reads as nothing.
    pub(super) fn take<T>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Option<T> {
        let value = self.find(key)?;
        parse(&value)
            .map_err(|message| self.mistake(key, message))
            .ok()
    }

    fn find(&self, key: &str) -> Option<Value> {
        let value = self.figment.find_value(key).ok()?;
        (!self.hidden.contains(key)).then_some(value)
    }

    /// The names of the tables in the table `table`.
    pub(super) fn names(&self, table: &str) -> Vec<String> {
        let tables = self.find(table).and_then(Value::into_dict);
        tables.unwrap_or_default().into_keys().collect()
    }

    /// A key's value where it is text.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        self.find(key)?.into_string()
    }

    /// A key's value where it is a list of texts, or one text.
    pub(super) fn texts(&self, key: &str) -> Option<Vec<String>> {
        value::list(&self.find(key)?, |text| Ok(text.to_owned())).ok()
    }

    /// Where a key's value came from.
    pub(super) fn source(&self, key: &str) -> String {
        self.figment
            .find_metadata(key)
            .filter(|_| !self.hidden.contains(key))
            .and_then(|metadata| metadata.source.as_ref()?.custom())
            .unwrap_or("default")
            .to_owned()
    }

    /// Whether the key has a value at all, whatever it says.
    pub(super) fn has(&self, key: &str) -> bool {
        self.find(key).is_some()
    }

    /// Whether somebody set the key, rather than nobody.
    pub(super) fn is_set(&self, key: &str) -> bool {
        self.source(key) != "default"
    }

    /// Notes a mistake at a key.
    pub(super) fn mistake(&mut self, key: &str, message: impl AsRef<str>) {
        self.problems
            .push(Problem::at(&self.source(key), key, message.as_ref()));
    }

    /// Notes a doubt about a key.
    pub(super) fn warn(&mut self, key: &str, message: &str) {
        self.warnings
            .push(format!("{}: {key} {message}", self.source(key)));
    }

    /// Warns of each of `keys` that somebody set to something although `why` leaves it without effect.
    pub(super) fn without_effect(&mut self, keys: &[&str], why: &str) {
        for key in keys {
            if self.is_set(key) && !self.is_preset(key) {
                self.warn(key, &format!("has no effect: {why}"));
            }
        }
    }

    /// Whether a key was set to what it would be anyway, as in a copy of the shipped file.
    pub(super) fn is_preset(&self, key: &str) -> bool {
        let (Some(preset), Some(value)) = (keys::preset_of(key), self.find(key)) else {
            return false;
        };
        match &value {
            Value::String(_, text) => text == preset,
            Value::Array(_, items) => items.is_empty() && preset.is_empty(),
            number => number
                .to_i128()
                .is_some_and(|number| number.to_string() == preset),
        }
    }
}
