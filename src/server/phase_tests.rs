//! A connection's phases, without a connection.

use super::*;

fn bound(state: &State) -> Option<Bound> {
    state.wait().map(|wait| wait.bound)
}

#[test]
fn a_dripping_head_is_one_wait_from_its_first_byte() {
    let mut state = State::accepted(Channel::Clear, 0);
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
    let mut state = State::accepted(Channel::Tls, 0);
    let handshake = state.wait();
    assert_eq!(bound(&state), Some(Bound::Handshake));
    state.sent(1);
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
fn who_looked_for_more_behind_a_whole_head_waits_for_nothing() {
    let mut state = State::accepted(Channel::Clear, 0);
    state.read(18);
    state.read_blocked();
    state.begin(false);
    assert_eq!(
        bound(&state),
        None,
        "a slow answer is not its client's silence"
    );
}

#[test]
fn only_a_wanted_body_is_waited_for_while_the_answer_is_made() {
    let mut state = State::accepted(Channel::Clear, 0);
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
    let mut state = State::accepted(Channel::Clear, 0);
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
    state.wrote(1);
    assert_eq!(bound(&state), Some(Bound::Idle));
    state.write_blocked();
    assert_ne!(state.wait(), first);
}

#[test]
fn in_tls_a_reader_takes_what_leaves_not_what_is_written() {
    let mut state = State::accepted(Channel::Tls, 0);
    state.begin(false);
    state.answer();
    state.wrote(1);
    state.write_blocked();
    let first = state.wait();
    state.wrote(1);
    assert_eq!(state.wait(), first);
    state.sent(1);
    assert_eq!(bound(&state), None);
    state.write_blocked();
    assert_ne!(state.wait(), first);
}

#[test]
fn only_a_client_that_may_still_be_sending_is_lingered_for() {
    let served = |channel, has_body| {
        let mut state = State::accepted(channel, 0);
        state.read(100);
        state.begin(has_body);
        state.answer();
        state.finish();
        state
    };
    assert!(!State::accepted(Channel::Clear, 0).hang_up());
    assert!(!served(Channel::Clear, false).hang_up());
    assert!(served(Channel::Clear, true).hang_up());
    let mut broken = State::accepted(Channel::Clear, 0);
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

#[test]
fn a_lap_goes_on_with_pieces_and_ends_with_enough_bytes() {
    let lap = |state: &State| state.wait().and_then(|wait| wait.lap);
    let mut state = State::accepted(Channel::Clear, 100);
    state.begin(true);
    state.read_blocked();
    let first = state.wait().unwrap();
    state.read(99);
    state.read_blocked();
    let second = state.wait().unwrap();
    assert!(first != second && first.is_in_lap_of(second));
    state.read(1);
    state.read_blocked();
    assert!(!first.is_in_lap_of(state.wait().unwrap()));
    state.answer();
    state.write_blocked();
    let first = state.wait().unwrap();
    state.wrote(99);
    state.write_blocked();
    assert!(first.is_in_lap_of(state.wait().unwrap()));
    state.wrote(500);
    state.write_blocked();
    assert!(!first.is_in_lap_of(state.wait().unwrap()));
    state.finish();
    state.wrote(1);
    assert_eq!(lap(&state), None, "an idle client owes nothing");
}

#[test]
fn only_who_is_waited_for_can_be_asked_to_go() {
    let mut state = State::accepted(Channel::Clear, 0);
    state.dismiss();
    assert_eq!(bound(&state), Some(Bound::Crowd));
    state.begin(false);
    assert_eq!(bound(&state), None, "it had something to ask after all");
    state.dismiss();
    state.answer();
    state.finish();
    assert_eq!(bound(&state), Some(Bound::Idle));
    state.dismiss();
    assert_eq!(bound(&state), Some(Bound::Crowd));
}

#[test]
fn of_requests_that_share_a_connection_the_last_leaves_it_idle() {
    let mut state = State::accepted(Channel::Clear, 0);
    state.share();
    let idle = state.wait();
    state.read(17);
    assert_eq!(
        state.wait(),
        idle,
        "frames that begin nothing change nothing"
    );
    state.begin(true);
    state.begin(false);
    state.read_blocked();
    assert_eq!(bound(&state), None);
    state.answer();
    state.finish();
    assert_eq!(bound(&state), None);
    state.finish();
    assert_eq!(bound(&state), Some(Bound::Idle));
    assert_ne!(state.wait(), idle);
    assert!(state.hang_up(), "frames may be on their way");
}
