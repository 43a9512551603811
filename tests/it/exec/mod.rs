//! A Larder beside one command: the command's code, its output, its signals, and what is said at its end.

mod alone;
mod ends;
mod saved;
mod surroundings;

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Pid, test_kill_process};

use crate::support::{Client, Exit, Process, Setup, eventually};

/// Says where it was led, waits for a word, and exits with that.
const STORY: &str = r#"
echo $$ >pid
echo "TURBO_API=$TURBO_API"
read code < gate
exit "$code"
"#;

/// A command that runs beside its Larder, and waits.
struct Job {
    process: Process,
    api: SocketAddr,
    folder: PathBuf,
    /// Where it waits; open both ways, so that neither side waits for the other.
    gate: File,
}

impl Job {
    /// The usual one.
    async fn start(setup: &Setup, flags: &str) -> Self {
        Self::tell(setup, flags, STORY).await
    }

    /// Starts a shell on `story`, which says where it was led before anything else.
    async fn tell(setup: &Setup, flags: &str, story: &str) -> Self {
        let folder = setup.directory();
        std::fs::write(folder.join("story.sh"), story).expect("a file");
        let gate = folder.join("gate");
        std::fs::remove_file(&gate).ok();
        mknodat(CWD, &gate, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a gate");
        let gate = OpenOptions::new().read(true).write(true).open(gate);
        let script = format!(r#"exec "$0" exec --config "$1" {flags} -- /bin/sh story.sh"#);
        let mut process = Process::spawn(setup.script(&script));
        let api = SocketAddr::from(([127, 0, 0, 1], process.port().await));
        Self {
            process,
            api,
            folder: folder.to_owned(),
            gate: gate.expect("the gate"),
        }
    }

    fn client(&self) -> Client {
        Client::new(self.api).token("member")
    }

    /// Lets it go on, to this exit code.
    fn release(&mut self, code: &str) {
        writeln!(self.gate, "{code}").expect("somebody reads");
    }

    /// Waits until the command of the usual story has ended, and Larder knows.
    async fn over(&self) {
        let pid = std::fs::read_to_string(self.folder.join("pid")).expect("its number");
        let pid = pid.trim().parse().ok().and_then(Pid::from_raw);
        let pid = pid.expect("a number");
        eventually("the command's end", async || {
            test_kill_process(pid).is_err()
        })
        .await;
    }

    async fn exit(&mut self) -> Exit {
        self.process.exit().await
    }

    async fn end(&mut self, code: &str) -> Exit {
        self.release(code);
        self.exit().await
    }
}

/// Runs a shell's `script` beside a Larder to its end.
async fn run(setup: &Setup, flags: &[&str], script: &str) -> Exit {
    let before = ["exec", "--config", "{config}"];
    let after = ["--", "/bin/sh", "-c", script];
    setup.run(&[&before, flags, &after].concat()).await
}
