//! The words about keys.

use std::net::Ipv4Addr;

use super::*;
use crate::core::Forgotten;
use crate::model::peer_id::PeerId;
use crate::protocol::plain;
use crate::tui::examples::{self, request};

const DAY: u64 = 86_400;

fn pin(name: &str, byte: u8) -> Pin {
    let addrs = vec!["192.0.2.7:5000".parse().unwrap()];
    Pin { addrs, first_seen: 3 * DAY, ..examples::pin(name, byte) }
}

fn meeting(name: Option<&str>, addr: &str) -> Meeting {
    Meeting { name: name.map(PeerName::new), ..examples::meeting("", 2, addr.parse().unwrap()) }
}

/// A legacy stranger.
fn unencrypted(name: Option<&str>) -> Meeting {
    let met = meeting(name, "192.0.2.9:5000");
    Meeting { id: plain::peer_at(met.addr.plain().unwrap()), ..met }
}

fn secure_bob() -> PeerInfo {
    PeerInfo { verification: Verification::Encrypted, ..bob() }
}

#[test]
fn key_change_shows_both_keys_and_three_commands() {
    let known = Pin { verified: Some(5 * DAY), ..pin("Bob", 1) };
    let event = Event::PeerRequest(Box::new(request(meeting(Some("bob"), "192.0.2.7:5000"), &[known])));
    let expected = "\
! WARNING: Bob's key has changed. This can be a new device or an impostor.
  ! Old: aeaq caib aeaq caib aeaq caib aeaq caib aeaq caib aeaq caib aeaq
  ! New: aiba eaqc aiba eaqc aiba eaqc aiba eaqc aiba eaqc aiba eaqc aiba
  ! /trust Bob   their new device; old key verified
  ! /accept bob  someone else with this name
  ! /block bob   refuse them";
    assert_eq!(told_in(&event, false), expected);
    assert!(expected.lines().all(|line| line.chars().count() < 80), "each is one row of a terminal");
    assert_eq!(told_in(&event, true), format!("[14:03:07] {expected}"));
}

#[test]
fn new_key_of_an_online_contact_is_doubted() {
    let doubted = |verified| {
        let against = [Pin { verified, ..pin("Bob", 1) }];
        let request = request(meeting(Some("Bob"), "192.0.2.7:5000"), &against);
        Event::PeerRequest(Box::new(PeerRequest { is_old_key_online: true, ..request }))
    };
    let expected = "\
! WARNING: Bob is online with the old key, so this may be someone else.
  ! Old: aeaq caib aeaq caib aeaq caib aeaq caib aeaq caib aeaq caib aeaq
  ! New: aiba eaqc aiba eaqc aiba eaqc aiba eaqc aiba eaqc aiba eaqc aiba
  ! /block Bob   refuse them
  ! /accept Bob  someone else with this name
  ! /trust Bob   their new device";
    assert_eq!(told_in(&doubted(None), false), expected);
    let told = told_in(&doubted(Some(5 * DAY)), false);
    assert!(told.starts_with("! WARNING: Bob is online with the old key, so this is probably someone else."));
    assert!(told.lines().all(|line| line.chars().count() < 80), "each is one row of a terminal");
}

#[test]
fn key_change_of_long_name_has_six_rows() {
    let name = "a-name-of-as-many-columns-as-go";
    let name = &name[..30];
    let known = Pin { verified: Some(5 * DAY), ..pin(name, 1) };
    let request = request(meeting(Some(name), "192.0.2.7:5000"), &[known]);
    for (is_old_key_online, words) in [(false, "'s key has changed"), (true, " is online with the old key")] {
        let request = PeerRequest { is_old_key_online, ..request.clone() };
        let told = told_in(&Event::PeerRequest(Box::new(request)), false);
        assert!(told.starts_with(&format!("! WARNING: {name}{words}.\n")), "{told}");
        assert_eq!(told.lines().count(), 6, "{told}");
        assert!(told.lines().all(|line| line.chars().count() < 80), "{told}");
    }
}

#[test]
fn key_change_between_namesakes_names_each_by_suffix() {
    let against = vec![pin("Bob", 1), pin("Bob", 3)];
    let told = told(&Event::PeerRequest(Box::new(request(meeting(Some("Bob"), "192.0.2.9:5000"), &against))));
    for line in [
        "[14:03:07] ! WARNING: Bob's key has changed. This can be a new device or an impostor.",
        "  ! Old: aeaq caib aeaq caib aeaq caib aeaq caib aeaq caib aeaq caib aeaq",
        "  ! /trust Bob·aeaq  their new device",
        "  ! /accept Bob      someone else with this name",
        "  ! /block Bob       refuse them",
    ] {
        assert!(told.lines().any(|told| told == line), "{line}: {told}");
    }
    assert!(told.lines().any(|line| line == format!("  ! Old: {}", key(3).grouped())), "{told}");
}

