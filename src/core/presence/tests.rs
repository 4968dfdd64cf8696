//! Presence as tables of what happens when.

use super::*;

fn at(millis: u64) -> Time {
    Time::at(Duration::from_millis(millis))
}

/// What happens at a time, and the state and the next probe after it.
type Step =
    (u64, fn(&mut Presence, Time) -> PresenceChange, PresenceChange, PresenceStatus, Option<(u64, Probe)>);

fn answers(presence: &mut Presence, now: Time) -> PresenceChange {
    presence.answered(ProbeResult::Dialed, now)
}
fn takes_connect(presence: &mut Presence, now: Time) -> PresenceChange {
    presence.answered(ProbeResult::TookConnect, now)
}
fn exits(presence: &mut Presence, now: Time) -> PresenceChange {
    presence.left(OfflineReason::SaidGoodbye, now)
}
fn is_left(presence: &mut Presence, now: Time) -> PresenceChange {
    presence.left(OfflineReason::Disconnected, now)
}

fn play(mut presence: Presence, steps: &[Step]) {
    for (number, (millis, what, change, state, next)) in steps.iter().enumerate() {
        assert_eq!(what(&mut presence, at(*millis)), *change, "change of step {number}");
        assert_eq!(presence.status(), *state, "state after step {number}");
        let next = next.map(|(millis, check)| (at(millis), check));
        assert_eq!(presence.next_probe(PROBE_INTERVAL), next, "next probe after step {number}");
    }
}

#[test]
fn a_peer_that_answers_is_left_in_peace_for_the_interval() {
    play(
        Presence::of_heard(at(0)),
        &[
            (0, answers, PresenceChange::None, PresenceStatus::Online, Some((15_000, Probe::Dial))),
            (
                9_000,
                Presence::heard,
                PresenceChange::None,
                PresenceStatus::Online,
                Some((24_000, Probe::Dial)),
            ),
            (
                9_500,
                takes_connect,
                PresenceChange::None,
                PresenceStatus::Connected,
                Some((24_500, Probe::Dial)),
            ),
        ],
    );
}

#[test]
fn a_refusal_counts_when_it_is_repeated_a_second_later() {
    play(
        Presence::of_heard(at(0)),
        &[
            (0, takes_connect, PresenceChange::None, PresenceStatus::Connected, Some((15_000, Probe::Dial))),
            (
                20_000,
                Presence::refused,
                PresenceChange::Doubtful,
                PresenceStatus::Connected,
                Some((21_000, Probe::Dial)),
            ),
            (
                20_500,
                Presence::refused,
                PresenceChange::Doubtful,
                PresenceStatus::Connected,
                Some((21_000, Probe::Dial)),
            ),
            (
                21_000,
                Presence::refused,
                PresenceChange::Offline(OfflineReason::Refused),
                PresenceStatus::Offline,
                Some((22_000, Probe::Connect)),
            ),
        ],
    );
}

#[test]
fn a_refusal_is_forgotten_when_the_peer_answers_after_all() {
    play(
        Presence::of_heard(at(0)),
        &[
            (
                0,
                Presence::refused,
                PresenceChange::Doubtful,
                PresenceStatus::Online,
                Some((1_000, Probe::Dial)),
            ),
            (900, answers, PresenceChange::None, PresenceStatus::Online, Some((15_900, Probe::Dial))),
            (
                2_000,
                Presence::refused,
                PresenceChange::Doubtful,
                PresenceStatus::Online,
                Some((3_000, Probe::Dial)),
            ),
        ],
    );
}

#[test]
fn a_peer_without_an_answer_is_quiet_and_gone_only_after_ten_seconds() {
    play(
        Presence::of_heard(at(0)),
        &[
            (0, answers, PresenceChange::None, PresenceStatus::Online, Some((15_000, Probe::Dial))),
            (
                16_000,
                Presence::unanswered,
                PresenceChange::None,
                PresenceStatus::Unreachable,
                Some((18_000, Probe::Dial)),
            ),
            (
                19_000,
                Presence::unanswered,
                PresenceChange::None,
                PresenceStatus::Unreachable,
                Some((21_000, Probe::Dial)),
            ),
            (
                25_999,
                Presence::unanswered,
                PresenceChange::None,
                PresenceStatus::Unreachable,
                Some((27_999, Probe::Dial)),
            ),
            (
                26_000,
                Presence::unanswered,
                PresenceChange::Offline(OfflineReason::NoAnswer),
                PresenceStatus::Offline,
                Some((27_000, Probe::Dial)),
            ),
            (
                26_500,
                Presence::heard,
                PresenceChange::Online,
                PresenceStatus::Online,
                Some((41_500, Probe::Dial)),
            ),
        ],
    );
}

