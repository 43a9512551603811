//! The rule, on a clock that stands still.

use super::*;

const COOLDOWN: Duration = Duration::from_secs(2);
const MOMENT: Duration = Duration::from_millis(1);

fn breaker(failures: usize) -> Breaker {
    Breaker::new(config::Breaker {
        failures,
        cooldown: COOLDOWN,
    })
}

fn strike(failure: Failure, key: u64) -> Strike {
    Strike {
        failure,
        key: Some(key),
        rest: None,
    }
}

fn resting(seconds: u64) -> Strike {
    Strike {
        rest: Some(Duration::from_secs(seconds)),
        ..strike(Failure::Error, 1)
    }
}

fn unreachable() -> Strike {
    Strike {
        failure: Failure::Unreachable,
        key: None,
        rest: None,
    }
}

/// One that was opened just now by time-outs.
fn opened(now: Instant) -> Breaker {
    let mut breaker = breaker(3);
    for key in 0..3 {
        breaker.failed(now, strike(Failure::Timeout, key), false);
    }
    assert!(!breaker.is_closed());
    breaker
}

#[test]
fn it_opens_with_the_third_failure_in_a_row() {
    let now = Instant::now();
    let mut breaker = breaker(3);
    for key in 0..2 {
        assert_eq!(
            breaker.failed(now, strike(Failure::Error, key), false),
            None
        );
        assert_eq!(breaker.admit(now), Admission::Go);
    }
    let change = breaker.failed(now, strike(Failure::Cut, 2), false);
    assert_eq!(change, Some(Change::Opened(Failure::Cut)));
    assert_eq!(breaker.admit(now), Admission::No(Failure::Cut));
}

#[test]
fn a_success_between_them_begins_anew() {
    let now = Instant::now();
    let mut breaker = breaker(3);
    for round in 0..5 {
        breaker.failed(now, strike(Failure::Error, round), false);
        breaker.failed(now, strike(Failure::Error, round + 100), false);
        assert_eq!(breaker.succeeded(now), None);
        assert!(breaker.is_closed());
    }
}

#[test]
fn one_artifact_alone_opens_nothing() {
    let now = Instant::now();
    let mut breaker = breaker(3);
    for _ in 0..10 {
        breaker.failed(now, strike(Failure::Error, 1), false);
    }
    assert!(breaker.is_closed());
    breaker.failed(now, strike(Failure::Error, 2), false);
    assert!(!breaker.is_closed());
}

#[test]
fn no_connection_is_no_artifacts_affair() {
    let now = Instant::now();
    let mut breaker = breaker(3);
    for _ in 0..3 {
        assert!(breaker.is_closed());
        breaker.failed(now, unreachable(), false);
    }
    assert_eq!(breaker.admit(now), Admission::No(Failure::Unreachable));
}

#[test]
fn one_failure_is_enough_where_one_is_asked_for_and_none_where_it_is_off() {
    let now = Instant::now();
    let mut strict = breaker(1);
    strict.failed(now, strike(Failure::Error, 1), false);
    assert!(!strict.is_closed());
    let mut off = breaker(0);
    for key in 0..100 {
        off.failed(now, strike(Failure::Error, key), false);
        off.failed(now, resting(5), false);
    }
    assert!(off.is_closed());
}

#[test]
fn most_of_many_failing_opens_it_too_and_half_does_not() {
    let now = Instant::now();
    let mut half = breaker(3);
    let mut most = breaker(3);
    for key in 0..100 {
        half.failed(now, strike(Failure::Error, key), false);
        half.succeeded(now);
        assert!(half.is_closed());
    }
    for key in 0..6 {
        most.failed(now, strike(Failure::Error, key), false);
        most.failed(now, strike(Failure::Error, key + 100), false);
        most.succeeded(now);
    }
    assert!(most.is_closed(), "eighteen say nothing yet");
    most.failed(now, strike(Failure::Error, 9), false);
    most.failed(now, strike(Failure::Error, 10), false);
    assert!(!most.is_closed());
}

#[test]
fn what_failed_long_ago_no_longer_counts() {
    let mut now = Instant::now();
    let mut breaker = breaker(3);
    for key in 0..30 {
        breaker.failed(now, strike(Failure::Error, key), false);
        breaker.succeeded(now);
        now += Duration::from_secs(1);
        assert!(breaker.is_closed());
    }
}

