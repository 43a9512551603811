//! Signatures: with a key configured, what does not carry a fitting tag is taken in from nobody.

mod fills;
mod uploads;

use aws_lc_rs::hmac;
use data_encoding::BASE64;

use crate::put::member;
use crate::support::{
    Artifact, Ended, Larder, Origin, Reply, Request, Setup, artifact, bytes, error_code,
};

const KEY: &str = "a signature key of more than thirty-two bytes";
const ABSENT: &str = "larder; fwd=uri-miss; fwd-status=404";
const MEMORY: &str = "larder; hit; detail=memory";
const DISK: &str = "larder; hit; detail=disk";

/// Rests in memory.
const SMALL: usize = 5000;
/// Goes through a draft, and beyond what is read ahead of the upstream for a stranger.
const LARGE: usize = 9 << 20;

/// How clients have signed, the oldest first.
#[derive(Clone, Copy, Debug)]
enum Scheme {
    Json,
    Joined,
    Framed,
}

const SCHEMES: [Scheme; 3] = [Scheme::Json, Scheme::Joined, Scheme::Framed];

/// The tag of a body, as the client of a team without an id makes it.
fn tag(scheme: Scheme, hash: &str, body: &[u8]) -> String {
    tag_with(KEY, scheme, (hash, ""), body)
}

fn tag_with(key: &str, scheme: Scheme, (hash, team): (&str, &str), body: &[u8]) -> String {
    let length = (body.len() as u64).to_le_bytes();
    let framed = |field: &[u8]| [&(field.len() as u64).to_le_bytes(), field].concat();
    let before = match scheme {
        Scheme::Json => format!(r#"{{"hash":"{hash}","teamId":"{team}"}}"#).into_bytes(),
        Scheme::Joined => format!("{hash}{team}").into_bytes(),
        Scheme::Framed => [
            framed(b"artifact-signature:v2"),
            framed(hash.as_bytes()),
            framed(team.as_bytes()),
            length.to_vec(),
        ]
        .concat(),
    };
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    BASE64.encode(hmac::sign(&key, &[&before, body].concat()).as_ref())
}

/// Takes in only what is signed with `key`.
fn with_key(setup: Setup, key: &str) -> Setup {
    let path = setup.directory().join("signature-key");
    std::fs::write(&path, format!("{key}\n")).expect("a key file");
    let path = path.to_str().expect("a plain path").to_owned();
    setup.set("access.signature_key_file", &path)
}

async fn before(origin: &Origin) -> Larder {
    with_key(Setup::before(origin), KEY).start().await
}

/// An upload, in chunks or with its length.
fn upload(hash: &str, tag: &str, body: &[u8], is_chunked: bool) -> Request {
    let upload = Request::new("PUT", &artifact(hash))
        .header("x-artifact-tag", tag)
        .body(body);
    if is_chunked { upload.chunked() } else { upload }
}

#[track_caller]
fn assert_refused(reply: &Reply) {
    assert_eq!((reply.status, reply.ended), (403, Ended::Whole));
    // None that clients know, which would end their uploads, or their reads.
    assert_eq!(error_code(reply), "invalid_signature");
    assert_eq!(reply.cache_status(), "larder; detail=denied");
}

/// Asserts how many artifacts were refused for their signature since the start.
async fn assert_counted(larder: &Larder, arrival: &str, count: usize) {
    let page = larder.metrics().await;
    let series = format!("larder_signatures_refused_total{{arrival=\"{arrival}\"}}");
    let counted = page
        .text()
        .lines()
        .find_map(|line| line.strip_prefix(&series));
    assert_eq!(counted, Some(&*format!(" {count}")), "{arrival}");
}

#[tokio::test]
async fn what_rests_since_before_the_key_is_served_on() {
    let larder = Larder::alone().await;
    let stored = larder.client().put(&artifact("aa"), b"unsigned").await;
    assert_eq!(stored.status, 202);
    let setup = larder.setup().clone();
    assert_eq!(larder.stop().await.code, Some(0));
    let larder = with_key(setup, KEY).start().await;
    let hit = larder.client().get(&artifact("aa")).await;
    hit.assert_body(b"unsigned");
    assert!(hit.is_hit());
}

#[tokio::test]
async fn neither_the_key_nor_a_tag_is_printed() {
    let key = "canary-key of more than thirty-two bytes";
    let origin = Origin::start();
    let setup = with_key(Setup::before(&origin), key).set("log.level", "trace");
    let shown = setup.run(&["check", "--config", "{config}"]).await;
    let path = "signature-key\"  # ";
    assert!(shown.stdout.contains(path), "{}", shown.stdout);
    let larder = setup.start().await;
    let mut client = member(&origin, &larder).await;
    let body = bytes(1, SMALL);
    let good = tag_with(key, Scheme::Framed, ("aa", ""), &body);
    let wrong = tag_with(key, Scheme::Joined, ("other", ""), &body);
    let stored = client.ask(&upload("aa", &good, &body, false)).await;
    assert_eq!(stored.status, 202);
    for tag in [&*wrong, "canary-tag"] {
        for hash in ["bb", "cc"] {
            let refusal = client.ask(&upload(hash, tag, &body, false)).await;
            assert_refused(&refusal);
            let told = String::from_utf8_lossy(&refusal.body).into_owned();
            assert!(!told.contains("canary") && !told.contains(tag), "{told}");
            origin.hold(hash, Artifact::from(&body).field("x-artifact-tag", tag));
            client.get(&artifact(hash)).await.assert_body(&body);
        }
    }
    let metrics = larder.metrics().await.text().to_owned();
    let exit = larder.stop().await;
    let log = &exit.stderr;
    for printed in [&shown.stdout, &shown.stderr, &metrics, &exit.stdout, log] {
        for secret in ["canary", &good, &wrong] {
            let found = printed.lines().find(|line| line.contains(secret));
            assert_eq!(found, None, "{secret}");
        }
    }
    // The proof was not signed either; each kind is told once, and whose it was. What Larder itself
    // breaks off is no fault of the upstream.
    let warnings: Vec<_> = log.lines().filter(|line| line.contains("WARN")).collect();
    let [of_proof, of_upload, ..] = warnings.as_slice() else {
        panic!("{log}")
    };
    assert_eq!(warnings.len(), 5, "{log}");
    assert!(of_proof.contains("hash=proof"), "{of_proof}");
    assert!(of_upload.contains("hash=bb"), "{of_upload}");
    assert!(of_upload.contains("acme"), "{of_upload}");
}

#[tokio::test]
async fn the_series_of_refusals_are_there_from_the_start() {
    let larder = Larder::alone().await;
    for arrival in ["put", "fill"] {
        assert_counted(&larder, arrival, 0).await;
    }
}