#[test]
fn command_shows_key_if_name_is_no_word() {
    let against = vec![pin("Bob B", 1)];
    let told =
        told(&Event::PeerRequest(Box::new(request(meeting(Some("Bob B"), "192.0.2.7:5000"), &against))));
    assert!(told.contains("  ! /trust aibaeaqc   their new device\n"), "{told}");
}

#[test]
fn message_request_names_both_commands() {
    let event = Event::PeerRequest(Box::new(request(meeting(Some("Zoe"), "192.0.2.7:5000"), &[])));
    let expected = "[14:03:07] * Zoe wants to chat, key aiba eaqc. /accept Zoe or /block Zoe.";
    assert_eq!(told_in(&event, false), expected);
}

#[test]
fn request_of_a_legacy_peer_says_unencrypted() {
    for (name, expected) in [
        (Some("Eve"), "* Eve wants to chat, unencrypted, from 192.0.2.9:5000. /accept Eve or /block Eve."),
        (
            Some("all"),
            "* all·192.0.2.9:5000 wants to chat, unencrypted, from 192.0.2.9:5000. \
             /accept 192.0.2.9:5000 or /block 192.0.2.9:5000.",
        ),
        (
            None,
            "* The peer at 192.0.2.9:5000 wants to chat, unencrypted. \
             /accept 192.0.2.9:5000 or /block 192.0.2.9:5000.",
        ),
    ] {
        let request = request(unencrypted(name), &[]);
        let told = told_in(&Event::PeerRequest(Box::new(request)), false);
        assert_eq!(told, format!("[14:03:07] {expected}"));
    }
}

#[test]
fn namesakes_request_is_answered_by_key_or_address() {
    let requests =
        [request(meeting(Some("Eve"), "192.0.2.7:5000"), &[]), request(unencrypted(Some("eve")), &[])];
    let labels = Labels::default();
    let renderer = Renderer { rows: false, ..on_terminal(&labels) };
    let lines: Vec<String> = requests_lines(&requests, 0, &renderer).iter().map(Line::to_string).collect();
    assert_eq!(
        lines,
        [
            "* Eve wants to chat, key aiba eaqc. /accept aibaeaqc or /block aibaeaqc.",
            "* eve wants to chat, unencrypted, from 192.0.2.9:5000. \
             /accept 192.0.2.9:5000 or /block 192.0.2.9:5000.",
        ]
    );
}

#[test]
fn unproven_message_is_marked_without_peer_colour() {
    let unproven = |name: Option<&str>, text: &str| {
        let from = PeerInfo {
            name: name.map(PeerName::new),
            verification: Verification::Claims(PeerName::new("Bob")),
            ..bob()
        };
        Event::Unproven {
            from,
            source: Source::from(Ipv4Addr::new(127, 0, 0, 9)),
            text: Text::new(text),
            cut: false,
        }
    };
    for (name, who) in [
        (Some("bob"), ", claims to be bob"),
        (Some("Zoe"), ", claims to be Zoe, at the address of Bob"),
        (None, ", at the address of Bob"),
    ] {
        let expected = format!("[14:03:07] ! Unproven, from 127.0.0.9{who}: /me waves");
        assert_eq!(told(&unproven(name, "/me waves")), expected);
        assert_eq!(told_in(&unproven(name, "/me waves"), false), expected);
    }
    let event = unproven(Some("Bob"), "one ⏎ two\x1b[2J");
    let told = told_in(&event, false);
    assert!(told.ends_with(": one\n  │ two\\x1b[2J"), "{told}");
    let labels = Labels::default();
    let inks = lines(&event, &on_terminal(&labels))
        .iter()
        .flat_map(|line| line.parts().map(|(ink, _)| ink).collect::<Vec<_>>())
        .collect::<Vec<_>>();
    assert!(!inks.iter().any(|ink| matches!(ink, Ink::Peer(_))), "{inks:?}");
}

