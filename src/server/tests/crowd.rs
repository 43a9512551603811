//! Who makes room for whom, in paused time.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::duplex;
use tokio::time::{Instant, sleep, timeout};

use super::super::LiveLimits;
use super::super::connection;
use super::super::crowd::{Crowd, Guest, PATIENCE, TooMany};
use super::*;
use crate::metrics::{Limit, Metrics};
use crate::tasks::Tasks;

/// A crowd of so many at most, and what is counted of it.
pub(super) struct Party {
    pub(super) crowd: Crowd,
    pub(super) limits: LiveLimits,
    metrics: Arc<Metrics>,
}

impl Party {
    pub(super) fn of(max_connections: usize) -> Self {
        let metrics = Arc::new(Metrics::new().unwrap());
        let few = Limits {
            max_connections,
            max_connections_per_address: 2,
            max_handshakes: 2,
            ..limits()
        };
        Self {
            crowd: Crowd::new(Some(Arc::clone(&metrics))),
            limits: few.into(),
            metrics,
        }
    }

    fn enter(&self) -> (Watch, Guest) {
        self.enter_by(Channel::Clear)
    }

    fn enter_by(&self, channel: Channel) -> (Watch, Guest) {
        let watch = Watch::new(channel, &self.limits.get());
        let guest = self.crowd.enter(watch.clone());
        (watch, guest)
    }

    fn enter_from(&self, address: &str) -> Result<(Watch, Guest), TooMany> {
        let (watch, guest) = self.enter();
        let address: IpAddr = address.parse().unwrap();
        guest.is_from(address, self.limits.get().most())?;
        Ok((watch, guest))
    }

    async fn has_room(&self) -> bool {
        let room = self.crowd.room(&self.limits);
        timeout(Duration::from_millis(1), room).await.is_ok()
    }

    fn count(&self, limit: Limit) -> u64 {
        self.metrics.limits.of(limit).unwrap().get()
    }
}

fn is_asked_to_go(watch: &Watch) -> bool {
    format!("{:?}", watch.wait()).contains("Crowd")
}

/// Serves one end of a line as one of the crowd.
pub(super) fn serve(party: &Party, far: tokio::io::DuplexStream, tasks: &Tasks) {
    let (watch, guest) = party.enter();
    let (limits, serving) = (party.limits.get(), tasks.clone());
    let accepted = Accepted {
        watch,
        guest: Some(guest),
        ..in_clear_text((), None, &limits)
    };
    tasks.spawn_punctual(async move {
        connection::run(accepted.over(far), Scripted::new(), limits, &serving).await;
    });
}

#[tokio::test(start_paused = true)]
async fn whoever_has_been_idle_for_the_longest_makes_room() {
    let (party, tasks) = (Party::of(2), Tasks::new());
    let (mut first, far) = duplex(4096);
    serve(&party, far, &tasks);
    let (mut second, far) = duplex(4096);
    serve(&party, far, &tasks);
    exchange(&mut first, HELLO).await;
    exchange(&mut second, HELLO).await;
    assert!(!party.has_room().await, "both may be about to ask again");
    sleep(PATIENCE).await;
    exchange(&mut first, HELLO).await;
    let start = Instant::now();
    party.crowd.room(&party.limits).await;
    assert_eq!(start.elapsed().as_secs(), 0);
    assert_eq!(read_rest(&mut second).await, b"");
    exchange(&mut first, HELLO).await;
    assert_eq!(party.count(Limit::Connections), 2);
}

