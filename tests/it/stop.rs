//! A stop in the middle of everything: what can be finished is finished, what cannot ends visibly.

use std::fs;
use std::path::PathBuf;

use tokio::net::TcpStream;
use tokio::time::{Duration, Instant};

use crate::put::announced;
use crate::support::{
    Client, Ended, Larder, Origin, Reply, Request, Seen, Setup, artifact, assert_bytes,
    assert_whole, bytes, eventually, script,
};

const MIB: usize = 1 << 20;
/// More than the sockets between two processes hold.
const LARGE: usize = 24 * MIB;
/// Enough for a draft on the disk.
const SOME: usize = MIB;

/// A Larder with everything under way at once.
struct Fire {
    origin: Origin,
    larder: Larder,
    /// Each has read the first half of a fill that goes through a draft.
    readers: Vec<Client>,
    /// Has read the head of a large hit, and none of its body.
    slow: Client,
    /// Has sent half of its upload, and the upstream has seen some of it.
    half: Client,
    /// Has sent its upload whole; the upstream has it and says nothing.
    unanswered: Client,
    /// Has sent the first chunk of its upload.
    chunked: Client,
    /// Waits for a hit, and Larder for the upstream's word about the caller.
    judged: Client,
    /// Has a connection, and nothing to ask.
    idle: Client,
}