#[test]
fn everything_else_about_keys_is_one_clear_sentence() {
    let carol = PeerName::new("Carol");
    let source = "192.0.2.66".parse().unwrap();
    let one = Source::from(Ipv4Addr::new(127, 0, 0, 9));
    let addr: PeerAddr = "127.0.0.1:5009".parse().unwrap();
    let keyed = || PeerInfo { id: key(1).into(), ..secure_bob() };
    let verified = PeerInfo { verification: Verification::Verified, ..keyed() };
    let introducer = PeerInfo { id: key(3).into(), name: Some(carol.clone()), ..secure_bob() };
    let nameless = PeerInfo { id: addr.into(), name: None, addr: Some(addr), ..bob() };
    for (event, expected) in [
        (
            Event::Pinned { who: secure_bob(), key: key(1), is_online: true, is_contact: false },
            "[14:03:07] * Bob is online (new, key aeaq caib; compare with /verify Bob)",
        ),
        (
            Event::Pinned { who: secure_bob(), key: key(1), is_online: false, is_contact: false },
            "[14:03:07] * Bob now uses encryption (new, key aeaq caib; compare with /verify Bob)",
        ),
        (
            Event::Pinned { who: secure_bob(), key: key(1), is_online: true, is_contact: true },
            "[14:03:07] * Bob is online (new contact, key aeaq caib; compare with /verify Bob)",
        ),
        (
            Event::MoreRequests(1),
            "[14:03:07] ! 1 more peer wants to chat, but there are too many requests. /requests lists them.",
        ),
        (
            Event::MoreRequests(7),
            "[14:03:07] ! 7 more peers want to chat, but there are too many requests. /requests lists them.",
        ),
        (
            Event::RefusedStranger(meeting(Some("Dave"), "192.0.2.7:5000")),
            "[14:03:07] * Refused Dave (key aiba eaqc, policy strict): /add Dave",
        ),
        (
            Event::RefusedStranger(unencrypted(Some("Eve"))),
            "[14:03:07] * Refused Eve (192.0.2.9:5000, unencrypted, policy strict): /add Eve",
        ),
        (
            Event::RefusedStranger(unencrypted(None)),
            "[14:03:07] * Refused the peer at 192.0.2.9:5000 (unencrypted, policy strict): \
             /add 192.0.2.9:5000",
        ),
        (
            Event::TakesName(secure_bob(), carol),
            "[14:03:07] * Bob (127.0.0.1:5001) now uses the name Carol, which belongs to another peer you know. The new name is not shown.",
        ),
        (
            Event::TurnedAway(secure_bob(), ByeReason::NotAccepted, None),
            "[14:03:07] * Bob does not accept messages from you (blocked, or their policy refuses strangers).",
        ),
        (
            Event::TurnedAway(secure_bob(), ByeReason::NotDecided, None),
            "[14:03:07] * Bob has not accepted you yet.",
        ),
        (
            Event::TurnedAway(secure_bob(), ByeReason::NoRoom, None),
            "[14:03:07] * Bob has no room for messages now. Yours stay queued.",
        ),
        (
            Event::PlainRefused(one, 1),
            "[14:03:07] * Refused an unencrypted message from 127.0.0.9 (--require-encryption).",
        ),
        (
            Event::PlainRefused(one, 3),
            "[14:03:07] * Refused 3 unencrypted messages, the last from 127.0.0.9 (--require-encryption).",
        ),
        (
            Event::Undecided(Unknown::Request),
            "That request is no longer pending; /requests lists the others.",
        ),
        (Event::Undecided(Unknown::Pin), "That key is unknown or blocked, or belongs to another contact."),
        (Event::Undecided(Unknown::NoRoom), "The list of contacts is full; /forget one first."),
        (Event::Undecided(Unknown::TooManySources), "No more IPs can be blocked; /unblock one first."),
        (Event::Undecided(Unknown::NotBlocked), "That is not blocked."),
        (Event::Undecided(Unknown::TooManyMuted), "The list of muted peers is full; /unmute one first."),
    ] {
        assert_eq!(told_in(&event, false), expected);
    }
    for (decision, expected) in [
        (
            Decision::Trusted(pin("Bob", 2), As::NewKeyOf(key(1))),
            "Bob has a new key, not verified. Compare keys with /verify Bob.",
        ),
        (
            Decision::Trusted(pin("Bob", 2), As::Another),
            "Added Bob to your contacts. Compare keys with /verify Bob.",
        ),
        (
            Decision::Blocked(pin("Bob", 2)),
            "Blocked Bob (key aibaeaqc…). Nothing is sent to them, and nothing from them is shown. /unblock aibaeaqc unblocks them.",
        ),
        (
            Decision::Forgotten(bob(), Forgotten::Contact),
            "Removed Bob from your contacts. Messages stay in the history.",
        ),
        (
            Decision::Forgotten(bob(), Forgotten::Blocked),
            "Forgot Bob, who is no longer blocked. Messages stay in the history.",
        ),
        (
            Decision::Forgotten(bob(), Forgotten::Stranger),
            "Forgot the key of Bob. Messages stay in the history.",
        ),
        (Decision::Added(bob(), true), "Added Bob to your contacts."),
        (Decision::Added(keyed(), true), "Added Bob to your contacts. Compare keys with /verify Bob."),
        (Decision::Added(verified, true), "Added Bob to your contacts."),
        (
            Decision::AddedIntroduced { who: keyed(), by: Box::new(introducer) },
            "Added Bob to your contacts, introduced by Carol. Compare keys with /verify Bob.",
        ),
        (Decision::Unblocked(pin("Bob", 2)), "Unblocked Bob (not verified). Compare keys with /verify Bob."),
        (Decision::Unblocked(Pin { contact: false, ..pin("Bob", 2) }), "Unblocked Bob (a stranger)."),
        (Decision::UnblockedLegacy(bob(), false), "Unblocked Bob (a stranger)."),
        (Decision::UnblockedLegacy(bob(), true), "Unblocked Bob."),
        (Decision::Verified(pin("Bob", 2)), "Bob is verified ✓"),
        (Decision::Policy(Policy::AcceptNew), "Policy accept-new: strangers can write to you."),
        (Decision::Policy(Policy::Ask), "Policy ask: new strangers wait for your decision."),
        (Decision::Policy(Policy::Strict), "Policy strict: new strangers are refused."),
        (Decision::Muted(bob()), "Muted Bob. Their messages stay in /history; /unmute Bob shows them again."),
        (Decision::Unmuted(bob(), false), "Bob is not muted."),
        (Decision::Unmuted(bob(), true), "Unmuted Bob. /history Bob shows earlier messages."),
        (
            Decision::BlockedSource(source),
            "Blocked 192.0.2.66. Nothing from strangers there is answered or shown; your contacts are not affected. \
             /unblock 192.0.2.66 unblocks it.",
        ),
        (Decision::UnblockedSource(source), "Unblocked 192.0.2.66."),
        (
            Decision::BlockedLegacy(bob()),
            "Blocked Bob (127.0.0.1:5001, unencrypted). Nothing is sent to them, and nothing from them is shown. \
             /unblock 127.0.0.1:5001 unblocks them.",
        ),
        (
            Decision::BlockedLegacy(nameless),
            "Blocked 127.0.0.1:5009 (unencrypted). Nothing is sent to them, and nothing from them is shown. \
             /unblock 127.0.0.1:5009 unblocks them.",
        ),
    ] {
        assert_eq!(told_in(&Event::Decided(decision), false), expected);
    }
    assert_eq!(
        told(&Event::Pinned { who: secure_bob(), key: key(1), is_online: true, is_contact: false }),
        "[14:03:07] * Bob (127.0.0.1:5001) is online \
         (new, key aeaq caib aeaq caib aeaq caib aeaq caib aeaq caib aeaq caib aeaq)"
    );
}

