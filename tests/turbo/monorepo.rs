//! A small npm monorepo: five packages that build what nobody could build twice.
//!
//! Every build writes random bytes, so outputs that come back equal came out of a cache.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::client::{Signing, Version};
use crate::packages::{FIVE, LAYERS, Package, dependencies, lock_file};

/// How many tasks one `turbo run build` has.
pub(crate) const TASKS: usize = FIVE.len();

const BUILD: &str = r#"
import { mkdirSync, writeFileSync } from "node:fs";
import { randomBytes } from "node:crypto";
const [name, size] = process.argv.slice(2);
mkdirSync("dist/assets", { recursive: true });
writeFileSync("dist/index.js", `export const name = "${name}";\n`);
writeFileSync("dist/assets/random.bin", randomBytes(Number(size)));
console.log(`built ${name}`);
"#;

/// The files of a build, by path.
pub(crate) type Outputs = BTreeMap<PathBuf, Vec<u8>>;

/// The monorepo; it is removed when dropped.
pub(crate) struct Monorepo {
    folder: TempDir,
    packages: &'static [Package],
}

// === impl Monorepo ===

impl Monorepo {
    /// Writes and commits the sources, as the client's version wants them.
    pub(crate) fn new(version: Version, signing: Signing) -> Self {
        Self::of(&FIVE, version, signing)
    }

    /// One of twelve packages in three layers, unsigned.
    pub(crate) fn layered(version: Version) -> Self {
        Self::of(&LAYERS, version, Signing::Off)
    }

    fn of(packages: &'static [Package], version: Version, signing: Signing) -> Self {
        let folder = TempDir::new().expect("a folder for the monorepo");
        let monorepo = Self { folder, packages };
        // npm would otherwise ask its registry whether it is the newest.
        monorepo.write("../home/.npmrc", "update-notifier=false\n");
        monorepo.write_root(version, signing);
        for (name, needs, size) in packages {
            monorepo.write_package(name, needs, *size);
        }
        monorepo.commit();
        monorepo
    }

    /// Where `turbo` runs.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("repo")
    }

    /// An empty home, so that nobody's own configuration takes part.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// The client's cache on this machine.
    pub(crate) fn local_cache(&self) -> PathBuf {
        self.folder.path().join("local-cache")
    }

    /// How many tasks one build of it has.
    pub(crate) fn tasks(&self) -> usize {
        self.packages.len()
    }

    /// Exists as soon as the first task was built.
    pub(crate) fn first_output(&self) -> PathBuf {
        let (first, ..) = self.packages[0];
        self.package(first).join("dist/index.js")
    }

    /// What a fresh clone on another machine lacks: build outputs and the local cache.
    pub(crate) fn forget_builds(&self) {
        remove(&self.local_cache());
        remove(&self.root().join(".turbo"));
        remove(&self.root().join("node_modules"));
        for (name, ..) in self.packages {
            for folder in ["dist", ".turbo", "node_modules"] {
                remove(&self.package(name).join(folder));
            }
        }
    }

    /// Changes a package on which all others but `core` depend: four of the five are other tasks then.
    pub(crate) fn change_icons(&self) {
        self.write("packages/icons/changed.txt", "changed\n");
        self.git(&["add", "."]);
        self.git(&["commit", "--quiet", "--message", "A change"]);
    }

    /// Every file of every `dist`.
    pub(crate) fn outputs(&self) -> Outputs {
        let mut outputs = Outputs::new();
        for (name, ..) in self.packages {
            collect(&self.package(name).join("dist"), &mut outputs);
        }
        outputs
    }

    fn package(&self, name: &str) -> PathBuf {
        self.root().join("packages").join(name)
    }

    fn write_root(&self, version: Version, signing: Signing) {
        let tasks = version.tasks_key();
        let signature = signing == Signing::On;
        self.write(
            "turbo.json",
            &format!(
                r#"{{ "remoteCache": {{ "signature": {signature} }},
  "{tasks}": {{ "build": {{ "dependsOn": ["^build"], "outputs": ["dist/**"] }} }} }}"#
            ),
        );
        self.write(
            "package.json",
            r#"{ "name": "monorepo", "version": "1.0.0", "private": true,
  "packageManager": "npm@10.8.2", "workspaces": ["packages/*"] }"#,
        );
        self.write("package-lock.json", &lock_file(self.packages));
        self.write(".gitignore", "dist\nnode_modules\n.turbo\n");
    }

    fn write_package(&self, name: &str, needs: &[&str], size: usize) {
        let needs = dependencies(needs);
        self.write(
            &format!("packages/{name}/package.json"),
            &format!(
                r#"{{ "name": "{name}", "version": "1.0.0", "dependencies": {{{needs}}},
  "scripts": {{ "build": "node build.mjs {name} {size}" }} }}"#
            ),
        );
        self.write(&format!("packages/{name}/build.mjs"), BUILD);
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        let folder = path.parent().expect("files lie in a folder");
        fs::create_dir_all(folder).expect("a folder of the monorepo");
        fs::write(path, text).expect("a file of the monorepo");
    }

    fn commit(&self) {
        self.git(&["init", "--quiet"]);
        self.git(&["add", "."]);
        self.git(&["commit", "--quiet", "--message", "Everything"]);
    }

    fn git(&self, arguments: &[&str]) {
        let status = Command::new("git")
            .args([
                "-c",
                "user.name=Nobody",
                "-c",
                "user.email=nobody@localhost",
            ])
            .args(["-c", "commit.gpgsign=false"])
            .args(arguments)
            .current_dir(self.root())
            .env("HOME", self.home())
            .status()
            .expect("git runs");
        assert!(status.success(), "git {arguments:?}: {status}");
    }
}

fn remove(folder: &Path) {
    if folder.exists() {
        fs::remove_dir_all(folder).expect("a folder to remove");
    }
}

fn collect(folder: &Path, outputs: &mut Outputs) {
    let entries = fs::read_dir(folder).expect("every package was built");
    for path in entries.map(|entry| entry.expect("a folder's entry").path()) {
        if path.is_dir() {
            collect(&path, outputs);
        } else {
            let bytes = fs::read(&path).expect("an output");
            outputs.insert(path, bytes);
        }
    }
}