#[test]
fn after_each_cool_down_one_tries_and_the_others_wait_a_moment() {
    let mut now = Instant::now();
    let mut breaker = opened(now);
    for _ in 0..3 {
        assert_eq!(breaker.admit(now), Admission::No(Failure::Timeout));
        now += COOLDOWN;
        assert_eq!(breaker.admit(now), Admission::Try(Failure::Timeout));
        assert_eq!(breaker.admit(now), Admission::Wait(now + TRY_WAIT));
        now += TRY_WAIT;
        assert_eq!(breaker.admit(now), Admission::No(Failure::Timeout));
        let change = breaker.failed(now, strike(Failure::Timeout, 7), true);
        assert_eq!(change, None, "it was open before");
    }
    now += COOLDOWN;
    assert_eq!(breaker.admit(now), Admission::Try(Failure::Timeout));
    assert_eq!(breaker.succeeded(now), Some(Change::Closed));
    assert_eq!(breaker.admit(now), Admission::Go);
}

#[test]
fn one_that_tries_for_long_keeps_the_others_out_for_a_while_only() {
    let opened_at = Instant::now();
    let mut breaker = opened(opened_at);
    let tried = opened_at + COOLDOWN;
    assert_eq!(breaker.admit(tried), Admission::Try(Failure::Timeout));
    let later = tried + LONGEST_TRY;
    assert_eq!(
        breaker.admit(later - MOMENT),
        Admission::No(Failure::Timeout)
    );
    assert_eq!(breaker.admit(later), Admission::Try(Failure::Timeout));
    assert_eq!(breaker.admit(later), Admission::Wait(later + TRY_WAIT));
}

#[test]
fn whoever_was_to_try_and_left_is_followed_by_the_next() {
    let now = Instant::now();
    let mut breaker = opened(now);
    assert_eq!(
        breaker.admit(now + COOLDOWN),
        Admission::Try(Failure::Timeout)
    );
    breaker.gave_up(now + COOLDOWN);
    assert_eq!(
        breaker.admit(now + COOLDOWN),
        Admission::Try(Failure::Timeout)
    );
}

#[test]
fn what_began_before_it_opened_cannot_prolong_it_but_may_end_it() {
    let now = Instant::now();
    let mut breaker = opened(now);
    let late = now + COOLDOWN - MOMENT;
    breaker.failed(late, strike(Failure::Error, 9), false);
    assert_eq!(
        breaker.admit(now + COOLDOWN),
        Admission::Try(Failure::Timeout)
    );
    breaker.failed(now + COOLDOWN, strike(Failure::Error, 9), false);
    assert_eq!(
        breaker.admit(now + COOLDOWN),
        Admission::Wait(now + COOLDOWN + TRY_WAIT)
    );
    assert_eq!(breaker.succeeded(late), Some(Change::Closed));
}

#[test]
fn a_server_that_asks_to_be_left_alone_is_at_once_and_for_so_long() {
    let now = Instant::now();
    let mut breaker = breaker(3);
    let change = breaker.failed(now, resting(10), false);
    assert_eq!(change, Some(Change::Opened(Failure::Error)));
    let rested = now + Duration::from_secs(10);
    assert_eq!(
        breaker.admit(rested - MOMENT),
        Admission::No(Failure::Error)
    );
    assert_eq!(breaker.admit(rested), Admission::Try(Failure::Error));
    breaker.failed(rested, resting(20), true);
    let later = rested + Duration::from_secs(20);
    assert_eq!(breaker.admit(later - MOMENT), Admission::No(Failure::Error));
    assert_eq!(breaker.admit(later), Admission::Try(Failure::Error));
}

#[test]
fn a_connection_ends_only_what_the_want_of_one_began() {
    let now = Instant::now();
    let mut unreached = breaker(3);
    for _ in 0..3 {
        unreached.failed(now, unreachable(), false);
    }
    assert_eq!(unreached.connected(now - MOMENT), None, "an older one");
    assert_eq!(unreached.connected(now + MOMENT), Some(Change::Closed));
    assert_eq!(unreached.admit(now), Admission::Go);
    let mut silent = opened(now);
    assert_eq!(silent.connected(now + MOMENT), None);
    assert!(!silent.is_closed());
}
