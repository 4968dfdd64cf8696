//! Presence as tables of what happens when.

use super::*;
use PresenceStatus::{Connected, Offline, Online, Unreachable};
use Probe::Dial;

fn at(millis: u64) -> Time {
    Time::at(Duration::from_millis(millis))
}

/// What happens at a time, and the state and the next probe after it.
type Step = (u64, fn(&mut Presence, Time), PresenceStatus, Option<(u64, Probe)>);

fn answers(presence: &mut Presence, now: Time) {
    presence.answered(ProbeResult::Dialed, now);
}
fn takes_connect(presence: &mut Presence, now: Time) {
    presence.answered(ProbeResult::TookConnect, now);
}
fn refuses(presence: &mut Presence, now: Time) {
    let was_online = presence.offline().is_none();
    assert_eq!(presence.refused(now), was_online && presence.offline().is_some());
}
fn is_silent(presence: &mut Presence, now: Time) {
    let was_online = presence.offline().is_none();
    assert_eq!(presence.unanswered(now), was_online && presence.offline().is_some());
}
fn exits(presence: &mut Presence, now: Time) {
    presence.left(OfflineReason::SaidGoodbye, now);
}
fn is_left(presence: &mut Presence, now: Time) {
    presence.left(OfflineReason::Disconnected, now);
}

fn play(mut presence: Presence, steps: &[Step]) {
    for (number, (millis, what, state, next)) in steps.iter().enumerate() {
        what(&mut presence, at(*millis));
        assert_eq!(presence.status(), *state, "state after step {number}");
        let next = next.map(|(millis, check)| (at(millis), check));
        assert_eq!(presence.next_probe(PROBE_INTERVAL), next, "next probe after step {number}");
    }
}

#[test]
fn answering_peer_is_not_probed_within_the_interval() {
    play(
        Presence::of_heard(at(0)),
        &[
            (0, answers, Online, Some((15_000, Dial))),
            (9_000, Presence::heard, Online, Some((24_000, Dial))),
            (9_500, takes_connect, Connected, Some((24_500, Dial))),
        ],
    );
}

/// A peer that took `connect`, and refused a probe a second later.
fn doubtful() -> Presence {
    let mut presence = Presence::of_heard(at(0));
    presence.answered(ProbeResult::TookConnect, at(0));
    assert!(!presence.refused(at(1_000)), "it is asked once more");
    presence
}

#[test]
fn answer_takes_a_refusal_back() {
    play(
        Presence::of_heard(at(0)),
        &[
            (0, refuses, Online, Some((1_000, Dial))),
            (900, answers, Online, Some((15_900, Dial))),
            (2_000, refuses, Online, Some((3_000, Dial))),
        ],
    );
}

#[test]
fn unanswering_peer_is_offline_after_ten_seconds() {
    play(
        Presence::of_heard(at(0)),
        &[
            (0, answers, Online, Some((15_000, Dial))),
            (16_000, is_silent, Unreachable, Some((18_000, Dial))),
            (19_000, is_silent, Unreachable, Some((21_000, Dial))),
            (25_999, is_silent, Unreachable, Some((27_999, Dial))),
            (26_000, is_silent, Offline, Some((27_000, Dial))),
            (26_500, Presence::heard, Online, Some((41_500, Dial))),
        ],
    );
}

#[test]
fn static_peer_is_dialed_ever_more_rarely() {
    let mut presence = Presence::of_static(at(0));
    assert_eq!(presence.next_probe(PROBE_INTERVAL), Some((at(0), Probe::Connect)));
    let mut now = 0;
    for wait in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
        presence.refused(at(now));
        now += wait * 1_000;
        assert_eq!(presence.next_probe(PROBE_INTERVAL), Some((at(now), Probe::Connect)));
    }
    presence.answered(ProbeResult::TookConnect, at(now));
    assert_eq!(presence.status(), Connected);
}

#[test]
fn static_peer_that_left_is_dialed_until_down() {
    play(
        Presence::of_static(at(0)),
        &[
            (0, takes_connect, Connected, Some((15_000, Dial))),
            (5_000, exits, Offline, Some((6_000, Dial))),
            (6_000, answers, Offline, Some((8_000, Dial))),
            (8_000, refuses, Offline, Some((12_000, Probe::Connect))),
        ],
    );
}

#[test]
fn peer_that_left_is_not_probed() {
    let mut presence = Presence::of_heard(at(0));
    presence.answered(ProbeResult::TookConnect, at(0));
    play(presence.clone(), &[(1_000, exits, Offline, None)]);
    play(
        presence,
        &[
            (1_000, is_left, Offline, None),
            (2_000, answers, Offline, None),
            (3_000, Presence::heard, Online, Some((18_000, Dial))),
        ],
    );
}

