//! HTTP/2 with clients: everything as over HTTP/1.1, and what requests on one connection may cost each other.

mod case;
mod connections;
mod heads;
mod life;
mod player;
mod requests;
mod routes;
mod streams;
mod tools;
mod versions;
mod windows;
mod wire;

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use futures_util::future::join_all;

use crate::support::{Certificate, Larder, Origin, Setup};

/// One Larder before `origin` for each way to HTTP/2: by prior knowledge, and agreed on in TLS.
async fn each_way(origin: &Origin) -> [Larder; 2] {
    let clear = Setup::before(origin).start().await;
    let secured = Setup::before(origin).secured(&Certificate::new());
    [clear, secured.start().await]
}

/// Two characters that no path has of itself.
fn mark(number: usize) -> String {
    let letter = b"abcdefghijklmnopqrstu"[number / 10];
    format!("{}{}", char::from(letter), number % 10)
}

/// All of them at once.
#[tokio::test]
async fn every_case_of_frames() {
    let origin = Origin::start();
    let larder = Setup::before(&origin)
        .toml("server.max_streams", &requests::MAX_STREAMS.to_string())
        .start()
        .await;
    let cases = [connections::cases(), requests::cases(), heads::cases()].concat();
    let (larder, origin) = (&larder, &origin);
    let playing = cases.iter().enumerate().map(|(number, case)| async move {
        let mark = mark(number);
        let played = player::play(case, &mark, larder.address(), origin);
        let failed = AssertUnwindSafe(played).catch_unwind().await.is_err();
        failed.then_some(case.name)
    });
    let failed: Vec<_> = join_all(playing).await.into_iter().flatten().collect();
    let (some, all) = (failed.len(), cases.len());
    assert!(failed.is_empty(), "{some} of {all}: {failed:#?}");
}
