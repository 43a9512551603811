//! The way to the upstream in the networks of companies: proxies, own authorities, certificates of
//! clients, addresses that no look-up finds.

mod certificates;
mod pinned;
mod proxies;
mod spared;

use crate::support::{Client, Exit, Larder, Reply, artifact};

/// What the log says of an upstream that is no use, once a minute.
const COMPLAINT: &str = "the upstream cannot be used (said once a minute)";

/// Asserts that an artifact is a miss because of this, whoever asks for it.
#[track_caller]
fn assert_miss(reply: &Reply, detail: &str) {
    assert_eq!(reply.status, 404);
    let expected = format!("larder; fwd=uri-miss; detail={detail}");
    assert_eq!(reply.cache_status(), expected);
}

/// Asserts that an artifact comes from the upstream.
async fn assert_fetched(client: &mut Client, hash: &str, body: &[u8]) {
    let reply = client.get(&artifact(hash)).await;
    assert_eq!(
        reply.cache_status().split(';').nth(1),
        Some(" fwd=uri-miss")
    );
    reply.assert_body(body);
}

/// The lines in which the log complained of the upstream until now, which ends the process.
async fn complaints(larder: Larder) -> Vec<String> {
    complaints_in(&larder.stop().await)
}

fn complaints_in(exit: &Exit) -> Vec<String> {
    let printed = [exit.stdout.as_str(), &exit.stderr].concat();
    let said = printed.lines().filter(|line| line.contains(COMPLAINT));
    said.map(str::to_owned).collect()
}