#[tokio::test(start_paused = true)]
async fn whoever_drips_a_head_makes_room_and_whoever_is_answered_does_not() {
    let (party, tasks) = (Party::of(2), Tasks::new());
    let (mut dripping, far) = duplex(4096);
    serve(&party, far, &tasks);
    let (mut busy, far) = duplex(4096);
    serve(&party, far, &tasks);
    busy.write_all(b"GET /stream HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    read_head(&mut busy).await;
    dripping.write_all(b"GET /").await.unwrap();
    sleep(PATIENCE).await;
    party.crowd.room(&party.limits).await;
    assert_eq!(read_rest(&mut dripping).await, b"");
    let (_watch, _guest) = party.enter();
    assert!(!party.has_room().await);
    let mut beginning = [0; 3];
    busy.read_exact(&mut beginning).await.unwrap();
    assert_eq!(&beginning, b"abc");
}

#[tokio::test(start_paused = true)]
async fn one_who_leaves_makes_room_at_once_and_a_higher_limit_does() {
    let party = Party::of(1);
    let (watch, guest) = party.enter();
    watch.admit(false);
    let leaving = async {
        sleep(Duration::from_millis(10)).await;
        drop(guest);
    };
    let start = Instant::now();
    tokio::join!(leaving, party.crowd.room(&party.limits));
    assert_eq!(start.elapsed().as_millis(), 10);
    let (watch, _guest) = party.enter();
    watch.admit(false);
    assert!(!party.has_room().await);
    let more = Limits {
        max_connections: 2,
        ..*party.limits.get()
    };
    party.limits.set(more);
    assert!(party.has_room().await);
}

#[tokio::test(start_paused = true)]
async fn an_address_has_its_share_and_no_other_pays_for_it() {
    let party = Party::of(100);
    let (kept, _one) = party.enter_from("192.0.2.1").unwrap();
    let (other, two) = party.enter_from("192.0.2.1").unwrap();
    assert_eq!(party.enter_from("192.0.2.1").unwrap_err(), TooMany);
    // IPv4 in the clothes of IPv6 is the same client.
    assert!(party.enter_from("::ffff:192.0.2.1").is_err());
    party.enter_from("192.0.2.2").unwrap();
    drop(two);
    sleep(Duration::from_millis(1)).await;
    let (_, _again) = party.enter_from("192.0.2.1").unwrap();
    assert!(!is_asked_to_go(&kept) && !is_asked_to_go(&other));
    sleep(PATIENCE).await;
    let (_, _one_more) = party.enter_from("192.0.2.1").unwrap();
    assert!(is_asked_to_go(&kept), "the longest idle of its own");
    assert_eq!(party.count(Limit::ConnectionsOfOne), 3);
}

#[tokio::test(start_paused = true)]
async fn who_has_been_asked_to_go_makes_room_for_one() {
    let party = Party::of(100);
    let (first, _one) = party.enter_from("192.0.2.1").unwrap();
    let (second, _two) = party.enter_from("192.0.2.1").unwrap();
    sleep(PATIENCE).await;
    let (_, _three) = party.enter_from("192.0.2.1").unwrap();
    let (_, _four) = party.enter_from("192.0.2.1").unwrap();
    assert!(is_asked_to_go(&first) && is_asked_to_go(&second));
    assert!(party.enter_from("192.0.2.1").is_err());
}

#[tokio::test(start_paused = true)]
async fn whoever_still_takes_its_last_answer_is_not_idle() {
    let party = Party::of(1);
    let (watch, _guest) = party.enter();
    let (turn, _) = watch.begin(false);
    turn.answer();
    drop(turn);
    watch.give();
    sleep(PATIENCE * 2).await;
    assert!(!party.has_room().await);
    assert!(!is_asked_to_go(&watch));
    watch.taken(1);
    assert!(!party.has_room().await);
    assert!(is_asked_to_go(&watch));
}

#[tokio::test(start_paused = true)]
async fn one_network_of_ipv6_is_one_client_and_this_machine_is_none() {
    let party = Party::of(100);
    let _one = party.enter_from("2001:db8:1:1::1").unwrap();
    let _two = party.enter_from("2001:db8:1:1:ffff::2").unwrap();
    assert!(party.enter_from("2001:db8:1:1::3").is_err());
    party.enter_from("2001:db8:1:2::1").unwrap();
    let local: Vec<_> = (0..10)
        .flat_map(|_| ["127.0.0.1", "::1"])
        .map(|address| party.enter_from(address).unwrap())
        .collect();
    assert_eq!(local.len(), 20);
}

#[tokio::test(start_paused = true)]
async fn an_address_that_begins_many_handshakes_ends_its_own() {
    let party = Party::of(100);
    let most = party.limits.get().most();
    let honest = party.enter_by(Channel::Tls);
    honest
        .1
        .is_from("192.0.2.1".parse().unwrap(), most)
        .unwrap();
    honest.1.shakes_hands(most);
    let mut asked = Vec::new();
    for _ in 0..2 {
        let (watch, guest) = party.enter_by(Channel::Tls);
        guest.is_from("192.0.2.2".parse().unwrap(), most).unwrap();
        guest.shakes_hands(most);
        asked.push((watch, guest));
    }
    assert!(!is_asked_to_go(&honest.0));
    assert!(is_asked_to_go(&asked[0].0));
}

#[tokio::test(start_paused = true)]
async fn of_too_many_handshakes_the_oldest_ends() {
    let party = Party::of(100);
    let most = party.limits.get().most();
    let shaking = || party.enter_by(Channel::Tls);
    let guests: Vec<_> = (0..3).map(|_| shaking()).collect();
    for (_, guest) in &guests[..2] {
        guest.shakes_hands(most);
    }
    guests[1].1.has_shaken_hands();
    guests[2].1.shakes_hands(most);
    assert!(guests.iter().all(|(watch, _)| !is_asked_to_go(watch)));
    let (_, another) = shaking();
    another.shakes_hands(most);
    let asked: Vec<_> = guests
        .iter()
        .map(|(watch, _)| is_asked_to_go(watch))
        .collect();
    assert_eq!(asked, [true, false, false]);
    assert_eq!(party.count(Limit::Handshakes), 1);
}
