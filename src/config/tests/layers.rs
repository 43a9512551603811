//! Layers over layers: which value wins, what is said of the rest.

use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::super::keys::KEYS;
use super::super::*;
use super::{environment, written};

#[test]
fn nothing_written_means_the_built_in_defaults() {
    let built_in = Config::built_in(Path::new("/data"));
    let loaded = written("").load(&[]).unwrap();
    assert_eq!(format!("{built_in:?}"), format!("{:?}", loaded.config));
    assert_eq!(loaded.warnings, Vec::<String>::new());
    assert!(matches!(built_in.access.mode, AccessMode::Open));
    assert_eq!(built_in.upstream.target, Target::None);
    assert_eq!(built_in.tier.memory.capacity, 256 << 20);
}

#[test]
fn a_higher_layer_wins_and_is_named() {
    let mut file = written("[tier.disk]\ncapacity = \"3GiB\"\nmax_age = \"1d\"");
    let disk = "tier.disk.capacity";
    let variable = [("LARDER_TIER__DISK__CAPACITY", "4GiB")];
    assert_eq!(
        written("").line(&[], disk),
        "tier.disk.capacity = \"20GiB\"  # default"
    );
    assert_eq!(
        file.line(&[], disk),
        "tier.disk.capacity = \"3GiB\"  # larder.toml:2"
    );
    assert_eq!(
        file.line(&variable, disk),
        "tier.disk.capacity = \"4GiB\"  # LARDER_TIER__DISK__CAPACITY"
    );
    file.flags.disk = Some("5GiB".to_owned());
    assert_eq!(
        file.line(&variable, disk),
        "tier.disk.capacity = \"5GiB\"  # --disk"
    );
    assert_eq!(
        file.line(&variable, "tier.disk.max_age"),
        "tier.disk.max_age = \"24h\"  # larder.toml:3"
    );
}

#[test]
fn every_mistake_is_said_at_once_with_its_place() {
    let mut file = written(
        "servr.listen = \"a:1\"\n[tier.disk]\ncapcity = \"1GiB\"\nmax_age = \"soon\"\n[access]\nmode = \"all\"",
    );
    file.flags.memory = Some("much".to_owned());
    let mistakes = file.mistakes(&[
        ("LARDER_UPSTREAM_URL", "x"),
        ("LARDER_SERVER__MAX_CONNECTIONS", "0"),
    ]);
    assert_eq!(
        mistakes,
        [
            "larder.toml:1: unknown key servr.listen: did you mean server.listen?",
            "larder.toml:3: unknown key tier.disk.capcity: did you mean tier.disk.capacity?",
            "unknown variable LARDER_UPSTREAM_URL: did you mean LARDER_UPSTREAM__URL?",
            "LARDER_SERVER__MAX_CONNECTIONS: server.max_connections: must be a whole number, at least 1",
            "larder.toml:6: access.mode: \"all\" is none of: upstream, tokens, open",
            "--memory: tier.memory.capacity: \"much\" is not a size such as `10GiB`",
            "larder.toml:4: tier.disk.max_age: \"soon\" is not a duration such as `5m`",
        ]
    );
}

#[test]
fn a_named_file_must_be_there_and_a_searched_one_need_not() {
    let flags = Flags {
        config: Some("/nowhere/larder.toml".into()),
        ..written("").flags
    };
    let problems = load(&flags, &environment(&[])).unwrap_err().to_string();
    assert!(
        problems.starts_with("--config: /nowhere/larder.toml cannot be read"),
        "{problems}"
    );
    let flags = Flags {
        config: None,
        ..flags
    };
    let named = environment(&[("LARDER_CONFIG", "/nowhere/else.toml")]);
    let problems = load(&flags, &named).unwrap_err().to_string();
    assert!(
        problems.starts_with("LARDER_CONFIG: /nowhere/else.toml"),
        "{problems}"
    );
    let searched = environment(&[("XDG_CONFIG_HOME", "/nowhere")]);
    assert!(load(&flags, &searched).is_ok());
}

