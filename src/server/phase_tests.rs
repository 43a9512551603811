//! A connection's phases, without a connection.

use super::*;

fn bound(state: &State) -> Option<Bound> {
    state.wait().map(|wait| wait.bound)
}

#[test]
fn a_dripping_head_is_one_wait_from_its_first_byte() {
    let mut state = State::accepted(Channel::Clear);
    let first = state.wait();
    state.read(1);
    state.read(1);
    assert_eq!(state.wait(), first);
    state.begin(false);
    state.answer();
    state.finish();
    assert_eq!(bound(&state), Some(Bound::Idle));
    state.read(1);
    let second = state.wait();
    assert_eq!(bound(&state), Some(Bound::Head));
    assert_ne!(second, first);
    state.read(1);
    assert_eq!(state.wait(), second);
}

#[test]
fn a_handshake_is_one_wait_and_the_first_head_behind_it_another() {
    let mut state = State::accepted(Channel::Tls);
    let handshake = state.wait();
    assert_eq!(bound(&state), Some(Bound::Handshake));
    state.sent();
    state.read_blocked();
    assert_eq!(state.wait(), handshake);
    state.shaken();
    let head = state.wait();
    assert_eq!(bound(&state), Some(Bound::Head));
    state.read(1);
    // There is one handshake in a connection.
    state.shaken();
    assert_eq!(state.wait(), head);
}

#[test]
fn only_a_wanted_body_is_waited_for_while_the_answer_is_made() {
    let mut state = State::accepted(Channel::Clear);
    state.read(100);
    state.begin(true);
    assert_eq!(bound(&state), None);
    state.read_blocked();
    let first = state.wait();
    assert_eq!(bound(&state), Some(Bound::Body));
    state.read(10);
    assert_eq!(bound(&state), None);
    state.read_blocked();
    assert_ne!(state.wait(), first);
    state.answer();
    assert_eq!(bound(&state), None);
}

#[test]
fn a_stalled_reader_is_waited_for_anew_after_each_piece_it_takes() {
    let mut state = State::accepted(Channel::Clear);
    state.begin(false);
    state.answer();
    state.write_blocked();
    let first = state.wait();
    assert_eq!(bound(&state), Some(Bound::Stall));
    state.finish();
    assert_eq!(
        state.wait(),
        first,
        "the last piece may leave after the body's end"
    );
    state.wrote();
    assert_eq!(bound(&state), Some(Bound::Idle));
    state.write_blocked();
    assert_ne!(state.wait(), first);
}

#[test]
fn in_tls_a_reader_takes_what_leaves_not_what_is_written() {
    let mut state = State::accepted(Channel::Tls);
    state.begin(false);
    state.answer();
    state.wrote();
    state.write_blocked();
    let first = state.wait();
    state.wrote();
    assert_eq!(state.wait(), first);
    state.sent();
    assert_eq!(bound(&state), None);
    state.write_blocked();
    assert_ne!(state.wait(), first);
}

#[test]
fn only_a_client_that_may_still_be_sending_is_lingered_for() {
    let served = |channel, has_body| {
        let mut state = State::accepted(channel);
        state.read(100);
        state.begin(has_body);
        state.answer();
        state.finish();
        state
    };
    assert!(!State::accepted(Channel::Clear).hang_up());
    assert!(!served(Channel::Clear, false).hang_up());
    assert!(served(Channel::Clear, true).hang_up());
    let mut broken = State::accepted(Channel::Clear);
    broken.read(3);
    assert!(broken.hang_up());
    assert_eq!(bound(&broken), Some(Bound::Linger));
    broken.read(0);
    assert!(!broken.hang_up());
    let mut secured = served(Channel::Tls, false);
    assert!(secured.hang_up(), "it may still say farewell");
    secured.read(0);
    assert!(!secured.hang_up());
}
