//! The real binary, on ports and in a directory of its own.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use tempfile::TempDir;

use super::metrics::Metrics;
use super::process::{Exit, Process};
use super::{Badge, Certificate, Client, Origin, Trust, eventually};

/// A configuration that is not running yet.
#[derive(Clone, Debug)]
pub struct Setup {
    directory: Arc<TempDir>,
    settings: BTreeMap<String, String>,
    trust: Option<Trust>,
    variables: BTreeMap<String, String>,
}

/// A running Larder; killed when dropped.
#[derive(Debug)]
pub struct Larder {
    process: Process,
    data: SocketAddr,
    admin: SocketAddr,
    setup: Setup,
}

// === impl Setup ===

impl Setup {
    /// Before this origin.
    pub fn before(origin: &Origin) -> Self {
        let setup = Self::new().set("upstream.url", &origin.url());
        match origin.authority() {
            Some(pem) => setup.secret("upstream.ca_file", pem),
            None => setup,
        }
    }

    /// As a cache by itself.
    pub fn alone() -> Self {
        Self::new().set("upstream.url", "none")
    }

    fn new() -> Self {
        let directory = Arc::new(TempDir::new().expect("a temporary directory"));
        let data_dir = directory.path().join("data");
        Self {
            directory,
            settings: BTreeMap::new(),
            trust: None,
            variables: BTreeMap::new(),
        }
        .set("data_dir", data_dir.to_str().expect("a plain path"))
        .set("admin.listen", "127.0.0.1:0")
        .toml("server.listen", r#"["127.0.0.1:0"]"#)
        // A machine with little room left must not turn hits into misses.
        .set("tier.disk.min_free", "1MiB")
    }

    /// Speaking TLS with clients, which trust this certificate.
    pub fn secured(mut self, certificate: &Certificate) -> Self {
        self.trust = Some(certificate.trust());
        self.secret("server.tls.cert", &certificate.cert)
            .secret("server.tls.key", &certificate.key)
    }

    /// Speaking TLS with clients, each of which is shown the one of these that it asks for.
    pub fn secured_by(self, certificates: &[&Certificate]) -> Self {
        let files = |key: &str, of: fn(&Certificate) -> &String| {
            let paths = certificates.iter().enumerate().map(|(place, certificate)| {
                let path = self.directory().join(format!("{key}.{place}.secret"));
                fs::write(&path, of(certificate)).expect("a file");
                path.to_str().expect("a plain path").to_owned()
            });
            format!("{:?}", paths.collect::<Vec<_>>())
        };
        let (certs, keys) = (
            files("server.tls.cert", |certificate| &certificate.cert),
            files("server.tls.key", |certificate| &certificate.key),
        );
        let mut setup = self
            .toml("server.tls.cert", &certs)
            .toml("server.tls.key", &keys);
        setup.trust = certificates.first().map(|first| first.trust());
        setup
    }

    /// Sets a key to a text.
    pub fn set(self, key: &str, text: &str) -> Self {
        self.toml(key, &format!("{text:?}"))
    }

    /// Sets a key to a piece of TOML.
    pub fn toml(mut self, key: &str, value: &str) -> Self {
        self.settings.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Sets a variable of the environment.
    pub fn variable(mut self, name: &str, text: &str) -> Self {
        self.variables.insert(name.to_owned(), text.to_owned());
        self
    }

    /// Leaves a key to its default.
    pub fn unset(mut self, key: &str) -> Self {
        self.settings.remove(key);
        self
    }

    /// Sets a key to the path of a file that holds `secret`, one file for each key.
    pub fn secret(self, key: &str, secret: &str) -> Self {
        let path = self.directory().join(format!("{key}.secret"));
        fs::write(&path, format!("{secret}\n")).expect("a file");
        self.set(key, path.to_str().expect("a plain path"))
    }

    /// A directory for this test alone.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Starts the proxy and waits until it is ready.
    pub async fn start(self) -> Larder {
        fs::remove_file(self.admin_file()).ok();
        let config = self.write();
        let mut process = self.spawn(&["serve", "--config", &config]);
        let data = SocketAddr::from(([127, 0, 0, 1], process.port().await));
        let mut larder = Larder {
            process,
            data,
            admin: data,
            setup: self,
        };
        eventually("ready", async || larder.is_ready().await).await;
        larder
    }

    /// Starts the proxy and kills it as soon as it listens.
    pub async fn start_and_kill(self) {
        let config = self.write();
        let mut process = self.spawn(&["serve", "--config", &config]);
        process.port().await;
        process.kill();
        process.exit().await;
    }

    /// Runs a command to its end; `{config}` stands for the configuration's path.
    pub async fn run(&self, arguments: &[&str]) -> Exit {
        let config = self.write();
        let arguments: Vec<_> = arguments
            .iter()
            .map(|&word| if word == "{config}" { &config } else { word })
            .collect();
        self.spawn(&arguments).exit().await
    }

    /// Where the entries are.
    pub fn data_dir(&self) -> PathBuf {
        self.directory().join("data")
    }

    fn admin_file(&self) -> PathBuf {
        self.data_dir().join("admin.json")
    }

    fn write(&self) -> String {
        let path = self.directory().join("larder.toml");
        let lines: Vec<_> = self
            .settings
            .iter()
            .map(|(key, value)| format!("{key} = {value}\n"))
            .collect();
        fs::write(&path, lines.concat()).expect("a configuration file");
        path.to_str().expect("a plain path").to_owned()
    }

    fn spawn(&self, arguments: &[&str]) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_larder"));
        self.surround(command.args(arguments));
        Process::spawn(command)
    }

    /// A shell's `script` about the binary (`$0`) and the configuration's path (`$1`), to be started.
    pub fn script(&self, script: &str) -> Command {
        let config = self.write();
        let mut command = Command::new("/bin/sh");
        let binary = env!("CARGO_BIN_EXE_larder");
        self.surround(command.args(["-c", script, binary, &config]));
        command
    }

    fn surround(&self, command: &mut Command) {
        command
            .env_clear()
            .env("HOME", self.directory())
            .envs(&self.variables)
            .current_dir(self.directory());
    }
}

// === impl Larder ===

impl Larder {
    /// Before this origin, with nothing else configured.
    pub async fn before(origin: &Origin) -> Self {
        Setup::before(origin).start().await
    }

