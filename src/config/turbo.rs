//! What turbo knows of its remote cache on this machine: from variables, from a login, from the project.
//!
//! Only whether it knows, never a token: whoever runs turbo passes that on untouched.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf, absolute};

use super::env::Environment;

/// Names of a team in turbo's files, whatever their capitals.
const TEAMS: [&str; 2] = ["\"teamid\"", "\"teamslug\""];

/// The key by which turbo's files name another server than Vercel's.
const API: &str = "\"apiurl\"";

/// The key of a login.
const TOKEN: &str = "\"token\"";

/// Bytes of a file that are read: turbo's own have a few hundred, and a large project's some thousand.
const MAX_FILE: u64 = 1024 * 1024;

/// What turbo knows of its remote cache.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turbo {
    /// `TURBO_API`.
    pub(super) api: Option<String>,
    /// What it has its token from: a variable, or the file of a login.
    pub(super) token: Option<String>,
    /// The file that names another server than Vercel's.
    pub(super) elsewhere: Option<PathBuf>,
    /// Whether something names a team.
    pub(super) has_team: bool,
}

impl Turbo {
    /// As the variables say, the files of logins, and those of the project around the working directory.
    pub fn of(environment: &Environment) -> Self {
        // Without a working directory there is no project.
        let folder = absolute(".").unwrap_or_default();
        Self::in_folder(environment, &folder)
    }

    fn in_folder(environment: &Environment, folder: &Path) -> Self {
        let logins = logins(environment);
        let project: Vec<PathBuf> = folder.ancestors().flat_map(project_files).collect();
        let set = |names: &[&str]| {
            let mut names = names.iter();
            names
                .find(|name| environment.get(name).is_some())
                .map(|&name| name.to_owned())
        };
        let login = || {
            let login = logins.iter().find(|file| mentions(file, &[TOKEN]))?;
            Some(login.display().to_string())
        };
        let mut files = logins.iter().chain(&project);
        Self {
            // What is no text is no URL either, and told so: nobody is to be guessed in its place.
            api: environment
                .get("TURBO_API")
                .map(|api| api.to_string_lossy().into_owned()),
            token: set(&["TURBO_TOKEN", "VERCEL_ARTIFACTS_TOKEN"]).or_else(login),
            elsewhere: files.find(|file| mentions(file, &[API])).cloned(),
            has_team: set(&["TURBO_TEAM", "TURBO_TEAMID", "VERCEL_ARTIFACTS_OWNER"]).is_some()
                || project.iter().any(|file| mentions(file, &TEAMS)),
        }
    }

    /// Whether it has a token, without which it asks no remote cache.
    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Whether it knows a team, without which it asks no remote cache.
    pub fn has_team(&self) -> bool {
        self.has_team
    }
}

/// The files in which turbo and Vercel's own command keep a login.
fn logins(environment: &Environment) -> Vec<PathBuf> {
    let home = |below: &str| Some(environment.folder("HOME")?.join(below));
    let folder = |variable: &str, below: &str| {
        if cfg!(target_os = "macos") {
            home("Library/Application Support")
        } else {
            let named = environment.folder(variable).map(Path::to_owned);
            named.or_else(|| home(below))
        }
    };
    let config = folder("XDG_CONFIG_HOME", ".config");
    let data = folder("XDG_DATA_HOME", ".local/share");
    let own = environment
        .folder("TURBO_CONFIG_DIR_PATH")
        .map(Path::to_owned);
    let own = own.or(config).map(|it| it.join("turborepo/config.json"));
    let vercel = data.map(|it| it.join("com.vercel.cli/auth.json"));
    own.into_iter().chain(vercel).collect()
}

fn project_files(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let files = ["turbo.json", "turbo.jsonc", ".turbo/config.json"];
    let folder = folder.to_owned();
    files.into_iter().map(move |file| folder.join(file))
}

/// Whether the file is there and holds one of these, in whatever capitals; a comment counts too.
fn mentions(file: &Path, names: &[&str]) -> bool {
    // Opening a pipe would wait for whoever put it there.
    if !file.is_file() {
        return false;
    }
    let mut bytes = Vec::new();
    let read = File::open(file).and_then(|file| file.take(MAX_FILE).read_to_end(&mut bytes));
    if read.is_err() {
        return false;
    }
    let text = String::from_utf8_lossy(&bytes).to_lowercase();
    names.iter().any(|name| text.contains(name))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn of(pairs: &[(&str, &str)], folder: &Path) -> Turbo {
        let pairs = pairs.iter().map(|(name, text)| (name.into(), text.into()));
        Turbo::in_folder(&Environment::new(pairs), folder)
    }

    fn put(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn a_token_and_a_team_are_known_by_variables() {
        let dir = tempfile::tempdir().unwrap();
        let nothing = of(&[("TURBO_TOKEN", "")], dir.path());
        assert_eq!(nothing, Turbo::default());
        let known = of(
            &[
                ("TURBO_TOKEN", "canary"),
                ("TURBO_TEAMID", "team_a"),
                ("TURBO_API", "http://a"),
            ],
            dir.path(),
        );
        assert!(known.has_token() && known.has_team());
        assert_eq!(known.api.as_deref(), Some("http://a"));
        assert!(!format!("{known:?}").contains("canary"));
    }

    #[test]
    fn an_api_that_is_no_text_is_no_missing_one() {
        use std::ffi::OsString;
        use std::os::unix::ffi::OsStringExt;

        let api = OsString::from_vec(b"http://a\xff".to_vec());
        let environment = Environment::new([("TURBO_API".into(), api)]);
        let turbo = Turbo::in_folder(&environment, Path::new("/nowhere"));
        assert!(turbo.api.is_some());
    }

    #[test]
    fn a_login_and_a_linked_project_are_known_by_their_files() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().to_str().unwrap();
        let variables = [("HOME", home), ("XDG_CONFIG_HOME", home)];
        let inner = dir.path().join("project/packages/web");
        fs::create_dir_all(&inner).unwrap();
        assert_eq!(of(&variables, &inner), Turbo::default());
        if !cfg!(target_os = "macos") {
            let login = dir.path().join("turborepo/config.json");
            put(&login, r#"{ "token": "canary" }"#);
            let login = login.display().to_string();
            assert_eq!(of(&variables, &inner).token, Some(login));
        }
        put(
            &dir.path().join("project/.turbo/config.json"),
            r#"{ "teamId": "team_a" }"#,
        );
        assert!(of(&variables, &inner).has_team());
        assert_eq!(of(&variables, &inner).elsewhere, None);
        let project = dir.path().join("project/turbo.json");
        put(
            &project,
            r#"{ "remoteCache": { "apiUrl": "https://cache" } }"#,
        );
        assert_eq!(of(&variables, &inner).elsewhere, Some(project));
    }
}