#[test]
fn broken_promise_shows_both_keys() {
    let event =
        Event::Misled { who: None, addr: bob().addr.unwrap(), promised: key(1), proven: key(2), by: None };
    assert_eq!(
        told(&event),
        "\
[14:03:07] ! The key at 127.0.0.1:5001 is not the one that the unencrypted receipt named. Someone on the path may have changed the receipt.
  ! Receipt: aeaq caib aeaq caib aeaq caib aeaq caib aeaq caib aeaq caib aeaq
  ! Proven:  aiba eaqc aiba eaqc aiba eaqc aiba eaqc aiba eaqc aiba eaqc aiba"
    );
}

#[test]
fn strangers_on_the_network_are_named_or_counted() {
    let found = |n, name: Option<&str>| PeerInfo {
        id: key(n).into(),
        name: name.map(PeerName::new),
        verification: Verification::Unknown,
        ..bob()
    };
    let first = vec![found(1, Some("Ann")), found(2, None)];
    let event = Event::OnNetwork { first: first.clone(), more: 0 };
    assert_eq!(
        told_in(&event, false),
        "\
[14:03:07] * Ann·aeaq is on this network: /connect Ann·aeaq
[14:03:07] * 127.0.0.1:5001 is on this network: /connect aibaeaqc"
    );
    let event = Event::OnNetwork { first, more: 148 };
    let words = "[14:03:07] * Ann·aeaq, 127.0.0.1:5001 and 148 more are on this network.";
    assert_eq!(told_in(&event, false), format!("{words} Tab after /connect lists them."));
    assert_eq!(told(&event), format!("{words} /connect NAME connects to one."));
}

