//! Under a service manager: sockets that it passes, and what it hears of the process.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixDatagram, UnixStream};

use crate::support::{
    Certificate, Client, Process, Setup, artifact, error_code, eventually, within,
};

/// Makes two sockets the descriptors 3 and 4, as systemd does.
const PASS: &str =
    r#"exec 3<&0 4<&1 0</dev/null 1>&2; LISTEN_PID=$$ exec "$0" serve --config "$1""#;

/// A service manager that has a socket of each kind.
struct Manager {
    notices: UnixDatagram,
    path: PathBuf,
    tcp: TcpListener,
    unix: UnixListener,
    setup: Setup,
}

impl Manager {
    fn new() -> Self {
        let setup = Setup::alone();
        let path = setup.directory().join("notify");
        let socket = setup.directory().join("web.sock");
        Self {
            notices: UnixDatagram::bind(&path).expect("a socket"),
            path,
            tcp: TcpListener::bind("127.0.0.1:0").expect("a port"),
            unix: UnixListener::bind(socket).expect("a socket"),
            setup,
        }
    }

    /// Starts the binary with both sockets, called so, and with these listeners.
    fn start(&self, names: &str, data: &str, admin: &str) -> Process {
        let setup = self.setup.clone();
        let setup = setup.set("server.listen", data).set("admin.listen", admin);
        self.start_as(names, &setup)
    }

    fn start_as(&self, names: &str, setup: &Setup) -> Process {
        let mut command = setup.script(PASS);
        command
            .env("LISTEN_FDS", "2")
            .env("LISTEN_FDNAMES", names)
            .env("NOTIFY_SOCKET", &self.path)
            .env("WATCHDOG_USEC", "200000");
        let tcp: OwnedFd = self.tcp.try_clone().expect("a descriptor").into();
        let unix: OwnedFd = self.unix.try_clone().expect("a descriptor").into();
        Process::spawn_with(command, [tcp, unix])
    }

    /// The next notice that begins with `word`, past those about the watchdog.
    async fn hears(&self, word: &str) -> String {
        let mut bytes = [0; 1024];
        loop {
            let heard = within(word, self.notices.recv(&mut bytes)).await;
            let text = String::from_utf8_lossy(&bytes[..heard.expect("a notice")]).into_owned();
            if text.starts_with(word) {
                return text;
            }
            assert_eq!(text, "WATCHDOG=1", "while waiting for {word}");
        }
    }

    fn client(&self) -> Client {
        Client::new(self.tcp.local_addr().expect("an address")).token("member")
    }

