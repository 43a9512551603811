//! Listeners and connections on real sockets.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tokio::net::{TcpStream, UnixStream};
use tokio::sync::oneshot;

use super::*;
use crate::config::Listen;
use crate::metrics::Metrics;
use crate::server::{Listeners, Opening, Passed};
use crate::tasks::Tasks;

/// A running server.
struct Running {
    addresses: Vec<Listen>,
    service: Arc<Scripted>,
    metrics: Arc<Metrics>,
    tasks: Tasks,
    ended: oneshot::Receiver<()>,
}

impl Running {
    async fn start(listen: &[Listen], limits: Limits) -> Self {
        let listeners = Listeners::bind(listen).await.unwrap();
        let service = Scripted::new();
        let metrics = Arc::new(Metrics::new().unwrap());
        let tasks = Tasks::new();
        let (end, ended) = oneshot::channel();
        let running = Self {
            addresses: listeners.addresses(),
            service: Arc::clone(&service),
            metrics: Arc::clone(&metrics),
            tasks: tasks.clone(),
            ended,
        };
        tasks.clone().spawn(async move {
            listeners
                .run(service, limits.into(), tasks, Some(metrics))
                .await;
            end.send(()).ok();
        });
        running
    }

    async fn on_loopback() -> Self {
        Self::start(&[loopback()], limits()).await
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.addresses[0].to_string())
            .await
            .unwrap()
    }
}

fn loopback() -> Listen {
    Listen::Tcp {
        host: "127.0.0.1".to_owned(),
        port: 0,
    }
}

