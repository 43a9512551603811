//! Who comes in, in whose name: lists of networks, and headers of load balancers, over real sockets.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::*;
use crate::config::{Config, Flags, Listen, Server};
use crate::metrics::Metrics;
use crate::server::{Entrance, Listeners, Opening, Passed};
use crate::tasks::Tasks;

const WHO: &[u8] = b"GET /peer HTTP/1.1\r\nhost: x\r\n\r\n";
const HEADER: &[u8] = b"PROXY TCP4 203.0.113.5 192.0.2.1 56324 443\r\n";

/// A server at a port of loopback and at a unix socket.
struct House {
    address: SocketAddr,
    path: PathBuf,
    metrics: Arc<Metrics>,
    tasks: Tasks,
    _folder: tempfile::TempDir,
}

impl House {
    /// With these lists of `server.allow` and `server.proxy_protocol`.
    async fn open(allow: &str, forwarders: &str) -> Self {
        Self::open_for(allow, forwarders, limits()).await
    }

    async fn open_for(allow: &str, forwarders: &str, limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("larder.sock");
        let loopback = Listen::Tcp {
            host: "127.0.0.1".to_owned(),
            port: 0,
        };
        let metrics = Arc::new(Metrics::new().unwrap());
        let entrance = Entrance::new(&server(allow, forwarders), Arc::clone(&metrics));
        let listen = [loopback, Listen::Unix(path.clone())];
        let listeners = Listeners::bind(&listen).await.unwrap().behind(entrance);
        let address = listeners.addresses()[0].to_string().parse().unwrap();
        let tasks = Tasks::new();
        let running = listeners.run(Scripted::new(), limits.into(), tasks.clone(), None);
        tasks.spawn(running);
        Self {
            address,
            path,
            metrics,
            tasks,
            _folder: folder,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Who a client that sends `before` first is taken for.
    async fn taken_for(&self, before: &[u8]) -> String {
        let mut io = self.connect().await;
        io.write_all(before).await.unwrap();
        exchange(&mut io, WHO).await.1
    }

    fn refused(&self) -> [usize; 2] {
        let counted = |reason: &str| {
            let families = self.metrics.registry().gather();
            let name = "larder_connections_refused_total";
            let family = families.iter().find(|it| it.name() == name).unwrap();
            let series = family.get_metric().iter();
            let mut series = series.filter(|it| it.get_label()[0].value() == reason);
            series
                .next()
                .unwrap()
                .get_counter()
                .get_value()
                .to_string()
                .parse()
                .unwrap()
        };
        ["address", "proxy-protocol"].map(counted)
    }
}

/// What such lists are read as.
fn server(allow: &str, forwarders: &str) -> Server {
    let pairs = [
        ("LARDER_DATA_DIR", "/data"),
        ("LARDER_SERVER__ALLOW", allow),
        ("LARDER_SERVER__PROXY_PROTOCOL", forwarders),
        ("LARDER_CONFIG", "/dev/null"),
    ];
    let pairs = pairs.map(|(name, text)| (name.into(), text.into()));
    let environment = crate::config::Environment::new(pairs);
    let Config { server, .. } = crate::config::load(&Flags::default(), &environment)
        .unwrap()
        .config;
    server
}

/// What a client sees that is not let in: the end, and no reset.
async fn assert_closed(io: &mut (impl AsyncRead + Unpin)) {
    assert_eq!(read_rest(io).await, b"");
}

#[tokio::test]
async fn whoever_is_on_no_list_is_closed_at_once_and_counted() {
    let house = House::open("192.0.2.0/24, ::1", "").await;
    assert_closed(&mut house.connect().await).await;
    let mut hasty = house.connect().await;
    hasty.write_all(WHO).await.unwrap();
    // A reset may follow what arrives later, never an answer.
    let ended = hasty.read_to_end(&mut Vec::new()).await;
    assert!(
        matches!(ended, Ok(0))
            || ended.is_err_and(|it| it.kind() == io::ErrorKind::ConnectionReset)
    );
    let mut unix = UnixStream::connect(&house.path).await.unwrap();
    assert!(exchange(&mut unix, WHO).await.1.contains("address: None"));
    assert_eq!(house.refused(), [2, 0]);

    let house = House::open("127.0.0.0/8", "").await;
    assert!(house.taken_for(b"").await.contains("127.0.0.1:"));
    assert_eq!(house.refused(), [0, 0]);
}

#[tokio::test]
async fn a_balancer_says_for_whom_a_connection_is() {
    let house = House::open("", "127.0.0.1").await;
    let stranger = "Peer { address: Some(203.0.113.5:56324), listener: ListenerId(0), is_local: false, is_secure: false }";
    assert_eq!(house.taken_for(HEADER).await, stranger);
    let second =
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0f\xcb\0\x71\x05\xc0\0\x02\x01\xdc\x04\x01\xbb\x04\0\0";
    assert_eq!(house.taken_for(second).await, stranger);
    let near = house
        .taken_for(b"PROXY TCP4 127.0.0.9 127.0.0.1 5 6\r\n")
        .await;
    assert_eq!(
        near,
        "Peer { address: Some(127.0.0.9:5), listener: ListenerId(0), is_local: true, is_secure: false }"
    );
    for own in [&b"PROXY UNKNOWN\r\n"[..], b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"] {
        let own = house.taken_for(own).await;
        assert!(
            own.contains("Some(127.0.0.1:") && own.contains("is_local: true"),
            "{own}"
        );
    }
    assert_eq!(house.refused(), [0, 0]);
}

#[tokio::test]
async fn a_header_may_come_in_pieces_and_costs_nothing_that_follows() {
    let house = House::open("", "127.0.0.1").await;
    let mut io = house.connect().await;
    io.set_nodelay(true).unwrap();
    let (pieces, last) = HEADER.split_at(HEADER.len() - 1);
    for piece in pieces.chunks(9) {
        io.write_all(piece).await.unwrap();
        // Whoever else is served meanwhile, the server has had time to see the piece.
        house.taken_for(HEADER).await;
    }
    io.write_all(&[last, WHO, HELLO].concat()).await.unwrap();
    assert!(exchange(&mut io, b"").await.1.contains("203.0.113.5:56324"));
    assert_eq!(exchange(&mut io, b"").await.1, "hello");
    let told = exchange(&mut io, WHO).await.1;
    assert!(
        told.contains("203.0.113.5:56324"),
        "it holds for all of them: {told}"
    );
}

#[tokio::test]
async fn without_a_header_nothing_of_a_balancers_connection_is_read() {
    let short = Limits {
        header_timeout: Duration::from_millis(100),
        ..limits()
    };
    let house = House::open_for("", "127.0.0.1, unix", short).await;
    let endless = [b"PROXY UNKNOWN ".to_vec(), vec![b'x'; 200]].concat();
    let cases = [
        WHO,
        b"\r\n\r\nGET /",
        b"PROXY TCP4 nobody\r\n",
        &endless,
        b"PROXY ",
        b"",
    ];
    for (count, before) in cases.into_iter().enumerate() {
        let mut io = house.connect().await;
        io.write_all(before).await.unwrap();
        assert_closed(&mut io).await;
        assert_eq!(house.refused(), [0, count + 1], "{before:?}");
    }
    let mut unix = UnixStream::connect(&house.path).await.unwrap();
    unix.write_all(WHO).await.unwrap();
    assert_closed(&mut unix).await;
    assert_eq!(house.refused(), [0, 7]);
    // A balancer that only looks whether the port is open.
    let mut probe = house.connect().await;
    probe.shutdown().await.unwrap();
    assert_closed(&mut probe).await;
    assert_eq!(house.refused(), [0, 7]);
    let mut half = house.connect().await;
    half.write_all(b"PROXY T").await.unwrap();
    half.shutdown().await.unwrap();
    assert_closed(&mut half).await;
    assert_eq!(house.refused(), [0, 8]);
}

#[tokio::test]
async fn a_header_from_anybody_else_is_a_bad_request() {
    for forwarders in ["", "192.0.2.0/24", "unix"] {
        let house = House::open("", forwarders).await;
        for header in [HEADER, b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"] {
            let mut io = house.connect().await;
            io.write_all(&[header, WHO].concat()).await.unwrap();
            let head = read_head(&mut io).await;
            assert!(head.starts_with("HTTP/1.1 400 "), "{forwarders} {head}");
        }
    }
}

#[tokio::test]
async fn the_list_judges_whom_a_connection_is_for() {
    let house = House::open("203.0.113.0/24", "127.0.0.1, unix").await;
    assert!(house.taken_for(HEADER).await.contains("203.0.113.5"));
    let mut unix = UnixStream::connect(&house.path).await.unwrap();
    unix.write_all(HEADER).await.unwrap();
    let told = exchange(&mut unix, WHO).await.1;
    assert!(
        told.contains("203.0.113.5") && told.contains("is_local: false"),
        "{told}"
    );
    for refused in [
        &b"PROXY TCP4 198.51.100.1 192.0.2.1 1 2\r\n"[..],
        b"PROXY UNKNOWN\r\n",
    ] {
        let mut io = house.connect().await;
        io.write_all(refused).await.unwrap();
        assert_closed(&mut io).await;
    }
    let mut unix = UnixStream::connect(&house.path).await.unwrap();
    unix.write_all(b"PROXY TCP6 2001:db8::5 ::1 1 2\r\n")
        .await
        .unwrap();
    assert_closed(&mut unix).await;
    assert_eq!(house.refused(), [3, 0]);
}

#[tokio::test]
async fn a_balancer_that_says_nothing_does_not_hold_up_a_stop() {
    let patient = Limits {
        header_timeout: Duration::from_hours(1),
        ..limits()
    };
    let house = House::open_for("", "127.0.0.1", patient).await;
    let mut silent = house.connect().await;
    house.taken_for(HEADER).await;
    house.tasks.stop();
    let closed = timeout(Duration::from_secs(10), assert_closed(&mut silent));
    closed.await.unwrap();
    assert_eq!(house.tasks.drain(Duration::from_secs(10)).await, 0);
}

async fn open(listen: &[&str]) -> Listeners {
    let listen: Vec<Listen> = listen
        .iter()
        .map(|text| {
            let address: SocketAddr = text.parse().unwrap();
            Listen::Tcp {
                host: address.ip().to_string(),
                port: address.port(),
            }
        })
        .collect();
    let mut opening = Opening::new(&listen, Passed::default());
    Listeners::open(&listen, &mut opening).await.unwrap()
}

fn serve(listeners: Listeners, metrics: &Arc<Metrics>) -> Tasks {
    let tasks = Tasks::new();
    let entrance = Entrance::new(&server("127.0.0.1, ::1", ""), Arc::clone(metrics));
    let running = listeners.behind(entrance);
    tasks.spawn(running.run(Scripted::new(), limits().into(), tasks.clone(), None));
    tasks
}

/// Whether this machine has IPv6 at all: without, there is nothing to see.
async fn has_ipv6() -> bool {
    tokio::net::TcpListener::bind("[::1]:0").await.is_ok()
}

#[tokio::test]
async fn every_address_is_that_of_both_families_and_ipv4_is_judged_as_such() {
    if !has_ipv6().await {
        return;
    }
    let listeners = open(&["[::]:0"]).await;
    let port = listeners.addresses()[0].to_string();
    let port: u16 = port.rsplit_once(':').unwrap().1.parse().unwrap();
    let metrics = Arc::new(Metrics::new().unwrap());
    let _tasks = serve(listeners, &metrics);
    for (host, shown) in [("127.0.0.1", "Some(127.0.0.1:"), ("::1", "Some([::1]:")] {
        let mut io = TcpStream::connect((host, port)).await.unwrap();
        let peer = exchange(&mut io, WHO).await.1;
        assert!(peer.contains(shown), "{peer}");
    }
}

#[tokio::test]
async fn both_families_may_have_a_listener_each_at_one_port_in_either_order() {
    if !has_ipv6().await {
        return;
    }
    for turned in [false, true] {
        let free = open(&["[::]:0"]).await.addresses()[0].to_string();
        let port = free.rsplit_once(':').unwrap().1.to_owned();
        let (four, six) = (format!("0.0.0.0:{port}"), format!("[::]:{port}"));
        let mut both = [six.as_str(), &four];
        if turned {
            both.reverse();
        }
        let listeners = open(&both).await;
        let addresses = listeners.addresses();
        assert_eq!(
            addresses
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>(),
            both
        );
        let metrics = Arc::new(Metrics::new().unwrap());
        let _tasks = serve(listeners, &metrics);
        for host in ["127.0.0.1", "::1"] {
            let mut io = TcpStream::connect((host, port.parse().unwrap()))
                .await
                .unwrap();
            assert_eq!(exchange(&mut io, HELLO).await.1, "hello");
        }
    }
}
