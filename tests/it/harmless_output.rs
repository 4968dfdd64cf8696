//! Whatever bytes come, what is printed is harmless and has exactly the lines it should: everything
//! that a received connection goes through from its bytes to the printed line, without the sockets
//! and the terminal.
//!
//! `PROPTEST_CASES` makes it as many inputs as wanted.

mod input;
mod printing;

use proptest::prelude::*;

use input::{Connection, connection};
use p2p_chat::model::message::{Body, Decoded, LINE_MARK, Plain};
use p2p_chat::tui::{Attention, Line, Osc, Palette};
use printing::{Form, HISTORY, OTHER_MACHINE, OWN_PORT, Printed, Reader, Told, without_own_colours};

use crate::support::assert_harmless;

/// What the decoded pieces of a connection have to be told as, in order: one line or block each.
fn predicted(connection: &Connection, decoded: &[Decoded]) -> Vec<Told> {
    let told = |piece: &Decoded| match piece {
        Decoded::Unreadable(_) => Some(Told::Unreadable),
        // All of 127.0.0.0/8 and this machine's own IP are ours, with our port.
        Decoded::Message(Plain { claimed, body: Body::Text(text) | Body::Greeting(text), .. }) => {
            let ours = claimed.port == OWN_PORT && connection.source != OTHER_MACHINE;
            Some(if ours { Told::Impostor } else { Told::Message(text.raw().to_owned()) })
        }
        Decoded::Message(_) => None,
    };
    decoded.iter().filter_map(told).collect()
}

/// Rows that a text takes where it is shown in rows.
fn rows(text: &str) -> usize {
    text.split(LINE_MARK).count()
}

/// Checks all that was printed of one connection.
fn check(printed: &Printed, form: Form, expected: &[Told]) {
    let of_the_sender: Vec<&Told> =
        printed.iter().map(|(told, _)| told).filter(|told| told.is_said()).collect();
    assert_eq!(of_the_sender, expected.iter().collect::<Vec<_>>(), "what came is not what was told");
    for (told, lines) in printed {
        let count = match told {
            Told::Message(text) if form == Form::Edited => rows(text),
            _ => 1,
        };
        assert_eq!(lines.len(), count, "{told:?} as {form:?}: {lines:?}");
        for (row, line) in lines.iter().enumerate() {
            let plain = line.to_string();
            // Nothing but a newline of ours ends a line, and nothing in it is obeyed.
            assert_harmless([&plain]);
            for palette in [Palette::None, Palette::Eight, Palette::Many] {
                assert_eq!(without_own_colours(&line.paint(palette)), plain, "{palette:?}");
            }
            assert_eq!(line.paint(Palette::None), plain);
            match told {
                Told::Message(_) if row > 0 => assert!(plain.starts_with("  │ "), "{plain}"),
                // A message begins with its sender, so it is never one of our own notices.
                Told::Message(text) => assert_message(&plain, text, form),
                _ => assert!(plain.starts_with("* "), "{told:?}: {plain}"),
            }
        }
    }
}

/// Checks that a message is after its sender's name, and cannot be mistaken for a notice.
fn assert_message(line: &str, text: &str, form: Form) {
    let action = text.strip_prefix("/me ").is_some_and(|action| !action.trim().is_empty());
    if action {
        assert!(line.starts_with("** "), "{line}");
    } else {
        assert!(line.contains(": "), "{line}");
        // A peer may be called `*`; then an address or a mark tells it from a notice.
        let notice =
            line.strip_prefix("* ").is_some_and(|rest| !(form == Form::Pipe && rest.starts_with('(')));
        assert!(!notice, "{line}");
    }
}

/// Checks the other places where the same is shown: the list, the history, the notification.
fn check_elsewhere(reader: &Reader, printed: &Printed) {
    let rows = reader.rows();
    let list = reader.list();
    assert_eq!(list.len(), if rows == 0 { 1 } else { rows + 2 }, "{list:?}");
    assert_harmless(list.iter().map(Line::to_string));
    let history = reader.history();
    assert_harmless(history.iter().map(Line::to_string));
    let said = printed.iter().filter(|(told, _)| matches!(told, Told::Message(_))).count();
    assert!(history.len() >= said.min(HISTORY), "{said} of {history:?}");
    for (told, lines) in printed {
        let (Told::Message(text), Some(line)) = (told, lines.first()) else { continue };
        for (osc, before) in
            [(Osc::Nine, "\x1b]9;p2p-chat: "), (Osc::SevenSevenSeven, "\x1b]777;notify;p2p-chat;")]
        {
            let mut attention = Attention::new(true, Some(osc), true);
            attention.focus(false);
            let call = attention.call("Bob", line, std::time::Duration::ZERO).expect("nobody looks");
            let inner = call.strip_prefix(before).and_then(|rest| rest.strip_suffix("\x07\x07"));
            let inner = inner.unwrap_or_else(|| panic!("{call:?} for {text:?}"));
            assert_harmless([inner]);
            assert!(!inner.contains(';'), "{inner}");
        }
    }
}

fn read(form: Form, connections: &[Connection]) {
    let mut reader = Reader::new(form);
    for connection in connections {
        let decoded = printing::decoded(connection);
        // No line of a connection speaks for another address than its first line.
        let mut claims = decoded.iter().filter_map(|piece| match piece {
            Decoded::Message(message) => Some(message.claimed),
            Decoded::Unreadable(_) => None,
        });
        let first = claims.next();
        assert!(claims.all(|claimed| Some(claimed) == first), "{decoded:?}");
        let expected = predicted(connection, &decoded);
        let printed = reader.takes(connection, decoded);
        check(&printed, form, &expected);
        check_elsewhere(&reader, &printed);
    }
}

/// Random inputs of each test. Each is printed in three forms.
const CASES: u32 = 100;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn nasty_input_is_printed_harmless_on_its_lines(
        connections in prop::collection::vec(connection(), 1..6),
    ) {
        for form in [Form::Pipe, Form::Terminal, Form::Edited] {
            read(form, &connections);
        }
    }

    #[test]
    fn any_bytes_are_printed_harmless_on_their_lines(
        bytes: Vec<u8>, behind_a_header: bool,
    ) {
        let mut all = if behind_a_header { b"127.0.0.66:9 Mallory ".to_vec() } else { Vec::new() };
        all.extend(bytes);
        let connection = Connection { bytes: all, source: [127, 0, 0, 66].into(), whole: true, serves: true };
        for form in [Form::Pipe, Form::Terminal, Form::Edited] {
            read(form, std::slice::from_ref(&connection));
        }
    }
}
