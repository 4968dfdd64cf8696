//! Texts, both ways.

use super::{alice_who_knows, all_five, from, gets, is_listed, received, row, saw_no_noise, shown, shows};
use crate::legacy::{Legacy, Program};
use crate::support::Peer;

/// What our user is told when a text has reached a program, by whatever it is called.
fn told(legacy: &Legacy, who: &str) -> String {
    match legacy.program() {
        Program::SmartCookies => format!("Delivered to {who}."),
        _ => format!("Sent to {who}; no receipt expected."),
    }
}

/// Waits until our user is told that of a program that nobody knew. Its answer to `connect`, if it
/// gives one, may bring its name before that.
fn is_told_of_stranger(alice: &mut Peer, legacy: &Legacy) {
    let addr = legacy.addr().to_string();
    let unnamed = told(legacy, &addr);
    let line = alice.sees(unnamed.split(&addr).next().expect("a beginning"));
    assert!([unnamed, told(legacy, &shown(legacy))].contains(&line), "{line}");
}

#[test]
fn message_is_one_connection_of_exact_bytes() {
    for legacy in all_five() {
        if legacy.program() == Program::R3 {
            continue; // Who does not know that it is R3 cannot write to it; the next test does.
        }
        let mut alice = Peer::named("Alice").start();
        alice.says(&legacy.addr().to_string(), "Grüße  an alle 你好 🙂");
        is_told_of_stranger(&mut alice, &legacy);
        shows(&legacy, &format!("{}: Grüße  an alle 你好 🙂", alice.shown()));
        // Whether it is one of ours is asked before the first text, by the `connect` that every
        // program knows.
        let line = format!("127.0.0.1:{} Alice Grüße  an alle 你好 🙂", alice.addr().port());
        let connect = from(&alice, &legacy, "connect");
        assert_eq!(received(&legacy), [&connect[..], &line], "{}", legacy.name());
        assert_eq!(legacy.peers(), [alice.addr()], "{}", legacy.name());
        alice.says(&legacy.addr().to_string(), "once more");
        gets(&legacy, &from(&alice, &legacy, "once more"));
        let more = from(&alice, &legacy, "once more");
        assert_eq!(received(&legacy), [&connect[..], &line, &more], "{}", legacy.name());
    }
}

#[test]
fn peers_toml_makes_us_write_in_r3_form() {
    let r3 = Legacy::start(Program::R3);
    let mut alice = alice_who_knows([&r3]);
    alice.says("R3", "Grüße  an alle 你好 🙂");
    alice.sees(&told(&r3, &shown(&r3)));
    shows(&r3, &format!("{}: Grüße  an alle 你好 🙂", alice.shown()));
    let port = alice.addr().port();
    let connect = format!("127.0.0.1 {port} Alice connect");
    let text = format!("127.0.0.1 {port} Alice Grüße  an alle 你好 🙂");
    assert_eq!(r3.raw(), [connect.as_bytes(), text.as_bytes()]);
    saw_no_noise(&r3);
}

#[test]
fn message_of_every_program_is_shown_and_answerable() {
    for legacy in all_five() {
        let mut alice = Peer::named("Alice").start();
        let answer = legacy.send(alice.addr(), "hello  from 漢字").expect("Alice listens");
        let expected = (legacy.program() == Program::SmartCookies).then(|| alice.receipt());
        assert_eq!(answer, expected, "{}", legacy.name());

        let line = alice.sees(": hello  from 漢字");
        let (time, rest) = line.split_once("] ").expect("a time");
        assert!(time.starts_with('[') && time.len() == "[00:00:00".len(), "{line}");
        assert_eq!(rest, format!("{}: hello  from 漢字", shown(&legacy)));
        let row = row(&mut alice, &legacy);
        for cell in [legacy.name(), "  online  ", "  them  ", " s ago"] {
            assert!(row.contains(cell), "{row}");
        }

        alice.says(&legacy.name().to_lowercase(), "hello yourself");
        alice.sees(&told(&legacy, &shown(&legacy)));
        let answer = from(&alice, &legacy, "hello yourself");
        let connect = from(&alice, &legacy, "connect");
        // What is not written in the standard form is written by no program of ours, so nobody is
        // asked.
        let expected = if legacy.program() == Program::R3 { vec![answer] } else { vec![connect, answer] };
        assert_eq!(received(&legacy), expected, "{}", legacy.name());
        shows(&legacy, &format!("{}: hello yourself", alice.shown()));
    }
}

