//! What the service manager hears of the process: ready, reloading, stopping, alive (`sd_notify`).
//!
//! Where nobody wants to hear it, nothing is said.

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::io;
#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

use crate::config::Supervisor;

/// How long a notice may wait for room with a service manager that does not read.
const PATIENCE: Duration = Duration::from_secs(1);

/// The service manager, as far as there is one that wants to hear.
#[derive(Debug)]
pub struct Notices {
    watchdog: Option<Duration>,
    /// Told one thing at a time: nothing is to overtake the end.
    manager: Option<Mutex<Manager>>,
}

/// Who listens, and the way there.
#[derive(Debug)]
struct Manager {
    name: OsString,
    /// Kept once it is there: a process that has no descriptor left is not to look dead.
    socket: Option<tokio::net::UnixDatagram>,
    /// There was no room for the last notice.
    is_stuck: bool,
    /// It has heard that the process ends.
    expects_the_end: bool,
}

/// How long a notice is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    /// Until the process says that it ends.
    TheEnd,
    /// As long as there is a process.
    Gone,
}

// === impl Notices ===

impl Notices {
    /// For whom `supervisor` names.
    #[must_use]
    pub fn new(supervisor: &Supervisor) -> Self {
        Self {
            watchdog: supervisor.watchdog,
            manager: supervisor.notices.clone().map(Manager::new),
        }
    }

    /// It takes work, and does what `status` says in a line. Not heard once it has said that it ends.
    pub async fn ready(&self, status: &str) {
        let text = format!("READY=1\nSTATUS={status}");
        self.say(&text, Until::TheEnd).await;
    }

    /// It reads its configuration once more, and will say when it has. Not heard once it has said that it ends.
    pub async fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let (seconds, micros) = (now.tv_sec, now.tv_nsec / 1000);
        let text = format!(
            "RELOADING=1\nMONOTONIC_USEC={seconds}{micros:06}\nSTATUS=reading the configuration once more"
        );
        self.say(&text, Until::TheEnd).await;
    }

    /// It ends, in the way that `status` says in a line.
    pub async fn stopping(&self, status: &str) {
        let Some(manager) = &self.manager else {
            return;
        };
        let mut manager = manager.lock().await;
        manager.expects_the_end = true;
        manager.tell(&format!("STOPPING=1\nSTATUS={status}")).await;
    }

    /// Says again and again that the process works, as long as it does: the runtime's timer is turned by those
    /// of its threads that have a hand free, and by no other. Never ends.
    pub async fn keep_alive(&self) -> Infallible {
        let Some(deadline) = self.watchdog.filter(|_| self.manager.is_some()) else {
            return std::future::pending().await;
        };
        loop {
            sleep(deadline / 2).await;
            self.say("WATCHDOG=1", Until::Gone).await;
        }
    }

    async fn say(&self, text: &str, until: Until) {
        let Some(manager) = &self.manager else {
            return;
        };
        let mut manager = manager.lock().await;
        if until == Until::Gone || !manager.expects_the_end {
            manager.tell(text).await;
        }
    }
}

// === impl Manager ===

impl Manager {
    fn new(name: OsString) -> Mutex<Self> {
        Mutex::new(Self {
            name,
            socket: None,
            is_stuck: false,
            expects_the_end: false,
        })
    }

    async fn tell(&mut self, text: &str) {
        if self.is_stuck {
            // Somebody else may listen by now; without a descriptor left it is this way or none.
            if let Ok(socket) = connect(&self.name) {
                self.socket = Some(socket);
            }
        }
        let sent = timeout(PATIENCE, self.send(text.as_bytes())).await;
        self.is_stuck = sent.is_err();
        if let Err(error) = sent.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            tracing::warn!(%error, "the service manager cannot be told of this process");
        }
    }

    /// Sends one datagram.
    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(socket) = &self.socket
            && socket.send(bytes).await.is_ok()
        {
            return Ok(());
        }
        // The first, or whoever listens is another one by now.
        let socket = self.socket.insert(connect(&self.name)?);
        socket.send(bytes).await?;
        Ok(())
    }
}

/// A socket of its own to whoever listens at `name`.
fn connect(name: &OsStr) -> io::Result<tokio::net::UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address(name)?)?;
    socket.set_nonblocking(true)?;
    tokio::net::UnixDatagram::from_std(socket)
}