async fn ask_unix(path: &Path) -> String {
    let mut io = UnixStream::connect(path).await.unwrap();
    exchange(&mut io, b"GET /peer HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .1
}

#[tokio::test]
async fn what_is_remembered_of_a_client_is_its_connections_alone() {
    let server = Running::on_loopback().await;
    let (mut one, mut other) = (server.connect().await, server.connect().await);
    let ask = b"GET /before HTTP/1.1\r\nhost: x\r\n\r\n";
    for before in ["0", "1", "2"] {
        assert_eq!(exchange(&mut one, ask).await.1, before);
    }
    assert_eq!(exchange(&mut other, ask).await.1, "0");
}

#[tokio::test]
async fn a_connection_serves_one_request_after_another() {
    let server = Running::on_loopback().await;
    let mut io = server.connect().await;
    for _ in 0..3 {
        let (head, body) = exchange(&mut io, HELLO).await;
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert_eq!(body, "hello");
    }
    assert_eq!(server.metrics.connections.get(), 1);
    let put = b"PUT /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc";
    assert_eq!(exchange(&mut io, put).await.1, "abc");
}

#[tokio::test]
async fn a_head_that_is_not_whole_in_time_ends_the_connection() {
    let short = Limits {
        header_timeout: Duration::from_millis(150),
        ..limits()
    };
    let server = Running::start(&[loopback()], short).await;
    let mut kept = server.connect().await;
    exchange(&mut kept, HELLO).await;
    let mut dripping = server.connect().await;
    dripping.write_all(b"GET /hello HT").await.unwrap();
    assert_eq!(read_rest(&mut dripping).await, b"");
    assert_eq!(exchange(&mut kept, HELLO).await.1, "hello");
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_room() {
    let two = Limits {
        max_connections: 2,
        ..limits()
    };
    // Two listeners: neither may sit on room that the other needs.
    let server = Running::start(&[loopback(), loopback()], two).await;
    let mut first = server.connect().await;
    let mut second = server.connect().await;
    exchange(&mut first, HELLO).await;
    exchange(&mut second, HELLO).await;
    let mut third = TcpStream::connect(server.addresses[1].to_string())
        .await
        .unwrap();
    third.write_all(HELLO).await.unwrap();
    for _ in 0..10 {
        exchange(&mut second, HELLO).await;
    }
    assert_eq!(server.metrics.connections.get(), 2);
    assert_eq!(server.service.served.load(Ordering::Relaxed), 12);
    drop(first);
    assert!(read_head(&mut third).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn stopping_finishes_what_runs_and_closes_what_is_idle() {
    let server = Running::on_loopback().await;
    let mut idle = server.connect().await;
    exchange(&mut idle, HELLO).await;
    let mut fresh = server.connect().await;
    let mut busy = server.connect().await;
    busy.write_all(b"GET /stream HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    read_head(&mut busy).await;
    server.tasks.stop();
    assert_eq!(read_rest(&mut idle).await, b"");
    // Accepted or still in the queue: closed either way.
    fresh.read_to_end(&mut Vec::new()).await.ok();
    server.service.gate.add_permits(1);
    assert_eq!(read_rest(&mut busy).await, b"abcabc");
    let address = server.addresses[0].to_string();
    server.ended.await.unwrap();
    assert_eq!(server.metrics.connections.get(), 0);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_half_closed_client_still_gets_its_answer() {
    let server = Running::on_loopback().await;
    let mut io = server.connect().await;
    io.write_all(b"PUT /gate HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc")
        .await
        .unwrap();
    io.shutdown().await.unwrap();
    // By the time others have been served, the end has been seen while the answer still waits.
    let mut other = server.connect().await;
    for _ in 0..10 {
        exchange(&mut other, HELLO).await;
    }
    server.service.gate.add_permits(1);
    let answer = String::from_utf8(read_rest(&mut io).await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nabc"), "{answer}");
}

#[tokio::test]
async fn a_panic_is_the_faults_answer_and_costs_nobody_the_connection() {
    let server = Running::on_loopback().await;
    let mut io = server.connect().await;
    let (head, body) = exchange(&mut io, b"GET /panic HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 500 "), "{head}");
    assert_eq!(body, "fault");
    assert_eq!(exchange(&mut io, HELLO).await.1, "hello");
}

#[tokio::test]
async fn a_head_that_is_none_is_answered_and_the_connection_closed() {
    let server = Running::on_loopback().await;
    let long_line = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(20_000));
    let long_field = format!(
        "GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n",
        "a".repeat(20_000)
    );
    let many = format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", "x: y\r\n".repeat(80));
    let endless = "a".repeat(40_000);
    let cases = [
        ("nonsense\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nhost : x\r\n\r\n", "400"),
        (
            "PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: +5\r\n\r\n",
            "400",
        ),
        (&long_line, "431"),
        (&long_field, "431"),
        (&many, "431"),
        (&endless, "431"),
    ];
    for (request, status) in cases {
        let mut io = server.connect().await;
        io.write_all(request.as_bytes()).await.unwrap();
        let head = read_head(&mut io).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        assert!(head.contains("connection: close"), "{head}");
        assert_eq!(read_rest(&mut io).await, b"");
    }
    assert_eq!(server.service.served.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn an_address_in_use_is_one_clear_line() {
    let server = Running::on_loopback().await;
    let taken = server.addresses[0].clone();
    let error = Listeners::bind(std::slice::from_ref(&taken))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot listen at {taken}: another process listens there")
    );
}

#[tokio::test]
async fn a_name_is_resolved_and_what_does_not_exist_is_an_error() {
    let listen = |host: &str| Listen::Tcp {
        host: host.to_owned(),
        port: 0,
    };
    let server = Running::start(&[listen("localhost")], limits()).await;
    let mut io = server.connect().await;
    let (_, peer) = exchange(&mut io, b"GET /peer HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(peer.contains("is_local: true"), "{peer}");
    assert!(Listeners::bind(&[listen("nowhere.invalid")]).await.is_err());
    // An address of the documentation's own network: no machine has it.
    let error = Listeners::bind(&[listen("192.0.2.1")]).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot listen at 192.0.2.1:0: this machine has no such address"
    );
}

#[tokio::test]
async fn a_unix_socket_is_private_and_removed_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("larder.sock");
    let server = Running::start(&[Listen::Unix(path.clone())], limits()).await;
    assert_eq!(
        ask_unix(&path).await,
        "Peer { address: None, listener: ListenerId(0), is_local: true, is_secure: false }"
    );
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    server.tasks.stop();
    server.ended.await.unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn each_connection_knows_the_place_of_the_listener_it_came_by() {
    let folder = tempfile::tempdir().unwrap();
    let paths = ["a", "b", "c"].map(|name| folder.path().join(name));
    let listen = paths.clone().map(Listen::Unix);
    let server = Running::start(&listen, limits()).await;
    for _ in 0..2 {
        for (place, path) in paths.iter().enumerate() {
            let peer = ask_unix(path).await;
            assert!(peer.contains(&format!("ListenerId({place})")), "{peer}");
        }
    }
    server.tasks.stop();
    server.ended.await.unwrap();
}

#[tokio::test]
async fn a_unix_sockets_file_has_the_mode_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    for mode in [0o660, 0o666, 0o600] {
        let path = folder.path().join(format!("{mode:o}.sock"));
        let listen = [Listen::Unix(path.clone())];
        let opening = Opening::new(&listen, Passed::default());
        let mut opening = opening.with_socket_mode(mode);
        let _listeners = Listeners::open(&listen, &mut opening).await.unwrap();
        let file = fs::metadata(&path).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, mode);
    }
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("larder.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let listen = [Listen::Unix(path.clone())];
    let _server = Running::start(&listen, limits()).await;
    let error = Listeners::bind(&listen).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "cannot listen at unix:{}: another process listens there",
            path.display()
        )
    );
    ask_unix(&path).await;
}

#[tokio::test]
async fn a_file_in_the_way_of_a_unix_socket_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("precious");
    fs::write(&path, "precious").unwrap();
    assert!(
        Listeners::bind(&[Listen::Unix(path.clone())])
            .await
            .is_err()
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}
