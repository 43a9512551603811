//! From flags, environment and file to a checked configuration, or to every mistake in them.

use std::path::{Path, PathBuf};

use figment::value::Value;

use super::effective::{self, Effective};
use super::env::{CONFIG, Environment};
use super::file::{self, Choice};
use super::problem::Problems;
use super::proxy::Ambient;
use super::raw::{Raw, Setting};
use super::supervisor::Supervisor;
use super::turbo::Turbo;
use super::{Config, check, keys, sidecar};

/// What the command line says; nothing where a flag is not given.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--listen`, as often as it is given
    pub listen: Vec<String>,
    /// `--admin-listen`
    pub admin_listen: Option<String>,
    /// `--upstream`
    pub upstream: Option<String>,
    /// `--data-dir`
    pub data_dir: Option<String>,
    /// `--memory`
    pub memory: Option<String>,
    /// `--disk`
    pub disk: Option<String>,
    /// `--log-format`
    pub log_format: Option<String>,
    /// `--log-level`
    pub log_level: Option<String>,
}

/// A configuration without mistakes, and how it came about.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What to run with.
    pub config: Config,
    /// The file that was read.
    pub file: Option<PathBuf>,
    /// What the operator should know, a line each.
    pub warnings: Vec<String>,
    /// What the service manager says.
    pub supervisor: Supervisor,
    /// Every key in effect, secrets masked.
    pub values: Vec<Effective>,
}

/// Reads everything the operator wrote.
///
/// # Errors
///
/// All mistakes at once, each with its place and its key.
pub fn load(flags: &Flags, environment: &Environment) -> Result<Loaded, Problems> {
    read(flags, environment, None)
}

/// The same for a Larder that runs beside one command: it listens where only that finds it, asks whom
/// `turbo` would have asked, and writes no access lines.
///
/// # Errors
///
/// All mistakes at once, each with its place and its key.
pub fn load_sidecar(
    flags: &Flags,
    environment: &Environment,
    turbo: &Turbo,
) -> Result<Loaded, Problems> {
    let mut loaded = read(flags, environment, Some(turbo))?;
    // Standard output is the command's.
    loaded.config.log.access_lines = false;
    Ok(loaded)
}

fn read(
    flags: &Flags,
    environment: &Environment,
    beside: Option<&Turbo>,
) -> Result<Loaded, Problems> {
    let content = file::read(&choice(flags, environment));
    let ours = environment.ours();
    let problems = [content.problems, ours.problems].concat();
    let mut raw = Raw::new(problems, ours.warnings);
    raw.lay(keys::presets().chain(environment.data_dir()));
    raw.lay(beside.into_iter().flat_map(sidecar::defaults));
    raw.lay(content.settings);
    raw.lay(ours.settings);
    raw.lay(flags.settings());
    if let Some(turbo) = beside {
        sidecar::insist(&mut raw, flags, turbo);
    }
    let config = check::config(
        &mut raw,
        Ambient::of(environment),
        environment.memory_limit(),
    );
    if config.traces.endpoint.is_none() {
        raw.warnings.extend(check::unheard(environment));
    }
    if !raw.problems.is_empty() {
        return Err(Problems(raw.problems));
    }
    Ok(Loaded {
        values: effective::rows(&config, &raw),
        config,
        supervisor: Supervisor::of(environment),
        file: content.path,
        warnings: raw.warnings,
    })
}

fn choice(flags: &Flags, environment: &Environment) -> Choice {
    let named = |path: &Path, by| Choice::Named {
        path: path.to_owned(),
        by,
    };
    match (&flags.config, environment.get(CONFIG)) {
        (Some(path), _) => named(path, "--config"),
        (None, Some(path)) => named(Path::new(path), CONFIG),
        (None, None) => Choice::Search(environment.config_files()),
    }
}

// === impl Flags ===

impl Flags {
    fn settings(&self) -> Vec<Setting> {
        let texts = [
            ("admin.listen", &self.admin_listen, "--admin-listen"),
            ("upstream.url", &self.upstream, "--upstream"),
            ("data_dir", &self.data_dir, "--data-dir"),
            ("tier.memory.capacity", &self.memory, "--memory"),
            ("tier.disk.capacity", &self.disk, "--disk"),
            ("log.format", &self.log_format, "--log-format"),
            ("log.level", &self.log_level, "--log-level"),
        ];
        let listen = (!self.listen.is_empty()).then(|| Setting {
            key: "server.listen".to_owned(),
            value: Value::from(self.listen.clone()),
            source: "--listen".to_owned(),
        });
        let texts = texts
            .into_iter()
            .filter_map(|(key, text, flag)| Some(Setting::text(key, text.as_ref()?, flag)));
        listen.into_iter().chain(texts).collect()
    }
}

// === impl Config ===

impl Config {
    /// The built-in defaults with this data directory: no file, no environment, no flags.
    pub fn built_in(data_dir: &Path) -> Self {
        let mut raw = Raw::new(Vec::new(), Vec::new());
        let data_dir_text = data_dir.to_string_lossy();
        raw.lay(keys::presets().chain([Setting::text("data_dir", data_dir_text, "default")]));
        let mut config = check::config(&mut raw, Ambient::default(), None);
        data_dir.clone_into(&mut config.data_dir);
        config
    }
}
