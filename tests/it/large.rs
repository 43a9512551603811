//! Bodies larger than memory should be.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use crate::support::{
    Larder, Origin, Request, Setup, artifact, assert_bytes, assert_whole, bytes, within,
};

#[tokio::test]
async fn a_large_artifact_up_and_down_leaves_memory_alone() {
    const LARGE: usize = 100 << 20;
    let origin = Origin::start();
    let body = bytes(1, LARGE);
    let larder = Setup::before(&origin)
        .set("tier.memory.capacity", "16MiB")
        .start()
        .await;
    let mut client = larder.client();
    client.put(&artifact("warm-up"), &bytes(2, 100_000)).await;
    client
        .get(&artifact("warm-up"))
        .await
        .assert_body(&bytes(2, 100_000));
    let before = larder.process().resident();
    let peak = larder
        .process()
        .peak_during(async {
            assert_eq!(client.put(&artifact("aa"), &body).await.status, 202);
            client.get(&artifact("aa")).await.assert_body(&body);
            origin.hold("bb", &body);
            client.get(&artifact("bb")).await.assert_body(&body);
        })
        .await;
    let grown = peak.saturating_sub(before) >> 20;
    assert!(grown < 64, "grew by {grown} MiB");
    assert_eq!(
        (origin.gets("aa"), origin.gets("bb")),
        (0, 1),
        "the upload's download was a hit"
    );
}

/// Takes some of a body that is larger than what sockets buffer, looks at the server, and takes the rest.
async fn leaves_unread<I>(mut io: I, larder: &Larder, body: &[u8])
where
    I: AsyncRead + AsyncWrite + Unpin,
{
    let head = format!("GET {} HTTP/1.1\r\nhost: localhost\r\n", artifact("aa"));
    let ask = format!("{head}authorization: Bearer member\r\n\r\n");
    io.write_all(ask.as_bytes()).await.expect("a connection");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(within("the head", io.read_u8()).await.expect("a head"));
    }
    let mut taken = vec![0; body.len()];
    let (first, rest) = taken.split_at_mut(body.len() / 4);
    within("some", io.read_exact(first)).await.expect("a body");
    assert_eq!(larder.process().mapped("/v1/entries/"), [0]);
    within("the rest", io.read_exact(rest)).await.expect("all");
    assert_bytes(&taken, body);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_large_hit_leaves_from_its_file_and_nobody_reads_it() {
    let setup = Setup::alone();
    let socket = setup.directory().join("socket");
    let listen = format!(r#"["127.0.0.1:0", "unix:{}"]"#, socket.display());
    let larder = setup.toml("server.listen", &listen).start().await;
    let body = bytes(1, 64 << 20);
    let put = larder.client().put(&artifact("aa"), &body).await;
    assert_eq!(put.status, 202);

    let tcp = TcpStream::connect(larder.address()).await;
    leaves_unread(tcp.expect("a connection"), &larder, &body).await;
    let unix = UnixStream::connect(&socket).await;
    leaves_unread(unix.expect("a connection"), &larder, &body).await;
}

#[tokio::test]
async fn a_slow_reader_gets_all_of_a_large_entry_that_is_gone_meanwhile() {
    let larder = Larder::alone().await;
    let body = bytes(1, 64 << 20);
    let mut client = larder.client();
    assert_eq!(client.put(&artifact("aa"), &body).await.status, 202);
    let mut slow = larder.client();
    slow.send_head(&Request::new("GET", &artifact("aa"))).await;
    slow.read_head().await.expect("a head");
    let new = bytes(2, 100_000);
    assert_eq!(client.put(&artifact("aa"), &new).await.status, 202);
    client.get(&artifact("aa")).await.assert_body(&new);
    assert_whole(&slow.read_rest().await, &body);
}
