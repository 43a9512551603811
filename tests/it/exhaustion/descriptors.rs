//! Where the system gives no more files, or one address wants all connections.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use futures_util::future::join_all;

use super::{Guest, MIB, Stage, real, say, sized};
use crate::support::{Client, artifact, bytes, eventually, within};

/// Files that the process may have open.
const FILES: u64 = 64;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_files_newcomers_wait_and_whoever_is_there_goes_on() {
    // Fewer than wait in the queue of the system.
    let newcomers = sized(200, 900);
    let stage = Stage::new(MIB, |setup| setup).await;
    stage.holds("large", 4 << 20).await;
    let (small, large) = (bytes(0, 100_000), bytes(0, 4 << 20));
    let mut there = stage.larder.client();
    there.get(&artifact("rests")).await.assert_body(&small);
    stage.larder.process().limit_files(FILES);
    let story = async {
        let mut guests = Vec::new();
        for _ in 0..newcomers {
            guests.push(Guest::new(&stage.larder).await);
        }
        eventually("a shortage", async || {
            stage
                .larder
                .printed()
                .contains("connections cannot be accepted")
        })
        .await;
        there.get(&artifact("rests")).await.assert_body(&small);
        there.get(&artifact("large")).await.assert_body(&large);
        // Whether it can be kept is another question.
        let put = there.put(&artifact("late"), &small).await;
        assert_eq!(put.status, 202);
    };
    story.await;
    there.leave();
    eventually("a connection", async || {
        let mut client = stage.larder.client();
        within("an answer", client.get(&artifact("rests")))
            .await
            .is_hit()
    })
    .await;
    stage.serves("after a shortage").await;
    let again = stage.larder.client().get(&artifact("large")).await;
    again.assert_body(&large);
    assert!(again.is_hit(), "nothing is the worse for it");
}

/// Where this machine is for others; none where it is alone.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    // Nothing is sent: it tells by which address one would go there.
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback()).then_some(address)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_does_not_have_all_connections() {
    let Some(own) = own_address() else {
        say("this machine has no address but its own: nothing is shown");
        return;
    };
    let (most, more) = (20, 30);
    let stage = Stage::new(MIB, |setup| {
        setup
            .toml("server.listen", r#"["0.0.0.0:0"]"#)
            .toml("server.max_connections_per_address", &most.to_string())
    })
    .await;
    let address = SocketAddr::new(own, stage.larder.address().port());
    let connect = async || {
        let mut client = Client::new(address).token("member");
        let reply = client.get(&artifact("rests")).await;
        (client, reply.status)
    };
    let there = join_all((0..more).map(|_| connect())).await;
    let served = there.iter().filter(|(_, status)| *status == 200).count();
    assert_eq!(served, most, "the others are refused");
    assert!(stage.limited("connections-per-address").await >= real(more - most));
    stage.serves("beside an address with all it may have").await;
    drop(there);
    eventually("a place", async || connect().await.1 == 200).await;
}
