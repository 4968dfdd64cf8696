//! One fault at a time between one of ours and a legacy program, each way.

use std::thread;
use std::time::Duration;

use super::{Outcome, here, says_at, shown_times};
use crate::legacy::{Legacy, Program};
use crate::support::{Fault, Faulty, Peer, SOON, send_raw};

/// Longer than our sender waits for an answer, and shorter than SmartCookies does.
const TOO_LONG: Duration = Duration::from_millis(1_600);

/// Alice, with a proxy before one legacy program that she knows by it.
pub(super) fn alice_and(program: Program) -> (Peer, Faulty, Legacy) {
    let proxy = Faulty::new();
    let legacy = proxy.before_legacy(program);
    let form = if program == Program::R3 { "r3" } else { "standard" };
    let addr = proxy.addr();
    let list = format!("[[peer]]\naddress = \"{addr}\"\nname = \"{}\"\nform = \"{form}\"\n", legacy.name());
    let mut alice = Peer::named("Alice").peers_toml(&list).start();
    alice.sees(&here(legacy.name(), addr));
    (alice, proxy, legacy)
}

/// Alice, with a proxy before her, who knows the program that dials her through it.
fn alice_behind_a_proxy() -> (Peer, Faulty) {
    let proxy = Faulty::new();
    let alice = proxy.before(Peer::named("Alice")).start();
    (alice, proxy)
}

/// Does the same with each program, at the same time, for most of it is waiting.
fn with_each(scenario: impl Fn(Program) + Sync) {
    thread::scope(|scope| {
        for program in Program::ALL {
            let scenario = &scenario;
            scope.spawn(move || scenario(program));
        }
    });
}

/// How often the program has shown exactly this.
fn showed(legacy: &Legacy, text: &str) -> usize {
    shown_times(&legacy.shown(), text)
}

/// What a text is told to have become where nothing goes wrong.
fn well(program: Program) -> Outcome {
    if program == Program::SmartCookies { Outcome::Delivered } else { Outcome::HandedOver }
}

#[test]
fn late_legacy_message_is_shown_once_and_unconfirmed() {
    with_each(|program| {
        let (mut alice, proxy, legacy) = alice_and(program);
        let faults = [
            Fault::DelayConnection(TOO_LONG),
            Fault::DelayAnswer(TOO_LONG),
            Fault::ResetBeforeReceipt,
            Fault::HalfOpen,
        ];
        for (number, fault) in faults.into_iter().enumerate() {
            let text = format!("text-{number}.");
            proxy.does_to(&text, fault);
            assert_eq!(says_at(&mut alice, proxy.addr(), &text), Outcome::Unknown, "{program:?}, {fault:?}");
            assert!(legacy.wait_shown(&text, SOON), "{program:?}, {fault:?}: {:?}", legacy.shown());
        }
        assert_eq!(says_at(&mut alice, proxy.addr(), "all is well."), well(program));
        proxy.settles();
        for number in 0..faults.len() {
            assert_eq!(showed(&legacy, &format!("text-{number}.")), 1, "{:?}", legacy.shown());
        }
        assert!(legacy.listener_alive(), "{program:?} died: {:?}", legacy.cause_of_death());
    });
}

#[test]
fn lost_legacy_message_is_unconfirmed_and_next_arrives() {
    with_each(|program| {
        let (mut alice, proxy, legacy) = alice_and(program);
        proxy.does_to("lost", Fault::BlackHole);
        assert_eq!(says_at(&mut alice, proxy.addr(), "lost."), Outcome::Unknown, "{program:?}");
        assert_eq!(says_at(&mut alice, proxy.addr(), "all is well."), well(program));
        assert_eq!((showed(&legacy, "lost."), showed(&legacy, "all is well.")), (0, 1));
    });
}

#[test]
fn one_byte_at_a_legacy_peer_proves_nothing() {
    with_each(|program| {
        let (mut alice, proxy, legacy) = alice_and(program);
        // It calls recv() once, so a network that delivers single bytes loses the rest. Nobody can
        // repair that.
        proxy.does_to("in single bytes", Fault::SingleBytes);
        let outcome = says_at(&mut alice, proxy.addr(), "in single bytes.");
        assert!(matches!(outcome, Outcome::HandedOver | Outcome::Unknown), "{program:?}: {outcome:?}");
        assert_eq!(says_at(&mut alice, proxy.addr(), "all is well."), well(program));
        assert_eq!((showed(&legacy, "in single bytes."), showed(&legacy, "all is well.")), (0, 1));
    });
}

#[test]
fn hanging_legacy_peer_delays_no_message_to_another() {
    let (mut alice, proxy, hanging) = alice_and(Program::Xyz);
    let lively = Legacy::start(Program::CryptoKnights);
    lively.connect(alice.addr()).expect("Alice listens");
    alice.sees(&here(lively.name(), lively.addr()));
    proxy.does_to("to both", Fault::HalfOpen);
    alice.types(&["/all-plain to both."]);
    alice.sees(&format!("Sent to {} ({})", lively.name(), lively.addr()));
    alice.sees(&format!("Sent to {} ({}), but delivery is unconfirmed", hanging.name(), proxy.addr()));
    assert_eq!((showed(&hanging, "to both."), showed(&lively, "to both.")), (1, 1));
}

