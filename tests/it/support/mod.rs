//! What the stories below are told with: a scripted origin, the real binary, a client that sees bytes.
//!
//! Nothing here knows what Larder should do; that is said in the tests.

mod authority;
mod ci;
mod client;
mod collector;
mod dice;
mod gates;
mod http2;
mod larder;
mod line;
mod metrics;
mod openssl;
mod origin;
mod process;
mod proxy;
mod tls;
mod tool;
mod wire;

use std::future::Future;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{sleep, timeout};

pub use authority::{Authority, Badge};
pub use ci::{Ci, JWKS};
pub use client::{Client, Reply, Request};
pub use collector::{Collector, Span};
pub use dice::Dice;
pub use http2::Http2;
pub use larder::{Larder, Setup};
pub use line::{Line, Width};
pub use metrics::Metrics;
pub use origin::{Artifact, Demand, Moment, NAME, Origin, Script, Seen, Speech, Style, script};
pub use process::{Exit, Process};
pub use proxy::{Manners, Proxy};
pub use tls::{Agreed, Certificate, Stream, Trust};
pub use tool::run;
pub use wire::{Ended, Head, Incoming};

/// Longer than anything here takes on a busy machine: reaching it means that something hangs.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);

/// Where an artifact of the team `acme` is.
pub fn artifact(hash: &str) -> String {
    format!("/v8/artifacts/{hash}?slug=acme")
}

/// `length` bytes that differ from position to position, and from `seed` to `seed`.
pub fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        bytes.extend_from_slice(&state.rotate_left(23).to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Asserts that the same bytes arrived as were sent, without printing thousands of them.
#[track_caller]
pub fn assert_bytes(arrived: &[u8], sent: &[u8]) {
    let differs = arrived
        .iter()
        .zip(sent)
        .position(|(one, other)| one != other);
    let lengths = (arrived.len(), sent.len());
    assert!(
        arrived == sent,
        "{lengths:?} bytes arrived and sent, differing first at {differs:?}"
    );
}

/// Asserts that a body ended as promised, and is this one.
#[track_caller]
pub fn assert_whole((arrived, ended): &(Vec<u8>, Ended), sent: &[u8]) {
    assert_bytes(arrived, sent);
    assert_eq!(*ended, Ended::Whole);
}

/// Waits for `future`, and fails the test instead of hanging it.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let result = timeout(PATIENCE, future).await;
    result.unwrap_or_else(|_| panic!("still waiting: {what}"))
}

/// Asks again and again until `condition` holds: only for what no gate can tell.
pub async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    within(what, async {
        while !condition().await {
            sleep(POLL).await;
        }
    })
    .await;
}

/// Asserts that an answer is an error in the API's shape, and returns its code.
#[track_caller]
pub fn error_code(reply: &Reply) -> String {
    let shown = String::from_utf8_lossy(&reply.body);
    assert_eq!(
        reply.header("content-type"),
        Some("application/json"),
        "{shown}"
    );
    let parsed: Value = serde_json::from_slice(&reply.body).unwrap_or_else(|_| panic!("{shown}"));
    let text = |name: &str| parsed["error"][name].as_str().map(str::to_owned);
    assert!(
        text("message").is_some_and(|message| !message.is_empty()),
        "{shown}"
    );
    text("code").unwrap_or_else(|| panic!("no code: {shown}"))
}