    /// As a cache by itself.
    pub async fn alone() -> Self {
        Setup::alone().start().await
    }

    /// A client with the token `member`.
    pub fn client(&self) -> Client {
        self.client_as("member")
    }

    /// A client with this token.
    pub fn client_as(&self, token: &str) -> Client {
        self.stranger().token(token)
    }

    /// A client without credential.
    pub fn stranger(&self) -> Client {
        Client::new(self.data).trusting(self.setup.trust.clone())
    }

    /// A client with this token and this certificate, which is a new acquaintance of every server.
    pub fn client_showing(&self, token: &str, badge: &Badge) -> Client {
        let trust = self.setup.trust.clone().map(|trust| trust.showing(badge));
        Client::new(self.data).trusting(trust).token(token)
    }

    /// A client of the admin listener.
    pub fn admin(&self) -> Client {
        Client::new(self.admin)
    }

    pub fn address(&self) -> SocketAddr {
        self.data
    }

    /// Whom clients trust, where it speaks TLS.
    pub fn trust(&self) -> Option<&Trust> {
        self.setup.trust.as_ref()
    }

    /// The process itself.
    pub fn process(&self) -> &Process {
        &self.process
    }

    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    pub async fn metrics(&self) -> Metrics {
        let page = self.admin().get("/metrics").await;
        assert_eq!(page.status, 200);
        Metrics::new(String::from_utf8(page.body).expect("text"))
    }

    /// Waits until no fill is under way: what was to land has landed.
    pub async fn settled(&self) {
        eventually("fills to end", async || {
            self.metrics().await.sum("larder_fills_in_flight", &[]) == 0.0
        })
        .await;
    }

    /// Everything printed so far.
    pub fn printed(&self) -> String {
        self.process.printed()
    }

    /// Asks it to stop; does not wait.
    pub fn terminate(&self) {
        self.process.terminate();
    }

    /// Lets it read its configuration once more, as `change` leaves it, and returns what it says.
    pub async fn reload(&mut self, change: impl FnOnce(Setup) -> Setup) -> String {
        let before = self.process.printed_errors().len();
        self.setup = change(self.setup.clone());
        self.setup.write();
        self.process.hang_up();
        let mut said = String::new();
        eventually("a word about the configuration", async || {
            said = self.process.printed_errors().split_off(before);
            // Either is the last word.
            [
                "the configuration was read once more",
                "the configuration stays as it was",
            ]
            .iter()
            .any(|word| said.contains(word))
        })
        .await;
        said
    }

    /// Stops it and waits for its end.
    pub async fn stop(mut self) -> Exit {
        self.terminate();
        self.exit().await
    }

    /// Waits for its end.
    pub async fn exit(&mut self) -> Exit {
        self.process.exit().await
    }

    /// Crashes it; returns whether that left a core file.
    pub async fn crash(&mut self) -> bool {
        self.process.crash().await
    }

    /// Kills it without a word.
    pub async fn kill(&mut self) {
        self.process.kill();
        self.exit().await;
    }

    /// Stops it, and starts another one on the same data and configuration.
    pub async fn restart(self) -> Self {
        let setup = self.setup.clone();
        let exit = self.stop().await;
        assert_eq!(exit.code, Some(0), "{}", exit.stderr);
        setup.start().await
    }

    /// Learns the admin listener's address from the file made for that purpose, and asks there.
    async fn is_ready(&mut self) -> bool {
        self.process.assert_alive();
        let Ok(text) = fs::read_to_string(self.setup.admin_file()) else {
            return false;
        };
        let Ok(known) = serde_json::from_str::<serde_json::Value>(&text) else {
            return false;
        };
        let address = known["address"]
            .as_str()
            .and_then(|address| address.parse().ok());
        self.admin = address.expect("an address in admin.json");
        self.admin().get("/readyz").await.status == 200
    }
}
