//! Uploads that wait for a place and that give one up, on paused time.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, StreamBody};
use tokio::sync::watch;
use tokio::time::timeout;

use super::*;
use crate::upstream::sending::Outbound;

const LONG: Duration = Duration::from_hours(1);

/// A body of which somebody says where it stands.
fn told(standing: Standing) -> (watch::Sender<Standing>, Supply) {
    let (tell, told) = watch::channel(standing);
    (tell, Supply::new(move || *told.borrow()))
}

/// An upload that has sent one piece, and whose client sends no more for now.
async fn starved() -> (impl Body, Sending) {
    let sending = Sending::new(Some(4));
    let piece = Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"ab")));
    let pieces = stream::iter([piece]).chain(stream::pending());
    let mut body = Outbound::new(StreamBody::new(pieces), sending.clone());
    body.frame().await.unwrap().unwrap();
    assert!(body.frame().now_or_never().is_none());
    (body, sending)
}

fn leave(places: &Arc<Places>, supply: Supply) -> Leave {
    Leave {
        places: Arc::clone(places),
        supply,
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_here_goes_before_what_is_still_to_come_however_late() {
    let places = Places::new(1);
    let (here, coming) = (told(Standing::Here), told(Standing::Growing));
    let place = places.enter(&here.1).await.unwrap();
    let mut first = Box::pin(places.enter(&coming.1));
    assert!(timeout(TURN * 3, &mut first).await.is_err());
    let second = places.enter(&here.1);
    let ((), place) = tokio::join!(async { drop(place) }, second);
    assert!(timeout(TURN * 3, &mut first).await.is_err());
    drop(place);
    assert!(first.await.is_some());
}

#[tokio::test(start_paused = true)]
async fn what_has_come_meanwhile_waits_its_turn_and_what_broke_off_does_not_wait() {
    let places = Places::new(1);
    let _place = places.enter(&told(Standing::Here).1).await.unwrap();
    let (grown, supply) = told(Standing::Growing);
    let mut growing = Box::pin(places.enter(&supply));
    assert!(timeout(TURN * 3, &mut growing).await.is_err());
    assert!(!places.is_wanted(), "nobody needs one");
    grown.send_replace(Standing::Here);
    assert!(timeout(TURN * 3, &mut growing).await.is_err());
    assert!(places.is_wanted());
    assert!(!places.is_wanted(), "one is enough");
    let (over, supply) = told(Standing::Growing);
    let mut broken = Box::pin(places.enter(&supply));
    assert!(timeout(TURN * 3, &mut broken).await.is_err());
    over.send_replace(Standing::Over);
    assert!(broken.await.is_none());
}

#[tokio::test(start_paused = true)]
async fn whoever_has_nothing_to_send_leaves_for_one_who_has_and_not_before() {
    let places = Arc::new(Places::new(1));
    let _place = places.enter(&told(Standing::Here).1).await.unwrap();
    let (_body, sending) = starved().await;
    let leave = leave(&places, told(Standing::Growing).1);
    let mut leaving = Box::pin(leave.due(&sending));
    assert!(timeout(LONG, &mut leaving).await.is_err(), "nobody waits");
    let supply = told(Standing::Here).1;
    let waiting = timeout(LONG, places.enter(&supply));
    tokio::select! {
        leaving = leaving => assert_eq!(leaving, Leaving::Displaced),
        _ = waiting => panic!("there is no place"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_place_is_kept_for_a_while_and_by_whatever_has_something_to_send() {
    let places = Arc::new(Places::new(1));
    let _place = places.enter(&told(Standing::Here).1).await.unwrap();
    let due = told(Standing::Here).1;
    let mut waiting = Box::pin(places.enter(&due));
    assert!((&mut waiting).now_or_never().is_none());
    let (_body, sending) = starved().await;
    let (standing, supply) = told(Standing::Growing);
    let growing = leave(&places, supply);
    let begun = Instant::now();
    let just_before = KEPT.saturating_sub(TURN);
    assert!(timeout(just_before, growing.due(&sending)).await.is_err());
    // Time that it had its place counts from when it is asked.
    assert_eq!(growing.due(&sending).await, Leaving::Displaced);
    assert_eq!(begun.elapsed(), just_before + KEPT);
    drop(waiting);
    let mut waiting = Box::pin(places.enter(&due));
    assert!((&mut waiting).now_or_never().is_none());
    let busy = Sending::new(Some(4));
    assert!(timeout(LONG, growing.due(&busy)).await.is_err());
    standing.send_replace(Standing::Here);
    assert!(timeout(LONG, growing.due(&sending)).await.is_err());
    standing.send_replace(Standing::Over);
    assert_eq!(growing.due(&busy).await, Leaving::Over);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_sent_anew_leaves_only_after_a_silence() {
    let places = Arc::new(Places::new(1));
    let _place = places.enter(&told(Standing::Here).1).await.unwrap();
    let due = told(Standing::Here).1;
    let mut waiting = Box::pin(places.enter(&due));
    assert!((&mut waiting).now_or_never().is_none());
    let (_body, sending) = starved().await;
    let passing = leave(&places, told(Standing::Passing).1);
    let begun = Instant::now();
    assert_eq!(passing.due(&sending).await, Leaving::Displaced);
    assert_eq!(begun.elapsed(), SILENCE);
}

#[tokio::test(start_paused = true)]
async fn whoever_stops_waiting_needs_no_place() {
    let places = Places::new(1);
    let _place = places.enter(&told(Standing::Here).1).await.unwrap();
    let due = told(Standing::Here).1;
    let waiting = places.enter(&due);
    assert!(timeout(TURN, waiting).await.is_err());
    assert!(!places.is_wanted());
}
