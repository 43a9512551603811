//! The servers: each a process on the first core, with a folder of its own, stopped when dropped.

pub(crate) mod bare;
pub(crate) mod larder;
pub(crate) mod leftovers;
pub(crate) mod nginx;
pub(crate) mod varnish;

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::usage::Processes;

/// No server needs as long to listen, or to stop.
const PATIENCE: Duration = Duration::from_secs(10);
const MOMENT: Duration = Duration::from_millis(20);
/// Where servers run; the load and the origin have the other core.
const SERVER_CORE: &str = "0";
/// Where everything else does.
pub(crate) const LOAD_CORE: usize = 1;

/// Where a row runs.
#[derive(Debug)]
pub(crate) struct Place {
    /// Holds a folder for each server; gone after the run.
    pub(crate) folder: PathBuf,
    /// The program that is measured.
    pub(crate) larder: PathBuf,
    /// The first of its ports.
    pub(crate) port: u16,
}

/// What a row wants of all servers alike.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wish {
    /// A line for each request, into a file.
    pub(crate) log: bool,
    /// TLS 1.3 on the port.
    pub(crate) tls: bool,
    /// One fetch for all who ask at once.
    pub(crate) collapse: bool,
    /// As many connections at once, if that is more than usual.
    pub(crate) connections: usize,
}

/// A server that runs.
#[derive(Debug)]
pub(crate) struct Server {
    /// As the tables call it.
    pub(crate) name: &'static str,
    /// Where it listens.
    pub(crate) port: u16,
    child: Child,
    folder: PathBuf,
}

impl Place {
    /// A port of this row's.
    pub(crate) fn port(&self, number: u16) -> u16 {
        self.port + number
    }

    /// An empty folder for a server.
    fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.join(name.replace(' ', "-"));
        // What a run left that was killed.
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        Ok(fs::canonicalize(folder)?)
    }
}

impl Server {
    /// Starts a program and waits until it listens.
    fn start(
        name: &'static str,
        port: u16,
        core: &str,
        folder: &Path,
        program: &[&str],
    ) -> Result<Self> {
        // Else it is another process that would be measured.
        TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .with_context(|| format!("port {port} is taken; `--port` names others"))?;
        let log = File::create(folder.join("output"))?;
        // Whoever kills this process ends the servers too.
        let child = bare::command("setpriv")
            .args(["--pdeathsig", "TERM", "taskset", "-c", core])
            .args(program)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("setpriv and taskset, of util-linux")?;
        let mut server = Self {
            name,
            port,
            child,
            folder: folder.to_owned(),
        };
        server
            .wait()
            .with_context(|| format!("{name} did not start"))?;
        Ok(server)
    }

    /// Starts the origin; `rate` is how many bytes a second each of its bodies takes.
    pub(crate) fn origin(place: &Place, port: u16, rate: Option<u64>) -> Result<Self> {
        let this = std::env::current_exe()?;
        let this = this.to_str().context("a path is text")?;
        let (number, rate) = (port.to_string(), rate.map(|rate| rate.to_string()));
        let mut program = vec![this, "origin", "--port", &number];
        if let Some(rate) = &rate {
            program.extend(["--pace", rate]);
        }
        let folder = place.folder(&format!("origin {port}"))?;
        Self::start("direct", port, &LOAD_CORE.to_string(), &folder, &program)
    }

    /// The processes that serve.
    pub(crate) fn processes(&self) -> Result<Processes> {
        Processes::below(self.child.id())
    }

    /// Files and folders that it has made so far.
    pub(crate) fn files(&self) -> Result<u64> {
        leftovers::count(&self.folder)
    }

    /// Lines of its log so far.
    pub(crate) fn lines(&self) -> Result<u64> {
        let named = self.folder.join("access");
        let file = if named.exists() {
            named
        } else {
            self.folder.join("output")
        };
        let mut lines = 0;
        let mut log = BufReader::with_capacity(1 << 20, File::open(file)?);
        loop {
            let bytes = log.fill_buf()?;
            if bytes.is_empty() {
                return Ok(lines);
            }
            lines += bytes.split(|byte| *byte == b'\n').skip(1).count() as u64;
            let count = bytes.len();
            log.consume(count);
        }
    }

    fn wait(&mut self) -> Result<()> {
        let began = Instant::now();
        loop {
            let listens = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok();
            let ended = self.child.try_wait()?;
            if ended.is_some() || began.elapsed() > PATIENCE {
                let said = fs::read_to_string(self.folder.join("output"));
                bail!("{}", said.unwrap_or_default());
            }
            if listens {
                return Ok(());
            }
            pause(MOMENT);
        }
    }

    fn stop(&mut self) -> Result<()> {
        if self.child.try_wait()?.is_none()
            && let Some(process) = Pid::from_raw(self.child.id().cast_signed())
        {
            kill_process(process, Signal::TERM)?;
        }
        let began = Instant::now();
        while self.child.try_wait()?.is_none() {
            if began.elapsed() > PATIENCE {
                self.child.kill()?;
            }
            pause(MOMENT);
        }
        leftovers::set_aside(&self.folder)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("{}: {error:#}", self.name);
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "there is no runtime here to block"
)]
pub(crate) fn pause(time: Duration) {
    thread::sleep(time);
}