/// Where `socket` is: an absolute path, or `@` and a name in no folder.
fn address(socket: &OsStr) -> io::Result<SocketAddr> {
    match socket.as_bytes() {
        [b'/', ..] => SocketAddr::from_pathname(Path::new(socket)),
        #[cfg(target_os = "linux")]
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixDatagram;

    use super::*;

    async fn heard(manager: &UnixDatagram) -> String {
        let mut bytes = [0; 512];
        let hearing = timeout(Duration::from_secs(10), manager.recv(&mut bytes));
        let length = hearing.await.unwrap().unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }

    fn notices(socket: &OsStr, watchdog: Option<Duration>) -> Notices {
        Notices::new(&Supervisor {
            notices: Some(socket.to_owned()),
            watchdog,
            ..Supervisor::default()
        })
    }

    #[tokio::test]
    async fn a_service_manager_hears_each_turn_of_a_life() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let notices = notices(path.as_os_str(), None);
        notices.ready("serving").await;
        assert_eq!(heard(&manager).await, "READY=1\nSTATUS=serving");
        notices.reloading().await;
        let reloading = heard(&manager).await;
        let usec = reloading
            .lines()
            .find_map(|line| line.strip_prefix("MONOTONIC_USEC="));
        assert!(usec.unwrap().parse::<u64>().unwrap() > 0);
        assert!(reloading.starts_with("RELOADING=1\n"), "{reloading}");
        notices.stopping("finishing").await;
        assert_eq!(heard(&manager).await, "STOPPING=1\nSTATUS=finishing");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_name_in_no_folder_is_found_too() {
        let folder = tempfile::tempdir().unwrap();
        let name = format!("@larder{}", folder.path().display());
        let address = SocketAddr::from_abstract_name(&name.as_bytes()[1..]).unwrap();
        let manager = std::os::unix::net::UnixDatagram::bind_addr(&address).unwrap();
        manager.set_nonblocking(true).unwrap();
        let manager = UnixDatagram::from_std(manager).unwrap();
        notices(OsStr::new(&name), None).ready("serving").await;
        assert_eq!(heard(&manager).await, "READY=1\nSTATUS=serving");
    }

    #[tokio::test]
    async fn nobody_who_listens_and_nobody_who_reads_are_no_obstacles() {
        notices(OsStr::new("/nowhere/notify"), None)
            .ready("x")
            .await;
        notices(OsStr::new("vsock:2:1"), None).ready("x").await;
        Notices::new(&Supervisor::default()).ready("x").await;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let _silent = UnixDatagram::bind(&path).unwrap();
        let notices = notices(path.as_os_str(), None);
        tokio::time::pause();
        for _ in 0..2000 {
            notices.ready("x").await;
        }
    }

    #[tokio::test]
    async fn who_has_heard_of_the_end_hears_of_no_new_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let notices = notices(path.as_os_str(), Some(Duration::from_millis(2)));
        notices.reloading().await;
        assert!(heard(&manager).await.starts_with("RELOADING=1\n"));
        notices.stopping("finishing").await;
        notices.ready("serving").await;
        notices.reloading().await;
        assert_eq!(heard(&manager).await, "STOPPING=1\nSTATUS=finishing");
        tokio::select! {
            never = notices.keep_alive() => match never {},
            next = heard(&manager) => assert_eq!(next, "WATCHDOG=1", "it works until it is gone"),
        }
    }

    #[tokio::test]
    async fn the_way_to_the_manager_is_kept_and_made_anew_where_it_leads_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let first = UnixDatagram::bind(&path).unwrap();
        let notices = notices(path.as_os_str(), None);
        notices.ready("one").await;
        assert_eq!(heard(&first).await, "READY=1\nSTATUS=one");
        // Nobody could find it any more.
        std::fs::remove_file(&path).unwrap();
        notices.ready("two").await;
        assert_eq!(heard(&first).await, "READY=1\nSTATUS=two");
        drop(first);
        notices.ready("lost").await;
        let second = UnixDatagram::bind(&path).unwrap();
        notices.ready("three").await;
        assert_eq!(heard(&second).await, "READY=1\nSTATUS=three");
    }

    #[test]
    fn the_watchdog_hears_of_a_runtime_that_works_and_of_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
        let hears_within = |time| {
            manager.set_read_timeout(Some(time)).unwrap();
            manager.recv(&mut [0; 64]).is_ok()
        };
        let watched = notices(path.as_os_str(), Some(Duration::from_millis(2)));
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
        let (release, held) = std::sync::mpsc::channel::<()>();
        let (is_held, holds) = std::sync::mpsc::channel();
        let (end, is_over) = tokio::sync::oneshot::channel::<()>();
        let handle = runtime.handle().clone();
        let saying = std::thread::spawn(move || {
            handle.block_on(async {
                tokio::select! {
                    never = watched.keep_alive() => match never {},
                    _ = is_over => {}
                }
            });
        });
        assert!(hears_within(Duration::from_secs(10)));
        runtime.spawn(async move {
            is_held.send(()).unwrap();
            held.recv().ok();
        });
        holds.recv().unwrap();
        // What was on its way by then.
        while hears_within(Duration::from_millis(50)) {}
        assert!(!hears_within(Duration::from_millis(100)));
        drop(release);
        assert!(hears_within(Duration::from_secs(10)));
        drop(end);
        saying.join().unwrap();
    }
}
