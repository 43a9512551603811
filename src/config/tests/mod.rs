//! The configuration as a whole, from what is written to what is in effect.

mod documents;
mod entrances;
mod layers;
mod listeners;
mod reach;
mod secrets;
mod sections;
mod sidecar;
mod tier;
mod tls;
mod traces;
mod written;

use super::*;

fn environment(pairs: &[(&str, &str)]) -> Environment {
    Environment::new(pairs.iter().map(|(name, text)| (name.into(), text.into())))
}

/// A configuration file, flags that name it, and a data directory beside it.
struct Written {
    folder: tempfile::TempDir,
    flags: Flags,
}

fn written(text: &str) -> Written {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("larder.toml");
    std::fs::write(&path, text).unwrap();
    let flags = Flags {
        config: Some(path),
        data_dir: Some("/data".to_owned()),
        ..Flags::default()
    };
    Written { folder, flags }
}

impl Written {
    fn load(&self, pairs: &[(&str, &str)]) -> Result<Loaded, Problems> {
        load(&self.flags, &environment(pairs))
    }

    fn mistakes(&self, pairs: &[(&str, &str)]) -> Vec<String> {
        let problems = self.load(pairs).unwrap_err();
        let folder = format!("{}/", self.folder.path().display());
        let lines = problems.to_string().replace(&folder, "");
        lines.lines().map(str::to_owned).collect()
    }

    fn line(&self, pairs: &[(&str, &str)], key: &str) -> String {
        let folder = format!("{}/", self.folder.path().display());
        let loaded = self.load(pairs).unwrap();
        let value = loaded.values.iter().find(|value| value.key == key).unwrap();
        value.to_string().replace(&folder, "")
    }
}

fn mistake_in(text: &str) -> String {
    written(text).mistakes(&[]).join("\n")
}