#[test]
fn a_static_peer_is_dialed_at_once_and_then_ever_more_rarely() {
    let mut presence = Presence::of_static(at(0));
    assert_eq!(presence.next_probe(PROBE_INTERVAL), Some((at(0), Probe::Connect)));
    let mut now = 0;
    for wait in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
        assert_eq!(presence.refused(at(now)), PresenceChange::None);
        now += wait * 1_000;
        assert_eq!(presence.next_probe(PROBE_INTERVAL), Some((at(now), Probe::Connect)));
    }
    assert_eq!(presence.answered(ProbeResult::TookConnect, at(now)), PresenceChange::Online);
    assert_eq!(presence.status(), PresenceStatus::Connected);
}

#[test]
fn a_static_peer_that_said_exit_is_not_connected_again_until_it_was_seen_to_be_down() {
    play(
        Presence::of_static(at(0)),
        &[
            (
                0,
                takes_connect,
                PresenceChange::Online,
                PresenceStatus::Connected,
                Some((15_000, Probe::Dial)),
            ),
            (
                5_000,
                exits,
                PresenceChange::Offline(OfflineReason::SaidGoodbye),
                PresenceStatus::Offline,
                Some((6_000, Probe::Dial)),
            ),
            (6_000, answers, PresenceChange::None, PresenceStatus::Offline, Some((8_000, Probe::Dial))),
            (
                8_000,
                Presence::refused,
                PresenceChange::None,
                PresenceStatus::Offline,
                Some((12_000, Probe::Connect)),
            ),
        ],
    );
}

#[test]
fn a_peer_that_left_or_was_left_is_not_looked_for() {
    let mut presence = Presence::of_heard(at(0));
    presence.answered(ProbeResult::TookConnect, at(0));
    play(
        presence.clone(),
        &[(1_000, exits, PresenceChange::Offline(OfflineReason::SaidGoodbye), PresenceStatus::Offline, None)],
    );
    play(
        presence,
        &[
            (
                1_000,
                is_left,
                PresenceChange::Offline(OfflineReason::Disconnected),
                PresenceStatus::Offline,
                None,
            ),
            (2_000, answers, PresenceChange::None, PresenceStatus::Offline, None),
            (
                3_000,
                Presence::heard,
                PresenceChange::Online,
                PresenceStatus::Online,
                Some((18_000, Probe::Dial)),
            ),
        ],
    );
}

#[test]
fn a_peer_that_was_only_ever_claimed_is_not_looked_for_once_it_is_gone() {
    play(
        Presence::of_heard(at(0)),
        &[
            (
                0,
                Presence::refused,
                PresenceChange::Doubtful,
                PresenceStatus::Online,
                Some((1_000, Probe::Dial)),
            ),
            (
                1_000,
                Presence::refused,
                PresenceChange::Offline(OfflineReason::Refused),
                PresenceStatus::Offline,
                None,
            ),
        ],
    );
}

#[test]
fn no_second_look_is_begun_while_one_is_under_way() {
    let mut presence = Presence::of_heard(at(0));
    presence.probe_begins();
    presence.heard(at(10));
    assert_eq!(presence.next_probe(PROBE_INTERVAL), None);
    presence.probe_ended(at(20));
    assert_eq!(presence.next_probe(PROBE_INTERVAL), Some((at(1_020), Probe::Dial)));
}

#[test]
fn a_static_peer_that_a_probe_finds_is_still_asked_to_list_us() {
    let mut presence = Presence::of_static(at(0));
    presence.refused(at(0));
    assert_eq!(presence.answered(ProbeResult::Dialed, at(500)), PresenceChange::Online);
    assert_eq!(presence.next_probe(PROBE_INTERVAL), Some((at(500), Probe::Connect)));
    presence.answered(ProbeResult::TookConnect, at(600));
    assert_eq!(presence.next_probe(PROBE_INTERVAL), Some((at(15_600), Probe::Dial)));
}