    async fn ask_unix(&self, target: &str) -> String {
        let path = self.setup.directory().join("web.sock");
        let mut stream = UnixStream::connect(path).await.expect("a socket");
        let request =
            format!("GET {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("room");
        let mut answer = String::new();
        let reading = stream.read_to_string(&mut answer);
        within("an answer", reading).await.expect("an answer");
        answer
    }
}

#[tokio::test]
async fn passed_sockets_are_listened_at_and_outlive_the_process() {
    let manager = Manager::new();
    // Whoever comes before there is a process waits for it.
    let mut client = manager.client();
    let life = async {
        let mut process = manager.start("web:admin", "systemd:web", "systemd:admin");
        let ready = manager.hears("READY=1").await;
        let address = manager.tcp.local_addr().expect("an address");
        assert_eq!(ready, format!("READY=1\nSTATUS=serving at {address}"));
        assert!(
            manager
                .ask_unix("/readyz")
                .await
                .contains("\r\n\r\nready\n")
        );
        manager.hears("WATCHDOG=1").await;
        manager.hears("WATCHDOG=1").await;
        process.hang_up();
        let reloading = manager.hears("RELOADING=1").await;
        assert!(reloading.contains("\nMONOTONIC_USEC="), "{reloading}");
        manager.hears("READY=1").await;
        process.terminate();
        manager.hears("STOPPING=1").await;
        let exit = process.exit().await;
        assert_eq!(exit.code, Some(0), "{}", exit.stderr);
        assert!(!exit.stderr.contains("nobody listens"), "{}", exit.stderr);
    };
    let (early, ()) = tokio::join!(client.get("/v8/artifacts/status"), life);
    // Not known to be on this machine alone: a list judges.
    assert_eq!(early.status, 401);
    assert!(manager.setup.directory().join("web.sock").exists());
    let mut process = manager.start("web:admin", "systemd", "systemd:admin");
    manager.hears("READY=1").await;
    assert_eq!(
        manager.client().get("/v8/artifacts/status").await.status,
        401
    );
    process.terminate();
    process.exit().await;
}

#[tokio::test]
async fn a_configuration_read_on_the_way_out_is_no_new_beginning() {
    let manager = Manager::new();
    let setup = manager.setup.clone();
    let setup = setup
        .set("server.listen", "systemd:web")
        .set("admin.listen", "systemd:admin")
        .set("server.drain_delay", "60s");
    let mut process = manager.start_as("web:admin", &setup);
    manager.hears("READY=1").await;
    process.terminate();
    manager.hears("STOPPING=1").await;
    process.hang_up();
    eventually("the configuration to be read", async || {
        let log = process.printed_errors();
        log.contains("the configuration was read once more")
    })
    .await;
    manager.hears("WATCHDOG=1").await;
    process.terminate();
    process.exit().await;
    let mut bytes = [0; 1024];
    while let Ok(length) = manager.notices.try_recv(&mut bytes) {
        let text = String::from_utf8_lossy(&bytes[..length]);
        assert_eq!(text, "WATCHDOG=1");
    }
}

#[tokio::test]
async fn a_process_without_a_descriptor_left_is_alive_to_its_manager() {
    let manager = Manager::new();
    let mut process = manager.start("web:admin", "systemd:web", "systemd:admin");
    manager.hears("READY=1").await;
    // Below what it holds: none can be added.
    process.limit_files(3);
    // One may have been on its way.
    while manager.notices.try_recv(&mut [0; 64]).is_ok() {}
    manager.hears("WATCHDOG=1").await;
    manager.hears("WATCHDOG=1").await;
    process.terminate();
    manager.hears("STOPPING=1").await;
    process.exit().await;
}

#[tokio::test]
async fn what_no_key_names_is_all_the_rest_or_told() {
    let manager = Manager::new();
    let mut process = manager.start("one:two", "systemd", "127.0.0.1:0");
    let ready = manager.hears("READY=1").await;
    let address = manager.tcp.local_addr().expect("an address");
    let path = manager.setup.directory().join("web.sock");
    let both = format!(
        "READY=1\nSTATUS=serving at {address}, unix:{}",
        path.display()
    );
    assert_eq!(ready, both);
    let answer = manager.ask_unix("/v8/artifacts/status").await;
    assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
    process.terminate();
    manager.hears("STOPPING=1").await;
    process.exit().await;

    let mut process = manager.start("one:two", "systemd:one", "127.0.0.1:0");
    manager.hears("READY=1").await;
    process.terminate();
    let exit = process.exit().await;
    assert!(
        exit.stderr.contains("nobody listens at a socket"),
        "{}",
        exit.stderr
    );
    assert!(exit.stderr.contains("two"), "{}", exit.stderr);
}

#[tokio::test]
async fn a_table_takes_passed_sockets_which_speak_tls_over_tcp_unless_it_says_otherwise() {
    let certificate = Certificate::new();
    for (said, over_tcp, over_unix) in [
        ("", true, false),
        (", tls = true", true, true),
        (", tls = false", false, false),
    ] {
        let manager = Manager::new();
        let table =
            |name: &str| format!(r#"{{ address = "systemd:{name}", access = "open"{said} }}"#);
        let setup = manager.setup.clone().secured(&certificate);
        let setup = setup
            .unset("server.listen")
            .toml("listener.tcp", &table("web"));
        let setup = setup.toml("listener.unix", &table("sock"));
        let mut process = manager.start_as("web:sock", &setup);
        let ready = manager.hears("READY=1").await;
        let (address, path) = (
            manager.tcp.local_addr().expect("an address"),
            manager.setup.directory().join("web.sock"),
        );
        let both = format!("serving at {address}, unix:{}", path.display());
        assert!(ready.ends_with(&both), "{ready}");

        let trust = over_tcp.then(|| certificate.trust());
        let mut tcp = manager.client().trusting(trust);
        assert_eq!(tcp.get(&artifact("aa")).await.status, 404, "{said}");
        let told = Client::of_socket(&path).get(&artifact("aa")).await;
        if over_unix {
            assert_eq!(error_code(&told), "tls_required", "{said}");
        } else {
            assert_eq!(told.status, 404, "{said}");
        }
        process.terminate();
        let exit = process.exit().await;
        assert_eq!(exit.code, Some(0), "{}", exit.stderr);
        let secured = exit.stderr.matches("speaks=\"TLS\"").count();
        let expected = usize::from(over_tcp) + usize::from(over_unix);
        assert_eq!(secured, expected, "{}", exit.stderr);
    }
}

#[tokio::test]
async fn a_socket_that_was_not_passed_is_a_mistake_in_one_line() {
    let manager = Manager::new();
    let mut process = manager.start("web:admin", "systemd:wbe", "systemd:admin");
    let exit = process.exit().await;
    assert_eq!(exit.code, Some(2), "{}", exit.stderr);
    let line = "cannot listen at systemd:wbe: the service manager passed no socket of that name, but web, admin";
    assert!(exit.stderr.contains(line), "{}", exit.stderr);
    let mut process = manager.start("one:one", "systemd", "systemd:one");
    let exit = process.exit().await;
    assert_eq!(exit.code, Some(2), "{}", exit.stderr);
    assert!(
        exit.stderr.contains("is listened at under its name"),
        "{}",
        exit.stderr
    );
    // Another process's variables, as a child would find them.
    let setup = manager.setup.clone().set("server.listen", "systemd");
    let others = r#"LISTEN_PID=1 LISTEN_FDS=1 exec "$0" serve --config "$1""#;
    let exit = Process::spawn(setup.script(others)).exit().await;
    assert_eq!(exit.code, Some(2), "{}", exit.stderr);
    let line = "cannot listen at systemd: the service manager passed no socket";
    assert!(exit.stderr.contains(line), "{}", exit.stderr);
    // What is announced and not there.
    let absent = r#"LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" serve --config "$1" 3<&-"#;
    let exit = Process::spawn(setup.script(absent)).exit().await;
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    assert!(exit.stderr.contains("not a socket"), "{}", exit.stderr);
}