#[test]
fn the_file_is_searched_in_the_systems_and_the_users_folder_only() {
    let files = |pairs| environment(pairs).config_files();
    let system = PathBuf::from("/etc/larder/larder.toml");
    assert_eq!(files(&[]), std::slice::from_ref(&system));
    assert_eq!(
        files(&[("HOME", "/home/a")]),
        [
            system.clone(),
            PathBuf::from("/home/a/.config/larder/larder.toml")
        ]
    );
    assert_eq!(
        files(&[("HOME", "/home/a"), ("XDG_CONFIG_HOME", "/x")]),
        [system.clone(), PathBuf::from("/x/larder/larder.toml")]
    );
    assert_eq!(files(&[("XDG_CONFIG_HOME", "relative")]), [system]);
    let user = written("[log]\nlevel = \"debug\"");
    std::fs::create_dir(user.folder.path().join("larder")).unwrap();
    let file = user.folder.path().join("larder/larder.toml");
    std::fs::rename(user.flags.config.as_ref().unwrap(), &file).unwrap();
    let flags = Flags {
        config: None,
        ..user.flags.clone()
    };
    let home = user.folder.path().to_str().unwrap();
    let loaded = load(&flags, &environment(&[("XDG_CONFIG_HOME", home)])).unwrap();
    assert_eq!(loaded.file, Some(file));
    assert_eq!(loaded.config.log.level, LogLevel::Debug);
}

#[test]
fn the_data_directory_is_the_service_managers_else_the_platforms() {
    let data_dir = |pairs: &[(&str, &str)]| {
        let flags = Flags {
            data_dir: None,
            ..written("").flags
        };
        let flags = Flags {
            config: None,
            ..flags
        };
        load(&flags, &environment(pairs)).map(|loaded| loaded.config.data_dir)
    };
    let home = ("HOME", "/home/a");
    assert_eq!(
        data_dir(&[home, ("CACHE_DIRECTORY", "/var/cache/larder:/other")]).unwrap(),
        PathBuf::from("/var/cache/larder")
    );
    if cfg!(target_os = "linux") {
        assert_eq!(
            data_dir(&[home]).unwrap(),
            PathBuf::from("/home/a/.cache/larder")
        );
        assert_eq!(
            data_dir(&[home, ("XDG_CACHE_HOME", "/c")]).unwrap(),
            PathBuf::from("/c/larder")
        );
    }
    let homeless = data_dir(&[]).unwrap_err().to_string();
    assert!(homeless.starts_with("data_dir: is not set"), "{homeless}");
}

#[test]
fn every_live_key_is_read() {
    for key in KEYS {
        let name = key.name.replace("NAME", "office");
        let mut file = written(&format!("{name} = 1.5"));
        file.flags.data_dir = None;
        let mistakes = file.mistakes(&[("HOME", "/home/a")]).join("\n");
        assert!(mistakes.contains(&format!(": {name}: ")), "{mistakes}");
    }
}

#[test]
fn what_is_shown_brings_the_same_about_again() {
    let file = written(
        "server.listen = [\"[::1]:1\", \"unix:/run/\\\"q\"]\nupstream.url = \"https://c.example/x/\"\n\
         upload.on_failure = \"keep\"\ntier.disk.max_artifact = \"1000\"\nserver.hosts = \"A.lan\"\n\
         listener.office = {address = \"unix:/run/o\", access = \"open\"}",
    );
    let first = file.load(&[]).unwrap();
    let keys: Vec<&str> = first.values.iter().map(|value| &*value.key).collect();
    let live: Vec<String> = KEYS
        .iter()
        .map(|key| key.name.replace("NAME", "office"))
        .collect();
    assert_eq!(keys, live);
    let lines: Vec<String> = first.values.iter().map(ToString::to_string).collect();
    let mut again = written(&lines.join("\n"));
    again.flags.data_dir = None;
    let second = again.load(&[]).unwrap();
    assert_eq!(
        format!("{:?}", first.config),
        format!("{:?}", second.config)
    );
}

proptest! {
    #[test]
    fn no_text_in_any_variable_panics(
        texts in proptest::collection::vec((0..KEYS.len(), any::<String>()), 1..6),
        odd in "[A-Z0-9_]{0,20}",
    ) {
        let mut pairs: Vec<(String, String)> = texts
            .into_iter()
            .map(|(index, text)| (KEYS[index].variable(), text))
            .collect();
        pairs.push((format!("LARDER_{odd}"), String::new()));
        let environment = Environment::new(pairs.into_iter().map(|(name, text)| (name.into(), text.into())));
        let result = load(&Flags { config: Some("/dev/null".into()), ..Flags::default() }, &environment);
        if let Err(problems) = result {
            let count = problems.0.len();
            prop_assert_eq!(problems.to_string().lines().count(), count);
        }
    }

    #[test]
    fn no_file_panics(text in "([a-z._]{1,12} ?= ?.{0,12}\n|\\[{1,2}[a-z.]{0,9}\\]{1,2}\n){0,6}") {
        let file = written(&text);
        if let Err(problems) = file.load(&[]) {
            prop_assert!(!problems.0.is_empty());
        }
    }
}
