//! What the pieces of a hit from memory take, in nanoseconds: `just hot-path`.
//!
//! `cargo bench --bench hot_path -- ENTRIES LOOK-UPS` fills the memory tier and looks up, for a tool
//! that counts instructions: `just look-ups`.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "it prints what it measured, and may fail loudly"
)]

#[path = "../../src/router/reply.rs"]
mod reply;
mod stage;

/// What the router's own source knows by these names.
mod artifact {
    pub(crate) use larder::artifact::{Answer, Failure, Outcome, via_member};
}
mod proxy {
    pub(crate) use larder::proxy::{Denial, Here, ProxyError, Reply, Served, ServedBody};
}

use std::hint::black_box;
use std::time::{Duration, SystemTime};

use futures_util::FutureExt;
use http::{HeaderValue, Method, StatusCode, Version};
use larder::artifact::{ArtifactKey, OriginId, Outcome, RouteName, Tier};
use larder::config::LogFormat;
use larder::proxy::Right;
use larder::router::Route;
use larder::telemetry::{AccessLine, Answered, Asked, Ended};
use tokio::time::Instant;

use self::stage::{Stage, head, key};

/// Calls in one sample.
const CALLS: u32 = 20_000;
/// Samples of each piece; a figure is their median.
const ROUNDS: usize = 25;
/// Entries in the tier while its look-ups are timed.
const ENTRIES: u64 = 1000;

fn main() {
    let words: Vec<u64> = std::env::args()
        .skip(1)
        .filter_map(|word| word.parse().ok())
        .collect();
    if let [entries, calls] = *words.as_slice() {
        return Stage::new(entries).look_up(entries, calls);
    }
    println!("ns a call: median (least-most) of {ROUNDS} samples\n");
    println!("| piece | ns |\n|---|--:|");
    pieces(&Stage::new(ENTRIES));
    lines();
}

fn pieces(stage: &Stage) {
    let client = stage.proxy.acquaint(0, None);
    let head = head(7);
    let (method, uri) = (&head.method, &head.uri);
    time("read a route", || Route::parse(method, uri));
    time("copy a head, as the next one does", || head.clone());
    let hash = key(7).hash;
    time("name: client, scope, key", || {
        let (head, hash) = (&mut head.clone(), hash.clone());
        let naming = stage.proxy.name(head, hash, Right::Read, &client);
        naming.now_or_never().unwrap().unwrap()
    });
    let (origin, scope) = (OriginId::new("none"), key(7).scope);
    time("of that, digest the key", || {
        ArtifactKey::new(&origin, scope.clone(), hash.clone())
    });
    let digest = key(7).digest;
    time("look up in memory", || {
        stage.tiers.lookup_in_memory(&digest).unwrap()
    });
    let naming = stage
        .proxy
        .name(&mut head.clone(), hash, Right::Read, &client)
        .now_or_never();
    let ask = naming.unwrap().unwrap();
    time("hit: look up, judge, count", || {
        stage.proxy.hit(&ask).unwrap().unwrap()
    });
    time("the same, made an answer", || {
        let (_, response) = reply::respond(stage.proxy.hit(&ask).unwrap());
        assert_eq!(response.status(), StatusCode::OK);
        response
    });
}

fn lines() {
    let asked = Asked {
        time: SystemTime::now(),
        peer: Some(([127, 0, 0, 1], 51234).into()),
        version: Version::HTTP_11,
        is_secure: false,
        certificate: None,
        method: Method::GET,
        hash: Some(key(7).hash),
        team: Some("acme".to_owned()),
        user_agent: Some(HeaderValue::from_static("turbo 2.11.11")),
    };
    let answered = Answered {
        status: 200,
        outcome: Outcome::Hit {
            tier: Tier::Memory,
            grace: false,
        },
        bytes_out: 1024,
        first_byte: Duration::from_micros(12),
        total: Duration::from_micros(34),
        ended: Ended::Whole,
        ..Answered::not_yet(RouteName::Get)
    };
    let (asked, answered) = (&asked, &answered);
    for (name, format) in [
        ("access line, text", LogFormat::Text),
        ("access line, JSON", LogFormat::Json),
    ] {
        time(name, || {
            let mut out = String::with_capacity(512);
            AccessLine { asked, answered }.write(format, &mut out);
            out
        });
    }
}

fn time<T>(piece: &str, call: impl Fn() -> T) {
    let mut samples: Vec<_> = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            for _ in 0..CALLS {
                black_box(call());
            }
            began.elapsed().as_nanos() / u128::from(CALLS)
        })
        .collect();
    samples.sort_unstable();
    if let [least, .., most] = samples.as_slice() {
        let median = samples.get(ROUNDS / 2).unwrap();
        println!("| {piece} | {median} ({least}-{most}) |");
    }
}
