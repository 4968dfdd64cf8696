//! A peer's life as tables of what happens when.

use super::*;

fn at(millis: u64) -> Time {
    Time::at(Duration::from_millis(millis))
}

/// What happens at a time, and the state and the next look after it.
type Step = (u64, fn(&mut Life, Time) -> Change, Change, State, Option<(u64, Check)>);

fn answers(life: &mut Life, now: Time) -> Change {
    life.answered(Evidence::Probe, now)
}
fn takes_connect(life: &mut Life, now: Time) -> Change {
    life.answered(Evidence::Connect, now)
}
fn exits(life: &mut Life, now: Time) -> Change {
    life.parted(Why::SaidExit, now)
}
fn is_left(life: &mut Life, now: Time) -> Change {
    life.parted(Why::Disconnected, now)
}

fn play(mut life: Life, steps: &[Step]) {
    for (number, (millis, what, change, state, next)) in steps.iter().enumerate() {
        assert_eq!(what(&mut life, at(*millis)), *change, "change of step {number}");
        assert_eq!(life.state(), *state, "state after step {number}");
        let next = next.map(|(millis, check)| (at(millis), check));
        assert_eq!(life.next_check(PROBE_INTERVAL), next, "next look after step {number}");
    }
}

#[test]
fn a_peer_that_answers_is_left_in_peace_for_the_interval() {
    play(
        Life::of_heard(at(0)),
        &[
            (0, answers, Change::None, State::Active, Some((15_000, Check::Probe))),
            (9_000, Life::heard, Change::None, State::Active, Some((24_000, Check::Probe))),
            (9_500, takes_connect, Change::None, State::Connected, Some((24_500, Check::Probe))),
        ],
    );
}

#[test]
fn a_refusal_counts_when_it_is_repeated_a_second_later() {
    play(
        Life::of_heard(at(0)),
        &[
            (0, takes_connect, Change::None, State::Connected, Some((15_000, Check::Probe))),
            (20_000, Life::refused, Change::Doubtful, State::Connected, Some((21_000, Check::Probe))),
            (20_500, Life::refused, Change::Doubtful, State::Connected, Some((21_000, Check::Probe))),
            (21_000, Life::refused, Change::Went(Why::Refused), State::Gone, Some((22_000, Check::Connect))),
        ],
    );
}

#[test]
fn a_refusal_is_forgotten_when_the_peer_answers_after_all() {
    play(
        Life::of_heard(at(0)),
        &[
            (0, Life::refused, Change::Doubtful, State::Active, Some((1_000, Check::Probe))),
            (900, answers, Change::None, State::Active, Some((15_900, Check::Probe))),
            (2_000, Life::refused, Change::Doubtful, State::Active, Some((3_000, Check::Probe))),
        ],
    );
}

#[test]
fn a_peer_without_an_answer_is_quiet_and_gone_only_after_ten_seconds() {
    play(
        Life::of_heard(at(0)),
        &[
            (0, answers, Change::None, State::Active, Some((15_000, Check::Probe))),
            (16_000, Life::unanswered, Change::None, State::Quiet, Some((18_000, Check::Probe))),
            (19_000, Life::unanswered, Change::None, State::Quiet, Some((21_000, Check::Probe))),
            (25_999, Life::unanswered, Change::None, State::Quiet, Some((27_999, Check::Probe))),
            (
                26_000,
                Life::unanswered,
                Change::Went(Why::NoAnswer),
                State::Gone,
                Some((27_000, Check::Probe)),
            ),
            (26_500, Life::heard, Change::Came, State::Active, Some((41_500, Check::Probe))),
        ],
    );
}

#[test]
fn a_static_peer_is_dialled_at_once_and_then_ever_more_rarely() {
    let mut life = Life::of_static(at(0));
    assert_eq!(life.next_check(PROBE_INTERVAL), Some((at(0), Check::Connect)));
    let mut now = 0;
    for wait in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
        assert_eq!(life.refused(at(now)), Change::None);
        now += wait * 1_000;
        assert_eq!(life.next_check(PROBE_INTERVAL), Some((at(now), Check::Connect)));
    }
    assert_eq!(life.answered(Evidence::Connect, at(now)), Change::Came);
    assert_eq!(life.state(), State::Connected);
}

#[test]
fn a_static_peer_that_said_exit_is_not_connected_again_until_it_was_seen_to_be_down() {
    play(
        Life::of_static(at(0)),
        &[
            (0, takes_connect, Change::Came, State::Connected, Some((15_000, Check::Probe))),
            (5_000, exits, Change::Went(Why::SaidExit), State::Gone, Some((6_000, Check::Probe))),
            (6_000, answers, Change::None, State::Gone, Some((8_000, Check::Probe))),
            (8_000, Life::refused, Change::None, State::Gone, Some((12_000, Check::Connect))),
        ],
    );
}