#[test]
fn legacy_message_is_shown_once_whatever_our_answer() {
    with_each(|program| {
        let (alice, proxy) = alice_behind_a_proxy();
        let legacy = Legacy::start(program);
        let faults = [
            Fault::SingleBytes,
            Fault::DelayConnection(TOO_LONG),
            Fault::DelayBytes(TOO_LONG),
            Fault::DelayAnswer(TOO_LONG),
            Fault::ResetBeforeReceipt,
            Fault::HalfOpen,
        ];
        for (number, fault) in faults.into_iter().enumerate() {
            let text = format!("text-{number}.");
            proxy.does_to(&text, fault);
            let answer = legacy.send(proxy.addr(), &text);
            alice.has_seen(&format!("): {text}"));
            if program == Program::SmartCookies {
                // The others never look.
                let answered = matches!(answer, Ok(Some(receipt)) if receipt.starts_with("[ACK] "));
                let lost = matches!(fault, Fault::ResetBeforeReceipt | Fault::HalfOpen);
                assert_eq!(answered, !lost, "{fault:?}");
            }
        }
        proxy.settles();
        legacy.send(proxy.addr(), "the last.").expect("all is well");
        alice.has_seen("): the last.");
        for number in 0..faults.len() {
            assert_eq!(shown_times(&alice.printed(), &format!("text-{number}.")), 1, "{program:?}");
        }
    });
}

#[test]
fn reset_legacy_message_is_unconfirmed_and_never_delivered() {
    with_each(|program| {
        // XYZ dies of a connection that is reset, and is not ours to save.
        if program == Program::Xyz {
            return;
        }
        let (mut alice, proxy, legacy) = alice_and(program);
        for bytes in [0, 5, 20] {
            let text = format!("reset after {bytes}.");
            proxy.does_to(&text, Fault::ResetAfter(bytes));
            let outcome = says_at(&mut alice, proxy.addr(), &text);
            assert_eq!(outcome, Outcome::Unknown, "{program:?} after {bytes}");
            assert_eq!(proxy.did_to(&text), [Fault::ResetAfter(bytes)], "it was sent once");
        }
        assert_eq!(says_at(&mut alice, proxy.addr(), "all is well."), well(program));
        assert!(legacy.wait_shown("all is well.", SOON), "{program:?}");
        assert!([0, 5, 20].iter().all(|bytes| showed(&legacy, &format!("reset after {bytes}.")) == 0));
    });
}

#[test]
fn swallowed_message_without_receipt_is_not_delivered() {
    let (mut alice, proxy, legacy) = alice_and(Program::SmartCookies);
    assert_eq!(says_at(&mut alice, proxy.addr(), "all is well."), Outcome::Delivered);
    // Programs without receipts close in the same way when they have read a text, but this one
    // gives them.
    proxy.does_to("swallowed", Fault::Swallow);
    assert_eq!(says_at(&mut alice, proxy.addr(), "swallowed."), Outcome::Unknown);
    assert_eq!(proxy.did_to("swallowed"), [Fault::Swallow], "it was sent once");
    assert_eq!(showed(&legacy, "swallowed."), 0);
}

/// What stands behind a text that may not be whole.
const CUT: &str = " [cut: longer than 8192 bytes, too slow, or broken off]";

#[test]
fn reset_incoming_message_is_shown_as_cut() {
    let (alice, proxy) = alice_behind_a_proxy();
    let (header, text) = ("127.0.0.1:9 Dave ", "what is whole is shown whole.");
    let says = |bytes: usize| {
        proxy.does(Fault::ResetAfter(bytes));
        let answer = send_raw(proxy.addr(), format!("{header}{text}").as_bytes());
        assert_eq!(answer, b"", "after {bytes} bytes");
        proxy.settles();
    };
    let said = || alice.printed().into_iter().filter(|line| line.contains("Dave")).collect::<Vec<_>>();
    for bytes in [0, 5, header.len() - 2] {
        says(bytes);
    }
    let mut expected = Vec::new();
    for missing in [text.len() - 1, 1, 0] {
        says(header.len() + text.len() - missing);
        // Nobody can tell whether it was whole.
        expected.push(format!("Dave (127.0.0.1:9): {}{CUT}", &text[..text.len() - missing]));
        alice.has_seen(expected.last().expect("just pushed"));
    }
    proxy.heals();
    send_raw(proxy.addr(), format!("{header}the last.").as_bytes());
    alice.has_seen("): the last.");
    let said: Vec<String> = said().into_iter().filter(|line| line.ends_with(CUT)).collect();
    assert!(said.iter().zip(&expected).all(|(line, end)| line.ends_with(end.as_str())), "{said:#?}");
    assert_eq!(said.len(), expected.len(), "{said:#?}");
    assert_eq!(shown_times(&alice.printed(), text), 0);
}

#[test]
fn overtaking_messages_are_each_shown_once() {
    let (mut alice, proxy) = alice_behind_a_proxy();
    let legacy = Legacy::start(Program::CryptoKnights);
    proxy.does_to("first", Fault::HoldForNext);
    legacy.send(proxy.addr(), "first.").expect("it is accepted");
    proxy.has_met("first");
    legacy.send(proxy.addr(), "second.").expect("all is well");
    alice.sees("): second.");
    alice.sees("): first.");
    proxy.settles();
    for text in ["first.", "second."] {
        assert_eq!(shown_times(&alice.printed(), text), 1, "{text}");
    }
}
