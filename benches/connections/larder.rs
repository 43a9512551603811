//! The release, by itself, with what clients ask for.

use std::fmt::Write;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use anyhow::{Context, Result};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tempfile::TempDir;

use crate::clients::{Client, Trust};

/// Bytes of what is asked for by whoever takes little of it.
pub(crate) const LARGE: usize = 16 << 20;
/// And by whoever takes all.
const SMALL: usize = 1000;

/// How one is set up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) is_secure: bool,
    /// `tier.in_flight`.
    pub(crate) in_flight: &'static str,
    /// `tier.memory.capacity`, and what the largest artifact there may take.
    pub(crate) memory: &'static str,
}

/// A running one; killed when dropped.
pub(crate) struct Larder {
    process: Child,
    address: SocketAddr,
    trust: Option<Trust>,
    _folder: TempDir,
}

// === impl Larder ===

impl Larder {
    /// Starts one that holds a small artifact and a large one.
    pub(crate) async fn start(setup: Setup) -> Result<Self> {
        let folder = TempDir::new()?;
        let (text, trust) = configured(setup, folder.path())?;
        let config = folder.path().join("larder.toml");
        fs::write(&config, text)?;
        let mut process = Command::new("target/release/larder")
            .args(["serve", "--config"])
            .arg(&config)
            .env_clear()
            // How the allocator is to behave, for whoever wants to compare.
            .envs(
                std::env::vars_os()
                    .filter(|(name, _)| name.to_string_lossy().starts_with("MALLOC_")),
            )
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let said = process.stdout.take().context("a pipe")?;
        let larder = Self {
            address: address_in(BufReader::new(said))?,
            process,
            trust,
            _folder: folder,
        };
        for (name, length) in [("small", SMALL), ("large", LARGE)] {
            let mut client = Client::connect(larder.address, larder.trust()).await?;
            client.put(name, length).await?;
        }
        Ok(larder)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn trust(&self) -> Option<&Trust> {
        self.trust.as_ref()
    }

    /// Memory of its own, in bytes.
    pub(crate) fn resident(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"));
        let figure = line.context("a figure")?.trim().trim_end_matches(" kB");
        Ok(figure.parse::<u64>()? * 1024)
    }
}

impl Drop for Larder {
    fn drop(&mut self) {
        // One that is gone already is as good.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn configured(setup: Setup, folder: &Path) -> Result<(String, Option<Trust>)> {
    let Setup {
        is_secure,
        in_flight,
        memory,
    } = setup;
    let in_memory = if memory == "1MiB" { "64KiB" } else { "32MiB" };
    let data = folder.join("data");
    let data = data.display();
    let mut text = format!(
        r#"data_dir = "{data}"
server.listen = ["127.0.0.1:0"]
admin.listen = "127.0.0.1:0"
upstream.url = "none"
log.level = "error"
tier.in_flight = "{in_flight}"
tier.memory.capacity = "{memory}"
tier.memory.max_artifact = "{in_memory}"
"#
    );
    if !is_secure {
        return Ok((text, None));
    }
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    let (pem, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    fs::write(&pem, cert.pem())?;
    fs::write(&key, signing_key.serialize_pem())?;
    let (pem, key) = (pem.display(), key.display());
    writeln!(text, r#"server.tls = {{ cert = "{pem}", key = "{key}" }}"#)?;
    let trust = Trust::new(cert.der().clone())?;
    Ok((text, Some(trust)))
}

/// Where it says that it listens; what else it says is read by a thread.
fn address_in(mut said: BufReader<impl std::io::Read + Send + 'static>) -> Result<SocketAddr> {
    let mut line = String::new();
    loop {
        line.clear();
        anyhow::ensure!(
            said.read_line(&mut line)? > 0,
            "it ended before it listened"
        );
        if let Some((_, url)) = line.split_once("TURBO_API=") {
            let port = url.trim().rsplit(':').next().context("a port")?.parse()?;
            thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
            return Ok(SocketAddr::from(([127, 0, 0, 1], port)));
        }
    }
}