#[test]
fn a_peer_that_left_or_was_left_is_not_looked_for() {
    let mut life = Life::of_heard(at(0));
    life.answered(Evidence::Connect, at(0));
    play(life.clone(), &[(1_000, exits, Change::Went(Why::SaidExit), State::Gone, None)]);
    play(
        life,
        &[
            (1_000, is_left, Change::Went(Why::Disconnected), State::Gone, None),
            (2_000, answers, Change::None, State::Gone, None),
            (3_000, Life::heard, Change::Came, State::Active, Some((18_000, Check::Probe))),
        ],
    );
}

#[test]
fn a_peer_that_was_only_ever_claimed_is_not_looked_for_once_it_is_gone() {
    play(
        Life::of_heard(at(0)),
        &[
            (0, Life::refused, Change::Doubtful, State::Active, Some((1_000, Check::Probe))),
            (1_000, Life::refused, Change::Went(Why::Refused), State::Gone, None),
        ],
    );
}

#[test]
fn no_second_look_is_begun_while_one_is_under_way() {
    let mut life = Life::of_heard(at(0));
    life.checking();
    life.heard(at(10));
    assert_eq!(life.next_check(PROBE_INTERVAL), None);
    life.checked(at(20));
    assert_eq!(life.next_check(PROBE_INTERVAL), Some((at(1_020), Check::Probe)));
}

#[test]
fn a_static_peer_that_a_probe_finds_is_still_asked_to_list_us() {
    let mut life = Life::of_static(at(0));
    life.refused(at(0));
    assert_eq!(life.answered(Evidence::Probe, at(500)), Change::Came);
    assert_eq!(life.next_check(PROBE_INTERVAL), Some((at(500), Check::Connect)));
    life.answered(Evidence::Connect, at(600));
    assert_eq!(life.next_check(PROBE_INTERVAL), Some((at(15_600), Check::Probe)));
}

#[test]
fn a_static_peer_that_speaks_or_takes_a_text_before_our_connect_arrives_is_still_asked_to_list_us() {
    let lost = || {
        let mut life = Life::of_static(at(0));
        life.refused(at(0));
        life
    };
    let (mut speaks, mut takes) = (lost(), lost());
    assert_eq!(speaks.heard(at(500)), Change::Came);
    assert_eq!(takes.answered(Evidence::Text, at(500)), Change::Came);
    for life in [speaks, takes] {
        assert_eq!(life.next_check(PROBE_INTERVAL), Some((at(500), Check::Connect)));
    }
    // Its own `connect` needs no second one.
    let mut asks = lost();
    asks.heard(at(500));
    asks.connected();
    assert_eq!(asks.next_check(PROBE_INTERVAL), Some((at(500), Check::Probe)));
    // After a goodbye nobody is asked because of a text.
    for why in [Why::SaidExit, Why::Disconnected] {
        let mut parted = lost();
        parted.answered(Evidence::Connect, at(500));
        parted.parted(why, at(600));
        parted.heard(at(700));
        assert_eq!(parted.next_check(PROBE_INTERVAL), Some((at(15_700), Check::Probe)));
    }
}

#[test]
fn a_look_that_the_user_asked_for_puts_off_nothing() {
    let mut life = Life::of_static(at(0));
    for now in [0, 1_000, 3_000] {
        life.checking();
        life.checked(at(now));
        life.refused(at(now));
    }
    assert_eq!(life.next_check(PROBE_INTERVAL), Some((at(7_000), Check::Connect)));
    for now in [3_100, 3_200, 3_300] {
        life.checking();
        life.checked(at(now));
        life.refused(at(now));
    }
    assert_eq!(life.next_check(PROBE_INTERVAL), Some((at(7_000), Check::Connect)));
}

#[test]
fn a_peer_that_left_and_is_not_static_stays_left_alone_when_the_list_finds_it_down() {
    let mut life = Life::of_heard(at(0));
    life.answered(Evidence::Connect, at(0));
    life.parted(Why::SaidExit, at(1_000));
    life.refused(at(2_000));
    assert_eq!(life.next_check(PROBE_INTERVAL), None);
    assert_eq!(life.gone(), Some((at(1_000), Why::SaidExit)));
}

#[test]
fn what_broke_off_when_the_program_ended_does_not_put_off_the_second_look() {
    play(
        Life::of_heard(at(0)),
        &[
            (0, takes_connect, Change::None, State::Connected, Some((15_000, Check::Probe))),
            (1_000, Life::refused, Change::Doubtful, State::Connected, Some((2_000, Check::Probe))),
            (1_001, Life::unanswered, Change::None, State::Connected, Some((2_000, Check::Probe))),
            (2_000, Life::refused, Change::Went(Why::Refused), State::Gone, Some((3_000, Check::Connect))),
        ],
    );
}

#[test]
fn a_refusal_that_is_followed_by_silence_is_not_confirmed() {
    play(
        Life::of_heard(at(0)),
        &[
            (0, takes_connect, Change::None, State::Connected, Some((15_000, Check::Probe))),
            (1_000, Life::refused, Change::Doubtful, State::Connected, Some((2_000, Check::Probe))),
            (2_000, Life::unanswered, Change::None, State::Quiet, Some((4_000, Check::Probe))),
        ],
    );
}
