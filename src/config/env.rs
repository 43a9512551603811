//! The process environment, captured once: our variables, those of the system, those to ignore.
//!
//! No text is retyped here: a value reaches its field as it was written.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::keys::{self, PREFIX};
use super::problem::Problem;
use super::raw::Setting;

/// The variable that names the configuration file.
pub(super) const CONFIG: &str = "LARDER_CONFIG";

/// The process environment at start.
///
/// Its values may be secrets: it cannot be printed.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
    memory_limit: Option<u64>,
}

/// What the variables that begin with `LARDER_` say.
#[derive(Default)]
pub(super) struct Ours {
    /// What they set.
    pub(super) settings: Vec<Setting>,
    /// What is wrong with them.
    pub(super) problems: Vec<Problem>,
    /// What is odd about them.
    pub(super) warnings: Vec<String>,
}

/// What Kubernetes injects for a service whose name begins with `larder`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    /// `…_PORT`: always an address such as `tcp://10.0.0.1:8585`.
    Address,
    /// Any other of its variables.
    Part,
}

// === impl Environment ===

impl Environment {
    /// Keeps `variables`.
    pub fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        Self {
            variables: variables.into_iter().collect(),
            memory_limit: None,
        }
    }

    /// The same, where the process may have so much memory.
    #[must_use]
    pub fn with_memory_limit(self, memory_limit: Option<u64>) -> Self {
        Self {
            memory_limit,
            ..self
        }
    }

    /// How much memory the process may have, where somebody bounds it.
    pub(super) fn memory_limit(&self) -> Option<u64> {
        self.memory_limit
    }

    /// Where files that nobody keeps go.
    pub fn temp_dir(&self) -> PathBuf {
        self.get("TMPDIR")
            .map_or_else(|| PathBuf::from("/tmp"), PathBuf::from)
    }

    /// What a command gets that is run from here: everything but our own variables, which may hold secrets.
    pub fn without_ours(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        let variables = self.variables.iter();
        variables
            .filter(|(name, _)| !name.as_encoded_bytes().starts_with(PREFIX.as_bytes()))
            .map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }

    /// A variable's value; an empty one counts as not set, as the system's own conventions have it.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.variables
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
            .filter(|value| !value.is_empty())
    }

    /// A variable's value where it is text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.to_str()
    }

    /// A folder named by a variable; relative ones are invalid and ignored, as the XDG rules ask.
    pub(super) fn folder(&self, name: &str) -> Option<&Path> {
        self.get(name)
            .map(Path::new)
            .filter(|path| path.is_absolute())
    }

    /// Where the configuration file lies when nobody names it; never the working directory.
    pub(super) fn config_files(&self) -> Vec<PathBuf> {
        let user = self
            .folder("XDG_CONFIG_HOME")
            .map(Path::to_owned)
            .or_else(|| Some(self.folder("HOME")?.join(".config")));
        let folders = std::iter::once(PathBuf::from("/etc")).chain(user);
        folders
            .map(|folder| folder.join("larder/larder.toml"))
            .collect()
    }

    /// Where data is kept when nobody says so: the service manager's word, else the platform's folder.
    pub(super) fn data_dir(&self) -> Option<Setting> {
        if let Some(folders) = self.text("CACHE_DIRECTORY") {
            // systemd lists several, separated by colons; the first is ours.
            let first = folders.split(':').next().unwrap_or_default();
            return Some(Setting::text("data_dir", first, "CACHE_DIRECTORY"));
        }
        let home = || self.folder("HOME");
        let cache = if cfg!(target_os = "macos") {
            home()?.join("Library/Caches")
        } else {
            self.folder("XDG_CACHE_HOME")
                .map(Path::to_owned)
                .or_else(|| Some(home()?.join(".cache")))?
        };
        let folder = cache.join("larder").into_os_string().into_string().ok()?;
        Some(Setting::text("data_dir", folder, "default"))
    }

    /// Our variables: what they set, what is wrong with them, what is odd about them.
    pub(super) fn ours(&self) -> Ours {
        let mut ours = Ours::default();
        for (name, value) in &self.variables {
            let name = name.to_string_lossy();
            if name.starts_with(PREFIX) && name != CONFIG {
                ours.note(&name, value);
            }
        }
        ours
    }
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.variables.keys()).finish()
    }
}

// === impl Ours ===

impl Ours {
    fn note(&mut self, name: &str, value: &OsStr) {
        let path = keys::path(name);
        let known = keys::find(&path).filter(|_| name == keys::variable(&path));
        match (known, link(name)) {
            (Some(_), _) => self.note_key(&path, name, value),
            (None, Some(Link::Part)) => {}
            (None, Some(Link::Address)) => self.note_address(name, value),
            (None, None) => self.problems.push(Problem::unknown_variable(name)),
        }
    }

    fn note_key(&mut self, path: &str, name: &str, value: &OsStr) {
        match (Problem::of_key(name, path), value.to_str()) {
            (Some(problem), _) => self.problems.push(problem),
            (None, Some(text)) => self.settings.push(Setting::text(path, text, name)),
            (None, None) => self.problems.push(Problem::at(name, path, "is not UTF-8")),
        }
    }

    /// Kubernetes never writes a bare number here; a person who does expects to be heard.
    fn note_address(&mut self, name: &str, value: &OsStr) {
        if !value.to_string_lossy().contains("://") {
            self.warnings.push(format!(
                "{name} is ignored, since Kubernetes sets such names by itself; ports are set by \
                 LARDER_SERVER__LISTEN and LARDER_ADMIN__LISTEN"
            ));
        }
    }
}

/// Whether a variable is a service link: ours by its prefix, but nobody's configuration.
fn link(name: &str) -> Option<Link> {
    let rest = name.strip_prefix(PREFIX)?;
    let words: Vec<&str> = rest.split('_').collect();
    if words.contains(&"") {
        return None;
    }
    // The service may be called more than `larder`: its further words come first.
    (0..words.len()).find_map(|service| link_end(words.get(service..)?))
}

/// What follows a service's name in the names of its variables.
fn link_end(words: &[&str]) -> Option<Link> {
    match words {
        ["PORT"] => Some(Link::Address),
        ["SERVICE", "HOST"] | ["SERVICE", "PORT", ..] => Some(Link::Part),
        ["PORT", number, "TCP" | "UDP" | "SCTP"]
        | [
            "PORT",
            number,
            "TCP" | "UDP" | "SCTP",
            "PROTO" | "PORT" | "ADDR",
        ] if number.bytes().all(|byte| byte.is_ascii_digit()) => Some(Link::Part),
        _ => None,
    }
}