#[test]
fn claimed_peer_is_not_probed_once_offline() {
    play(
        Presence::of_heard(at(0)),
        &[(0, refuses, Online, Some((1_000, Dial))), (1_000, refuses, Offline, None)],
    );
}

#[test]
fn one_probe_is_under_way_at_a_time() {
    let mut presence = Presence::of_heard(at(0));
    presence.probe_begins();
    presence.heard(at(10));
    assert_eq!(presence.next_probe(PROBE_INTERVAL), None);
    presence.probe_ended(at(20));
    assert_eq!(presence.next_probe(PROBE_INTERVAL), Some((at(1_020), Dial)));
}

#[test]
fn static_peer_that_a_probe_finds_gets_connect() {
    let mut presence = Presence::of_static(at(0));
    presence.refused(at(0));
    presence.answered(ProbeResult::Dialed, at(500));
    assert_eq!(presence.next_probe(PROBE_INTERVAL), Some((at(500), Probe::Connect)));
    presence.answered(ProbeResult::TookConnect, at(600));
    assert_eq!(presence.next_probe(PROBE_INTERVAL), Some((at(15_600), Dial)));
}

#[test]
fn static_peer_that_speaks_first_gets_connect() {
    let lost = || {
        let mut presence = Presence::of_static(at(0));
        presence.refused(at(0));
        presence
    };
    let (mut speaks, mut takes) = (lost(), lost());
    speaks.heard(at(500));
    takes.answered(ProbeResult::TookMessage, at(500));
    for presence in [speaks, takes] {
        assert_eq!(presence.next_probe(PROBE_INTERVAL), Some((at(500), Probe::Connect)));
    }
    // Its own `connect` needs no second one.
    let mut asks = lost();
    asks.heard(at(500));
    asks.connected();
    assert_eq!(asks.next_probe(PROBE_INTERVAL), Some((at(500), Dial)));
    // After a goodbye, a message is no reason to ask to be listed.
    for why in [OfflineReason::SaidGoodbye, OfflineReason::Disconnected] {
        let mut parted = lost();
        parted.answered(ProbeResult::TookConnect, at(500));
        parted.left(why, at(600));
        parted.heard(at(700));
        assert_eq!(parted.next_probe(PROBE_INTERVAL), Some((at(15_700), Dial)));
    }
}

#[test]
fn probe_for_the_user_delays_nothing() {
    let mut presence = Presence::of_static(at(0));
    for now in [0, 1_000, 3_000] {
        presence.probe_begins();
        presence.probe_ended(at(now));
        presence.refused(at(now));
    }
    assert_eq!(presence.next_probe(PROBE_INTERVAL), Some((at(7_000), Probe::Connect)));
    for now in [3_100, 3_200, 3_300] {
        presence.probe_begins();
        presence.probe_ended(at(now));
        presence.refused(at(now));
    }
    assert_eq!(presence.next_probe(PROBE_INTERVAL), Some((at(7_000), Probe::Connect)));
}

#[test]
fn broken_connection_does_not_delay_the_second_probe() {
    play(
        doubtful(),
        &[
            (1_001, is_silent, Connected, Some((2_000, Dial))),
            (2_000, refuses, Offline, Some((3_000, Probe::Connect))),
        ],
    );
}

#[test]
fn silence_does_not_confirm_a_refusal() {
    play(doubtful(), &[(2_000, is_silent, Unreachable, Some((4_000, Dial)))]);
}

#[test]
fn dormant_contact_is_dialed_after_the_user_writes() {
    let mut presence = Presence::of_contact(at(0), at(0), true);
    assert_eq!(presence.next_probe(PROBE_INTERVAL), None);
    presence.want();
    assert_eq!(presence.next_probe(PROBE_INTERVAL), Some((at(0), Probe::Connect)));
}

#[test]
fn peer_at_a_taken_address_is_probed_rarely() {
    play(
        Presence::of_static(at(0)),
        &[
            (0, Presence::is_taken, Offline, Some((1_000, Probe::Connect))),
            (1_000, Presence::is_taken, Offline, Some((3_000, Probe::Connect))),
        ],
    );
    // One that nobody configured is left alone.
    play(Presence::of_heard(at(0)), &[(0, Presence::is_taken, Offline, None)]);
}

#[test]
fn original_dialer_redials_first() {
    for (dialed, redials_at) in [(true, at(5_000)), (false, at(5_000).plus(REDIAL_AFTER))] {
        let mut presence = Presence::of_heard(at(0));
        presence.session_opened(dialed);
        assert_eq!(presence.next_probe(PROBE_INTERVAL), None, "the session shows that it is there");
        presence.session_lost(at(5_000));
        assert_eq!(presence.status(), Unreachable);
        assert_eq!(presence.next_probe(PROBE_INTERVAL), Some((redials_at, Dial)), "dialed: {dialed}");
    }
}