#[test]
fn messages_to_all_reach_everyone_in_both_directions() {
    let five = all_five();
    let mut alice = alice_who_knows(&five);
    for legacy in &five {
        legacy.send(alice.addr(), &format!("{} is speaking", legacy.name())).expect("Alice listens");
        alice.sees(&format!("] {}: {} is speaking", shown(legacy), legacy.name()));
    }
    alice.says("all", "dinner is served");
    alice.sees("Sent to 5 of 5.");
    for legacy in &five {
        alice.has_seen(&told(legacy, &shown(legacy)));
        shows(legacy, &format!("{}: dinner is served", alice.shown()));
        let connect = from(&alice, legacy, "connect");
        assert_eq!(received(legacy), [connect, from(&alice, legacy, "dinner is served")]);
        saw_no_noise(legacy);
    }
    for legacy in &five {
        is_listed(&mut alice, legacy, "connected");
    }
}

#[test]
fn message_to_all_leaves_out_unencrypted_strangers() {
    let (known, stranger) = (Legacy::start(Program::Xyz), Legacy::start(Program::CryptoKnights));
    let mut alice = alice_who_knows([&known]);
    stranger.send(alice.addr(), "let me in").expect("Alice listens");
    alice.sees(": let me in");
    alice.says("all", "for contacts");
    alice.sees("1 unencrypted stranger left out.");
    shows(&known, &format!("{}: for contacts", alice.shown()));
    alice.types(&["/all-plain for everyone"]);
    alice.sees("Sent to 2 of 2.");
    shows(&known, &format!("{}: for everyone", alice.shown()));
    shows(&stranger, &format!("{}: for everyone", alice.shown()));
    assert!(!received(&stranger).iter().any(|line| line.contains("for contacts")), "{:?}", stranger.raw());
}

#[test]
fn long_message_reaches_programs_in_readable_parts() {
    // No spaces, so that the parts put together are the text again; every cut is between two long
    // characters.
    let text = "漢字é🙂ß".repeat(220);
    let five = all_five();
    let mut alice = alice_who_knows(&five);
    alice.says("all", &text);
    alice.sees("Sent to 5 of 5.");
    for legacy in &five {
        let got = received(legacy);
        let parts = &got[1..]; // The first was `connect`.
        assert!(parts.iter().all(|part| part.len() <= 1024 && !part.contains('\n')), "{parts:?}");
        let joined: String = parts
            .iter()
            .enumerate()
            .map(|(i, part)| {
                let begin = from(&alice, legacy, &format!("({}/{}) ", i + 1, parts.len()));
                part.strip_prefix(&begin).unwrap_or_else(|| panic!("{part} does not begin with {begin}"))
            })
            .collect();
        assert_eq!(joined, text, "{}", legacy.name());
        let told = told(legacy, &shown(legacy));
        let whom = shown(legacy);
        let in_parts = format!("{whom} in {} messages", parts.len());
        alice.has_seen(&told.replace(&whom, &in_parts));
        shows(legacy, &format!("{}: (1/{}) 漢字", alice.shown(), parts.len()));
        saw_no_noise(legacy);
    }
}

#[test]
fn legacy_commands_are_not_sent_as_messages() {
    for legacy in all_five() {
        let mut alice = Peer::named("Alice").start();
        for word in ["PING", "connect_ack", "[PEER_QUIT]"] {
            alice.says(&legacy.addr().to_string(), word);
            let line = alice.sees(&format!(": legacy programs take `{word}` as a command"));
            let whom = [legacy.addr().to_string(), shown(&legacy)].map(|who| format!("Not sent to {who}: "));
            assert!(whom.iter().any(|whom| line.starts_with(whom)), "{line}");
        }
        // What only holds such a word is a text, and the first that comes.
        alice.says(&legacy.addr().to_string(), "ping PING pong");
        is_told_of_stranger(&mut alice, &legacy);
        let sent = |text: &str| format!("127.0.0.1:{} Alice {text}", alice.addr().port());
        assert_eq!(received(&legacy), [sent("connect"), sent("ping PING pong")], "{}", legacy.name());
    }
}