#[test]
fn keys_and_requests_are_listed() {
    let labels = Labels::default();
    let blocked = Pin { blocked: true, name: None, addrs: Vec::new(), ..pin("", 1) };
    let lines: Vec<String> =
        pin_lines(&blocked, &labels, on_terminal(&labels).date).iter().map(Line::to_string).collect();
    assert_eq!(
        lines,
        [
            "aeaqcaib… is known since 3 March 2026, blocked:",
            "  aeaq caib aeaq caib aeaq caib aeaq caib aeaq caib aeaq caib aeaq"
        ]
    );
    let renderer = Renderer { full: true, rows: false, stamp: "[14:03:07] ", ..on_terminal(&labels) };
    assert_eq!(requests_lines(&[], 0, &renderer), ["No requests are waiting for your decision.".into()]);
    let request = request(meeting(Some("Zoe"), "192.0.2.7:5000"), &[]);
    let lines = requests_lines(&[request], 2, &renderer);
    assert!(lines[0].to_string().starts_with("* Zoe (192.0.2.7:5000) wants to chat, key aiba eaqc "));
    assert_eq!(
        lines.last().unwrap().to_string(),
        "2 more peers want to chat, but there are too many requests. They may try again."
    );
}

#[test]
fn contact_at_anothers_address_is_named_once() {
    let eve = PeerInfo { name: Some(PeerName::new("Eve")), id: key(9).into(), ..secure_bob() };
    let addr = bob().addr.unwrap();
    let (who, by) = (Some(secure_bob()), Some(Box::new(eve)));
    let event = Event::Misled { who, addr, promised: key(1), proven: key(9), by };
    let line = told(&event);
    assert!(line.contains("* Eve") && line.ends_with(", is at 127.0.0.1:5001 now."), "{line}");
    let event = Event::AcceptsAgain(secure_bob());
    assert!(told(&event).ends_with(" accepts messages from you now."), "{}", told(&event));
}

#[test]
fn wrong_announcement_is_called_wrong_or_forged() {
    let zoe = PeerInfo { name: Some(PeerName::new("Zoe")), id: key(9).into(), ..secure_bob() };
    let addr = bob().addr.unwrap();
    let event = Event::WrongAnnouncement { who: zoe.clone(), addr, by: None };
    assert_eq!(
        told(&event),
        "[14:03:07] * 127.0.0.1:5001 is not Zoe·beeq: another key answers there. \
         The announcement of Zoe·beeq was wrong or forged."
    );
    let event = Event::WrongAnnouncement { who: zoe, addr, by: Some(Box::new(bob())) };
    assert!(told(&event).contains(" is not Zoe·beeq: Bob answers there. "), "{}", told(&event));
}

#[test]
fn untrusted_key_has_its_own_sentence() {
    let labels = Labels::default();
    let request = request(meeting(Some("Emil"), "192.0.2.7:5000"), &[]);
    let emil = request.met.id.key().unwrap();
    let namesake = Meeting { id: PeerId::Key(key(8)), ..request.met.clone() };
    let namesakes = [PeerRequest { met: namesake, ..request.clone() }, request.clone()];
    let sentences = [
        (
            untrusted_words(emil, &namesakes, None, Policy::AcceptNew, &labels),
            "Emil's key waits for your decision: /accept aibaeaqc or /block aibaeaqc.",
        ),
        (
            untrusted_words(emil, &[request], None, Policy::AcceptNew, &labels),
            "Emil's key waits for your decision: /accept Emil or /block Emil.",
        ),
        (
            untrusted_words(
                emil,
                &[],
                Some(&Pin { blocked: true, ..pin("Emil", 1) }),
                Policy::Strict,
                &labels,
            ),
            "Emil is blocked. /unblock aeaqcaib unblocks them.",
        ),
        (
            untrusted_words(emil, &[], None, Policy::Strict, &labels),
            "your policy refuses strangers; /policy shows it.",
        ),
        (
            untrusted_words(emil, &[], None, Policy::AcceptNew, &labels),
            "the key at that address is new and could not be accepted now; try again later.",
        ),
    ];
    for (said, expected) in sentences {
        assert_eq!(said, expected);
    }
}
