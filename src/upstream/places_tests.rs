//! Uploads that wait for a place and that give one up, on paused time.

use std::convert::Infallible;
use std::error::Error;
use std::future::pending;
use std::pin::Pin;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::*;
use crate::upstream::Source;
use crate::upstream::sending::{Outbound, Piece};
use crate::upstream::tests::here;

const LONG: Duration = Duration::from_hours(1);
const MOMENT: Duration = Duration::from_millis(1);
const PAUSED: Standing = Standing::Paused { is_kept: true };

/// A body of which somebody says where it stands.
#[derive(Clone, Debug)]
struct Told(watch::Receiver<Standing>);

impl Source for Told {
    fn standing(&self) -> Standing {
        *self.0.borrow()
    }

    fn turned(&self) -> BoxFuture<'_, ()> {
        let mut told = self.0.clone();
        told.mark_unchanged();
        Box::pin(async move {
            if told.changed().await.is_err() {
                pending::<()>().await;
            }
        })
    }
}

fn told(standing: Standing) -> (watch::Sender<Standing>, Supply) {
    let (tell, told) = watch::channel(standing);
    (tell, Supply::new(Told(told)))
}

/// A body that is being sent, and its client.
struct Sent {
    client: mpsc::UnboundedSender<usize>,
    body: UnsyncBoxBody<Piece, Box<dyn Error + Send + Sync>>,
    sending: Sending,
}

impl Sent {
    fn new() -> Self {
        let (client, mut pieces) = mpsc::unbounded_channel();
        let sending = Sending::new(Some(u64::MAX));
        let pieces = stream::poll_fn(move |cx| pieces.poll_recv(cx));
        let pieces =
            pieces.map(|length| Ok::<_, Infallible>(Frame::data(Bytes::from(vec![0; length]))));
        let body = Outbound::new(StreamBody::new(pieces), sending.clone());
        Self {
            client,
            body: body.boxed_unsync(),
            sending,
        }
    }

    /// The client sends so much, and the connection takes it.
    fn sends(&mut self, length: u64) {
        self.client.send(usize::try_from(length).unwrap()).unwrap();
        self.body.frame().now_or_never().unwrap().unwrap().unwrap();
        assert!(self.body.frame().now_or_never().is_none());
    }
}

async fn one(places: &Arc<Places>) -> Arc<Place> {
    places.enter(&here()).await.unwrap()
}

/// One who is here waits for a place.
fn waits(places: &Arc<Places>) -> Pin<Box<impl Future<Output = Option<Arc<Place>>> + use<>>> {
    let places = Arc::clone(places);
    let mut waiting = Box::pin(async move { places.enter(&here()).await });
    assert!((&mut waiting).now_or_never().is_none());
    waiting
}

fn leave(place: &Arc<Place>, supply: Supply) -> Leave {
    Leave {
        place: Arc::clone(place),
        supply,
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_here_goes_before_what_is_still_to_come_however_late() {
    let places = Places::new(1);
    let (_tell, coming) = told(Standing::AtHand);
    let place = one(&places).await;
    let mut first = Box::pin(places.enter(&coming));
    assert!((&mut first).now_or_never().is_none());
    let supply = here();
    let mut second = Box::pin(places.enter(&supply));
    assert!((&mut second).now_or_never().is_none());
    drop(place);
    assert!(timeout(MOMENT, &mut first).await.is_err());
    let place = second.await;
    assert!(timeout(MOMENT, &mut first).await.is_err());
    drop(place);
    assert!(first.await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_place_that_nobody_took_in_time_is_the_next_ones() {
    let places = Places::new(1);
    let place = one(&places).await;
    let supply = here();
    let mut first = Box::pin(places.enter(&supply));
    assert!((&mut first).now_or_never().is_none());
    drop(place);
    // It is served, and left before it has seen so.
    drop(first);
    assert!(places.enter(&supply).now_or_never().is_some());
}

#[tokio::test(start_paused = true)]
async fn what_has_come_meanwhile_queues_for_its_time_and_what_broke_off_waits_no_longer() {
    let places = Places::new(1);
    let place = one(&places).await;
    let (tell, supply) = told(PAUSED);
    let mut waiting = Box::pin(places.enter(&supply));
    assert!(timeout(LONG, &mut waiting).await.is_err(), "for its client");
    assert!(!place.is_wanted(Loser::Waits), "nobody needs it");
    tell.send_replace(Standing::Here);
    assert!(timeout(MOMENT, &mut waiting).await.is_err());
    assert!(place.is_wanted(Loser::Waits));
    assert!(!place.is_wanted(Loser::Waits), "once is enough");
    drop(waiting);
    for standing in [PAUSED, Standing::HeldUp] {
        let (over, supply) = told(standing);
        let mut broken = Box::pin(places.enter(&supply));
        assert!(timeout(MOMENT, &mut broken).await.is_err());
        over.send_replace(Standing::Over);
        assert!(timeout(MOMENT, broken).await.unwrap().is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn whose_client_pauses_leaves_for_one_who_has_something_to_send_and_not_before() {
    let places = Places::new(1);
    let place = one(&places).await;
    let mut sent = Sent::new();
    sent.sends(1);
    let (_tell, supply) = told(PAUSED);
    let leave = leave(&place, supply);
    let mut leaving = Box::pin(leave.due(&sent.sending));
    assert!(timeout(LONG, &mut leaving).await.is_err(), "nobody waits");
    let waiting = waits(&places);
    assert_eq!(leaving.await, Leaving::Displaced);
    drop((leave, place));
    assert!(waiting.now_or_never().unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_on_keeps_its_place_and_so_does_what_waits_for_the_upstream() {
    let places = Places::new(1);
    let place = one(&places).await;
    let _waiting = waits(&places);
    let mut sent = Sent::new();
    let (tell, supply) = told(PAUSED);
    let leave = leave(&place, supply);
    let sending = sent.sending.clone();
    let mut leaving = Box::pin(leave.due(&sending));
    for _ in 0..100 {
        sent.sends(ENOUGH);
        assert!(timeout(WATCHED / 2, &mut leaving).await.is_err());
    }
    for standing in [Standing::AtHand, Standing::HeldUp, Standing::Here] {
        tell.send_replace(standing);
        assert!(timeout(LONG / 4, &mut leaving).await.is_err());
    }
    tell.send_replace(Standing::Over);
    assert_eq!(leaving.await, Leaving::Over);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_hardly_sends_has_its_place_for_as_long_as_it_is_watched() {
    let one_byte_at_a_time = async |is_kept| {
        let places = Places::new(1);
        let place = one(&places).await;
        let _waiting = waits(&places);
        let mut sent = Sent::new();
        let (_tell, supply) = told(Standing::Paused { is_kept });
        let (leave, begun) = (leave(&place, supply), Instant::now());
        let sending = sent.sending.clone();
        let mut leaving = Box::pin(leave.due(&sending));
        loop {
            sent.sends(1);
            if let Ok(leaving) = timeout(LOOK, &mut leaving).await {
                assert_eq!(leaving, Leaving::Displaced);
                return begun.elapsed();
            }
        }
    };
    assert_eq!(one_byte_at_a_time(true).await.as_secs(), WATCHED.as_secs());
    let not_kept = one_byte_at_a_time(false).await;
    assert_eq!(not_kept.as_secs(), WATCHED_LONG.as_secs());
}