#[test]
fn a_static_peer_that_speaks_or_takes_a_text_before_our_connect_arrives_is_still_asked_to_list_us() {
    let lost = || {
        let mut presence = Presence::of_static(at(0));
        presence.refused(at(0));
        presence
    };
    let (mut speaks, mut takes) = (lost(), lost());
    assert_eq!(speaks.heard(at(500)), PresenceChange::Online);
    assert_eq!(takes.answered(ProbeResult::TookMessage, at(500)), PresenceChange::Online);
    for presence in [speaks, takes] {
        assert_eq!(presence.next_probe(PROBE_INTERVAL), Some((at(500), Probe::Connect)));
    }
    // Its own `connect` needs no second one.
    let mut asks = lost();
    asks.heard(at(500));
    asks.connected();
    assert_eq!(asks.next_probe(PROBE_INTERVAL), Some((at(500), Probe::Dial)));
    // After a goodbye nobody is asked because of a text.
    for why in [OfflineReason::SaidGoodbye, OfflineReason::Disconnected] {
        let mut parted = lost();
        parted.answered(ProbeResult::TookConnect, at(500));
        parted.left(why, at(600));
        parted.heard(at(700));
        assert_eq!(parted.next_probe(PROBE_INTERVAL), Some((at(15_700), Probe::Dial)));
    }
}

#[test]
fn a_look_that_the_user_asked_for_puts_off_nothing() {
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
fn a_peer_that_left_and_is_not_static_stays_left_alone_when_the_list_finds_it_down() {
    let mut presence = Presence::of_heard(at(0));
    presence.answered(ProbeResult::TookConnect, at(0));
    presence.left(OfflineReason::SaidGoodbye, at(1_000));
    presence.refused(at(2_000));
    assert_eq!(presence.next_probe(PROBE_INTERVAL), None);
    assert_eq!(presence.offline(), Some((at(1_000), OfflineReason::SaidGoodbye)));
}

#[test]
fn what_broke_off_when_the_program_ended_does_not_put_off_the_second_look() {
    play(
        Presence::of_heard(at(0)),
        &[
            (0, takes_connect, PresenceChange::None, PresenceStatus::Connected, Some((15_000, Probe::Dial))),
            (
                1_000,
                Presence::refused,
                PresenceChange::Doubtful,
                PresenceStatus::Connected,
                Some((2_000, Probe::Dial)),
            ),
            (
                1_001,
                Presence::unanswered,
                PresenceChange::None,
                PresenceStatus::Connected,
                Some((2_000, Probe::Dial)),
            ),
            (
                2_000,
                Presence::refused,
                PresenceChange::Offline(OfflineReason::Refused),
                PresenceStatus::Offline,
                Some((3_000, Probe::Connect)),
            ),
        ],
    );
}

#[test]
fn a_refusal_that_is_followed_by_silence_is_not_confirmed() {
    play(
        Presence::of_heard(at(0)),
        &[
            (0, takes_connect, PresenceChange::None, PresenceStatus::Connected, Some((15_000, Probe::Dial))),
            (
                1_000,
                Presence::refused,
                PresenceChange::Doubtful,
                PresenceStatus::Connected,
                Some((2_000, Probe::Dial)),
            ),
            (
                2_000,
                Presence::unanswered,
                PresenceChange::None,
                PresenceStatus::Unreachable,
                Some((4_000, Probe::Dial)),
            ),
        ],
    );
}

#[test]
fn disconnected_contact_is_redialed_only_after_a_message() {
    type Resume = fn(&mut Presence, Time);
    let resumes: [Resume; 2] = [
        |presence, _| presence.want(),
        |presence, now| assert_eq!(presence.heard(now), PresenceChange::Online),
    ];
    for resume in resumes {
        let mut presence = Presence::of_contact(at(0), at(0), false);
        presence.answered(ProbeResult::TookConnect, at(10));
        presence.left(OfflineReason::Disconnected, at(1_000));
        assert_eq!(presence.next_probe(PROBE_INTERVAL), None, "after the goodbye");
        // The list probes it nevertheless.
        for millis in [2_000, 3_000] {
            presence.probe_begins();
            presence.refused(at(millis));
            presence.probe_ended(at(millis));
            presence.unanswered(at(millis));
            presence.network_changed(at(millis));
            assert_eq!(presence.next_probe(PROBE_INTERVAL), None, "after a probe");
        }
        resume(&mut presence, at(4_000));
        assert!(presence.next_probe(PROBE_INTERVAL).is_some(), "one side has written");
    }
}

#[test]
fn dormant_contact_is_dialed_after_the_user_writes() {
    let mut presence = Presence::of_contact(at(0), at(0), true);
    assert_eq!(presence.next_probe(PROBE_INTERVAL), None);
    presence.want();
    assert_eq!(presence.next_probe(PROBE_INTERVAL), Some((at(0), Probe::Connect)));
}