/// Which body belongs to which hash.
fn body_of(hash: &str) -> Vec<u8> {
    match hash {
        "large" => bytes(1, LARGE),
        "small" => bytes(2, 5000),
        "filled" => bytes(3, SOME),
        "half" => bytes(4, SOME),
        "unanswered" => bytes(5, SOME),
        _ => bytes(6, SOME),
    }
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

fn drafts(setup: &Setup) -> Vec<PathBuf> {
    let tmp = fs::read_dir(setup.data_dir().join("v1/tmp")).expect("a folder of the tier");
    tmp.map(|file| file.expect("a folder's entry").path())
        .collect()
}

async fn ask(client: &mut Client, hash: &str) {
    client
        .send_head(&Request::new("GET", &artifact(hash)))
        .await;
}

#[track_caller]
fn assert_accepted(reply: &Reply) {
    assert_eq!((reply.status, reply.ended), (202, Ended::Whole));
}

/// Asserts that a body broke off visibly, and that what came of it is its beginning.
#[track_caller]
fn assert_cut((arrived, ended): &(Vec<u8>, Ended), rest: &[u8]) {
    assert_eq!(*ended, Ended::Cut);
    assert!(arrived.len() < rest.len());
    assert_bytes(arrived, &rest[..arrived.len()]);
}

// === impl Fire ===

impl Fire {
    async fn new(grace: &str) -> Self {
        let origin = Origin::start();
        let larder = Setup::before(&origin)
            .set("server.shutdown_grace", grace)
            .set("tier.memory.max_artifact", "64KiB")
            // What waits for the test waits as long as that takes.
            .set("upstream.probe_timeout", "10m")
            .set("upstream.first_byte_timeout", "10m")
            .set("upstream.idle_timeout", "10m")
            .set("upload.patience", "10m")
            .start()
            .await;
        let client = || larder.client();
        let mut fire = Self {
            readers: vec![client(), client(), client()],
            slow: client(),
            half: client(),
            unanswered: client(),
            chunked: client(),
            judged: larder.client_as("colleague"),
            idle: client(),
            origin,
            larder,
        };
        fire.hold_hits().await;
        fire.fill().await;
        fire.upload().await;
        eventually("four drafts", async || {
            drafts(fire.larder.setup()).len() == 4
        })
        .await;
        fire.ask_for_hits().await;
        fire
    }

    /// The hits of the story, by a client that has nothing to do from then on.
    async fn hold_hits(&mut self) {
        for hash in ["large", "small"] {
            let reply = self.idle.put(&artifact(hash), &body_of(hash)).await;
            assert_accepted(&reply);
        }
    }

    async fn fill(&mut self) {
        let body = body_of("filled");
        let (one, other) = body.split_at(SOME / 2);
        let halved = script().head(200).length(SOME).chunk(one);
        self.origin
            .once("GET", "filled", halved.hold("fill").chunk(other));
        for reader in &mut self.readers {
            ask(reader, "filled").await;
            reader.read_head().await.expect("a head");
            assert_bytes(&reader.read_some(one.len()).await, one);
        }
    }

    async fn upload(&mut self) {
        self.half.send_head(&announced("half", SOME)).await;
        self.half.send(&body_of("half")[..SOME / 2]).await;
        let is_on_its_way = |seen: &Seen| seen.is("PUT", "half") && !seen.body.is_empty();
        self.origin.until("some of it", is_on_its_way).await;

        let held = script().hold("upload").usual();
        self.origin.once("PUT", "unanswered", held);
        let whole = announced("unanswered", SOME).body(&body_of("unanswered"));
        self.unanswered.send_whole(&whole).await;
        self.origin.wait_at("upload").await;

        let in_chunks = Request::new("PUT", &artifact("chunked")).chunked();
        self.chunked.send_head(&in_chunks).await;
        let first = chunk(&body_of("chunked")[..SOME / 2]);
        self.chunked.send(&first).await;
    }

    async fn ask_for_hits(&mut self) {
        ask(&mut self.slow, "large").await;
        let head = self.slow.read_head().await.expect("a head");
        assert_eq!(head.get("cache-status"), Some("larder; hit; detail=disk"));
        let verdict = script().hold("verdict").usual();
        self.origin.once("HEAD", "small", verdict);
        ask(&mut self.judged, "small").await;
        self.origin.wait_at("verdict").await;
    }

    /// Asks it to stop, and waits until it does.
    async fn terminate(&self) {
        self.larder.terminate();
        let address = self.larder.address();
        eventually("new connections to be refused", async || {
            TcpStream::connect(address).await.is_err()
        })
        .await;
    }

    /// Waits for the orderly end, and starts another one on what is left.
    async fn restart(&mut self) {
        let exit = self.larder.exit().await;
        assert_eq!(exit.code, Some(0), "{}", exit.stderr);
        assert!(!exit.stderr.contains("panicked"), "{}", exit.stderr);
        assert_eq!(drafts(self.larder.setup()), [] as [PathBuf; 0]);
        self.larder = self.larder.setup().clone().start().await;
    }

    /// Asserts that what a client was told is stored is here.
    async fn assert_hits(&self, hashes: &[&str]) {
        let mut client = self.larder.client();
        for hash in hashes {
            let reply = client.get(&artifact(hash)).await;
            reply.assert_body(&body_of(hash));
            assert!(reply.is_hit(), "{hash}: {}", reply.cache_status());
        }
    }
}

#[tokio::test]
async fn a_stop_in_the_middle_of_everything_finishes_all_of_it() {
    let mut fire = Fire::new("30s").await;
    fire.terminate().await;
    fire.origin.release("verdict");
    let judged = fire.judged.reply().await;
    judged.assert_body(&body_of("small"));
    assert!(judged.is_hit());
    assert!(fire.idle.read_head().await.is_none(), "it is let go");

    fire.origin.release("fill");
    for reader in &mut fire.readers {
        assert_whole(&reader.read_rest().await, &body_of("filled")[SOME / 2..]);
    }
    fire.half.send(&body_of("half")[SOME / 2..]).await;
    assert_accepted(&fire.half.reply().await);
    fire.origin.release("upload");
    assert_accepted(&fire.unanswered.reply().await);
    fire.chunked
        .send(&chunk(&body_of("chunked")[SOME / 2..]))
        .await;
    fire.chunked.send(b"0\r\n\r\n").await;
    assert_accepted(&fire.chunked.reply().await);
    assert_whole(&fire.slow.read_rest().await, &body_of("large"));

    fire.restart().await;
    let everything = ["large", "small", "filled", "half", "unanswered", "chunked"];
    fire.assert_hits(&everything).await;
    for hash in ["half", "unanswered", "chunked"] {
        let seen = &fire.origin.seen("PUT", hash)[0];
        assert_bytes(&seen.body, &body_of(hash));
    }
}

#[tokio::test]
async fn what_the_grace_is_too_short_for_ends_visibly_and_leaves_nothing() {
    let mut fire = Fire::new("300ms").await;
    fire.terminate().await;
    let filled = body_of("filled");
    for reader in &mut fire.readers {
        assert_cut(&reader.read_rest().await, &filled[SOME / 2..]);
    }
    for client in [&mut fire.half, &mut fire.unanswered, &mut fire.chunked] {
        assert_eq!(client.reply().await.status, 0, "nobody was told anything");
    }
    assert!(!fire.judged.reply().await.is_clean());
    assert!(fire.idle.read_head().await.is_none());

    fire.restart().await;
    assert_cut(&fire.slow.read_rest().await, &body_of("large"));
    let cut = |seen: &Seen| seen.is("PUT", "half") && seen.ended == Some(Ended::Cut);
    fire.origin.until("the cut", cut).await;
    assert!(fire.origin.seen("PUT", "chunked").is_empty());
    fire.assert_hits(&["large", "small"]).await;
    let mut client = fire.larder.client();
    for hash in ["filled", "half", "unanswered", "chunked"] {
        let reply = client.get(&artifact(hash)).await;
        assert_eq!(reply.status, 404, "{hash}: {}", reply.cache_status());
    }
}

#[tokio::test]
async fn a_second_signal_ends_at_once_and_loses_nothing_that_was_accepted() {
    for interrupts in [false, true] {
        // Far beyond what a test waits for.
        let mut fire = Fire::new("1h").await;
        fire.terminate().await;
        if interrupts {
            fire.larder.process().interrupt();
        } else {
            fire.larder.terminate();
        }
        let exit = fire.larder.exit().await;
        assert_eq!(exit.code, Some(1), "{}", exit.stderr);
        assert!(!exit.stderr.contains("panicked"), "{}", exit.stderr);
        let filled = body_of("filled");
        for reader in &mut fire.readers {
            assert_cut(&reader.read_rest().await, &filled[SOME / 2..]);
        }
        assert_cut(&fire.slow.read_rest().await, &body_of("large"));
        fire.larder = fire.larder.setup().clone().start().await;
        // Whether the dying process or the new one removed them is no promise.
        assert_eq!(drafts(fire.larder.setup()), [] as [PathBuf; 0]);
        fire.assert_hits(&["large", "small"]).await;
    }
}

#[tokio::test]
async fn what_the_upstream_may_have_replaced_by_the_end_of_the_grace_is_forgotten() {
    let origin = Origin::start();
    let larder = Setup::before(&origin)
        .set("server.shutdown_grace", "300ms")
        .start()
        .await;
    let mut client = larder.client();
    assert_accepted(&client.put(&artifact("aa"), &bytes(1, 5000)).await);
    assert_accepted(&client.put(&artifact("bb"), &bytes(2, 5000)).await);
    origin.once("PUT", "aa", script().hold("upload").usual());
    let newer = announced("aa", 5000).body(&bytes(3, 5000));
    client.send_whole(&newer).await;
    origin.wait_at("upload").await;
    let setup = larder.setup().clone();
    assert_eq!(larder.stop().await.code, Some(0));
    assert_eq!(client.reply().await.status, 0, "nobody was told anything");
    origin.hold("aa", &bytes(3, 5000));
    let larder = setup.start().await;
    let mut client = larder.client();
    let reply = client.get(&artifact("aa")).await;
    reply.assert_body(&bytes(3, 5000));
    assert!(!reply.is_hit());
    assert!(client.get(&artifact("bb")).await.is_hit());
}

#[tokio::test]
async fn who_sends_work_is_told_first_and_served_until_the_delay_is_over_or_cut_short() {
    // Far beyond what a test waits for.
    let setup = Setup::alone().set("server.drain_delay", "1h");
    let mut larder = setup.start().await;
    let mut kept = larder.client();
    kept.get(&artifact("aa")).await;
    larder.terminate();
    eventually("not ready", async || {
        larder.admin().get("/readyz").await.status == 503
    })
    .await;
    let mut fresh = larder.client();
    assert_accepted(&fresh.put(&artifact("aa"), b"body").await);
    assert!(kept.get(&artifact("aa")).await.is_hit());
    larder.process().interrupt();
    let exit = larder.exit().await;
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
}

#[tokio::test]
async fn a_delay_ends_by_itself_and_then_the_process() {
    let delay = Duration::from_millis(300);
    let setup = Setup::alone().set("server.drain_delay", "300ms");
    let mut larder = setup.start().await;
    let before = Instant::now();
    larder.terminate();
    let exit = larder.exit().await;
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    assert!(before.elapsed() >= delay);
}
