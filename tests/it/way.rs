//! Uploads whose clients pause: the places that they have upstream are for whoever has more to send.
//!
//! Two uploads may be upstream at once here, and no client is cut for being slow: whoever waits for a place
//! gets it because another has left it, or never.

use crate::put::{announced, member};
use crate::support::{
    Client, Ended, Larder, Origin, Seen, Setup, Speech, artifact, assert_bytes, bytes, eventually,
    script,
};

/// Two of these are for uploads.
const AT_ONCE: &str = "4";
/// Of a body that is sent half.
const LENGTH: usize = 200_000;
const HALF: usize = LENGTH / 2;

async fn patient(origin: &Origin, change: impl FnOnce(Setup) -> Setup) -> Larder {
    let setup = Setup::before(origin)
        .set("upstream.max_concurrent", AT_ONCE)
        .set("server.body_timeout", "1h")
        .set("server.min_rate", "0");
    change(setup).start().await
}

fn name(number: usize) -> String {
    format!("half{number}")
}

fn body(number: usize) -> Vec<u8> {
    bytes(number as u64, LENGTH)
}

/// Begins to upload so many bodies, and pauses in the middle of each, which is upstream by then.
async fn pausing<const N: usize>(origin: &Origin, mut clients: [Client; N]) -> [Client; N] {
    for (number, client) in clients.iter_mut().enumerate() {
        client.send_head(&announced(&name(number), LENGTH)).await;
        client.send(&body(number)[..HALF]).await;
        let is_half = |seen: &Seen| seen.is("PUT", &name(number)) && seen.body.len() == HALF;
        origin.until("half a body", is_half).await;
    }
    clients
}

/// Asserts that a small upload of another client is taken.
async fn takes(larder: &Larder, hash: &str) {
    let put = larder.client().put(&artifact(hash), b"body").await;
    assert_eq!(put.status, 202);
}

async fn displaced(larder: &Larder) -> f64 {
    let metrics = larder.metrics().await;
    let labels = [("operation", "put"), ("result", "withdrawn")];
    metrics.sum("larder_upstream_requests_total", &labels)
}

#[tokio::test]
async fn an_upload_that_pauses_makes_way_for_one_that_is_here_and_is_taken_once_it_is_whole() {
    let origin = Origin::start();
    let larder = patient(&origin, |setup| setup).await;
    those_that_pause_make_way(&origin, &larder).await;
}

#[tokio::test]
async fn the_same_where_all_share_one_connection_upstream() {
    let origin = Origin::speaking(Speech::http2_tls());
    let larder = patient(&origin, |setup| setup.toml("upstream.http2", "true")).await;
    those_that_pause_make_way(&origin, &larder).await;
}

async fn those_that_pause_make_way(origin: &Origin, larder: &Larder) {
    let mut member = member(origin, larder).await;
    takes(larder, "proof").await;
    let clients = [larder.client(), larder.client()];
    let mut clients = pausing(origin, clients).await;
    takes(larder, "aa").await;
    assert!(displaced(larder).await >= 1.0);
    for (number, client) in clients.iter_mut().enumerate() {
        client.send(&body(number)[HALF..]).await;
        assert_eq!(client.reply().await.status, 202);
        let whole = origin.seen("PUT", &name(number));
        let (last, before) = whole.split_last().expect("an upload");
        assert_bytes(&last.body, &body(number));
        assert!(before.iter().all(|seen| seen.ended == Some(Ended::Cut)));
        let hit = member.get(&artifact(&name(number))).await;
        hit.assert_body(&body(number));
        assert!(hit.is_hit());
    }
}

#[tokio::test]
async fn while_nobody_needs_its_place_an_upload_that_pauses_stays() {
    let origin = Origin::start();
    let larder = patient(&origin, |setup| setup).await;
    let mut clients = pausing(&origin, [larder.client()]).await;
    for number in 2..20 {
        takes(&larder, &format!("{number}")).await;
    }
    clients[0].send(&body(0)[HALF..]).await;
    assert_eq!(clients[0].reply().await.status, 202);
    assert_eq!(origin.seen("PUT", &name(0)).len(), 1);
}

#[tokio::test]
async fn many_that_pause_hold_up_nobody_though_they_wait_for_places_themselves() {
    let origin = Origin::start();
    let larder = patient(&origin, |setup| setup).await;
    let _upstream = pausing(&origin, [larder.client(), larder.client()]).await;
    let mut queued = Vec::new();
    for number in 2..20 {
        let mut client = larder.client();
        client.send_head(&announced(&name(number), LENGTH)).await;
        client.send(&body(number)[..HALF]).await;
        queued.push(client);
    }
    eventually("all to be here", async || {
        larder.metrics().await.sum("larder_in_flight_bytes", &[]) >= 18.0 * 100_000.0
    })
    .await;
    for number in 0..5 {
        takes(&larder, &format!("{number}")).await;
    }
}

#[tokio::test]
async fn a_strangers_upload_that_pauses_makes_way_and_is_taken_once_it_is_whole() {
    let origin = Origin::start();
    origin.members(&["member", "newcomer"], 403);
    let larder = patient(&origin, |setup| setup).await;
    let clients = [larder.client_as("newcomer"), larder.client_as("newcomer")];
    let mut clients = pausing(&origin, clients).await;
    takes(&larder, "aa").await;
    for (number, client) in clients.iter_mut().enumerate() {
        client.send(&body(number)[HALF..]).await;
        assert_eq!(client.reply().await.status, 202);
        let whole = origin.seen("PUT", &name(number));
        assert_bytes(&whole.last().expect("an upload").body, &body(number));
    }
}

#[tokio::test]
async fn what_cannot_be_sent_again_fails_rather_than_keep_its_place_in_silence() {
    let origin = Origin::start();
    let larder = patient(&origin, |setup| {
        setup
            .set("tier.memory.capacity", "0")
            .set("tier.disk.capacity", "0")
    })
    .await;
    let clients = [larder.client(), larder.client()];
    let mut clients = pausing(&origin, clients).await;
    takes(&larder, "aa").await;
    assert!(displaced(&larder).await >= 1.0);
    let mut ended = 0;
    for (number, client) in clients.iter_mut().enumerate() {
        if origin.seen("PUT", &name(number))[0].ended.is_some() {
            let reply = client.reply().await;
            assert_eq!(reply.status, 408);
            ended += 1;
        }
    }
    assert!(ended >= 1);
}

#[tokio::test]
async fn an_upload_whose_client_has_left_keeps_no_place() {
    let origin = Origin::narrow(Speech::Http1);
    for number in 0..2 {
        origin.always("PUT", &name(number), script().early().stall());
    }
    let larder = patient(&origin, |setup| setup.set("upstream.idle_timeout", "1h")).await;
    let mut clients = [larder.client(), larder.client()];
    let long = bytes(0, 8 << 20);
    for (number, client) in clients.iter_mut().enumerate() {
        let head = announced(&name(number), 2 * long.len());
        client.send_head(&head).await;
        client.send(&long).await;
    }
    drop(clients);
    takes(&larder, "aa").await;
}
