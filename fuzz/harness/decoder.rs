//! The target `decoder`: the bytes of one unencrypted connection.

use std::time::{Duration, Instant};

use p2p_chat::model::message::{Body, Decoded, Form, MAX_RECEIVED_BYTES, MAX_SENT_BYTES, Outgoing, Plain};
use p2p_chat::model::name::{MAX_NAME_BYTES, Name};
use p2p_chat::protocol::plain::{Decoder, Header, Progress, Receipt, encode, messages_for};

use super::piece_lengths;

/// The first byte of an input whose bytes are repeated to [`REPEATED_BYTES`]. Most inputs are
/// short, because short ones are quick.
const REPEATED: u8 = 0xff;

/// Bytes of a repeated input: more than is read of one connection.
const REPEATED_BYTES: usize = MAX_RECEIVED_BYTES + 77;

/// Messages in one connection. None is shorter than `1.1.1.1:1` and the line end before it.
const MAX_MESSAGES: usize = MAX_RECEIVED_BYTES / 10 + 1;

/// Time limit for decoding the longest connection. An instrumented release build needs about 1 ms;
/// a decoder that looks at all the remaining bytes for each byte would need 100 ms.
const DECODED_WITHIN: Duration = Duration::from_millis(if cfg!(test) { 500 } else { 20 });

/// Runs of which one must meet the time limit, because a busy machine can delay any single run.
const TIMED_RUNS: usize = 8;

/// Messages of one input that are encoded again. More would show nothing new.
const ENCODED_AGAIN: usize = 16;

/// Decodes the input at once and in pieces, and encodes the messages again.
///
/// The first byte says whether the rest is repeated, the second chooses the pieces, and the third
/// says whether the connection was cut.
///
/// # Panics
/// If the pieces change the result, a bound is exceeded, decoding takes too long, or an encoded
/// message does not decode to itself.
pub fn decoder(input: &[u8]) {
    let Some((&[repeated, seed, cut], rest)) = input.split_first_chunk() else { return };
    let cut = cut & 1 == 1;
    let length = if repeated == REPEATED && !rest.is_empty() { REPEATED_BYTES } else { rest.len() };
    let bytes: Vec<u8> = rest.iter().copied().cycle().take(length).collect();
    let mut whole = Decoder::new();
    let progress = whole.push(&bytes);
    let is_full = bytes.len() > MAX_RECEIVED_BYTES;
    assert_eq!(progress, if is_full { Progress::Full } else { Progress::NeedMore });
    let mut in_pieces = pushed(&bytes, seed);
    if cut {
        whole.mark_cut();
        in_pieces.mark_cut();
    }
    for decoder in [&whole, &in_pieces] {
        assert_eq!(decoder.is_cut(), cut || is_full);
        assert_eq!(decoder.is_empty(), bytes.is_empty());
    }
    let decoded = whole.finish();
    assert_eq!(in_pieces.finish(), decoded, "the pieces change the result");
    assert_bounded(&decoded, bytes.len().min(MAX_RECEIVED_BYTES));
    if bytes.len() >= MAX_RECEIVED_BYTES {
        let is_quick = || {
            let decoder = pushed(&bytes, seed);
            let began = Instant::now();
            decoder.finish();
            began.elapsed() < DECODED_WITHIN
        };
        assert!((0..TIMED_RUNS).any(|_| is_quick()), "decoding takes too long");
    }
    for piece in decoded.iter().take(ENCODED_AGAIN) {
        if let Decoded::Message(message) = piece {
            assert_round_trip(message);
        }
    }
    Receipt::parse(&bytes);
}

/// Returns a decoder to which the bytes were pushed in pieces that depend on `seed`.
fn pushed(mut bytes: &[u8], seed: u8) -> Decoder {
    let mut decoder = Decoder::new();
    let mut lengths = piece_lengths(seed);
    let mut total = 0;
    while let Some(length) = lengths.next().filter(|_| !bytes.is_empty()) {
        let (piece, rest) = bytes.split_at(length.min(bytes.len()));
        total += piece.len();
        let is_full = total > MAX_RECEIVED_BYTES;
        assert_eq!(decoder.push(piece), if is_full { Progress::Full } else { Progress::NeedMore });
        bytes = rest;
    }
    decoder
}

/// Asserts that the messages decoded from `bytes` bytes are few and short, and from one sender.
fn assert_bounded(decoded: &[Decoded], bytes: usize) {
    assert!(decoded.len() <= MAX_MESSAGES, "{} messages", decoded.len());
    let mut kept = 0;
    let mut sender = None;
    for piece in decoded {
        match piece {
            Decoded::Message(Plain { claimed, name, body, .. }) => {
                assert_ne!(claimed.port, 0);
                assert_eq!(*sender.get_or_insert(*claimed), *claimed, "a second sender in one connection");
                let name = name.as_ref().map_or(0, |name| name.as_str().len());
                assert!(name <= MAX_NAME_BYTES + '…'.len_utf8(), "a name of {name} bytes");
                if let Body::Text(text) | Body::Greeting(text) = body {
                    assert!(!text.raw().is_empty(), "an empty message");
                    kept += text.raw().len();
                }
            }
            Decoded::Unreadable(what) => kept += what.text.raw().len(),
        }
    }
    // An invalid byte becomes a character of three bytes, and each message may end with an
    // ellipsis.
    assert!(kept <= 3 * bytes + 3 * decoded.len(), "{kept} bytes are kept of {bytes}");
}

/// Asserts that a message decodes to itself after it is encoded in any form that can carry it.
fn assert_round_trip(message: &Plain) {
    let Some(Ok(name)) = message.name.as_ref().map(|name| name.as_str().parse::<Name>()) else { return };
    let header = Header { ip: message.claimed.ip, port: message.claimed.port, name: &name };
    let (outgoing, parts) = match &message.body {
        Body::Text(text) | Body::Greeting(text) => match messages_for(text.raw(), &name) {
            Ok(parts) => (Outgoing::Text(parts.clone().into()), parts),
            Err(_) => return,
        },
        Body::Connect => (Outgoing::Connect, Vec::new()),
        Body::ConnectAck => (Outgoing::ConnectAck, Vec::new()),
        Body::Exit => (Outgoing::Exit, Vec::new()),
        Body::Ping => (Outgoing::Ping, Vec::new()),
        // p2p-chat never sends it.
        Body::ConnectRequest => return,
    };
    for form in [message.form, Form::STANDARD, Form::new("r3")] {
        for (at, bytes) in encode(header, form, &outgoing).into_iter().enumerate() {
            assert!(bytes.len() <= MAX_SENT_BYTES && !bytes.contains(&b'\n'));
            let mut decoder = Decoder::new();
            decoder.push(&bytes);
            let [Decoded::Message(again)] = &decoder.finish()[..] else {
                panic!("does not decode to one message: {:?}", String::from_utf8_lossy(&bytes));
            };
            assert_eq!(again.claimed, message.claimed);
            match (&message.body, &again.body) {
                (Body::Text(_) | Body::Greeting(_), Body::Text(text) | Body::Greeting(text)) => {
                    // A long message may be split in a run of spaces.
                    assert_eq!(text.raw(), parts[at].trim_end());
                }
                // The core sends no message whose text is a command.
                (Body::Text(_) | Body::Greeting(_), _) => {}
                (body, again) => assert_eq!(body, again),
            }
            if !(form == Form::new("two-field") && message.body == Body::Exit) {
                assert_eq!(again.name, message.name);
            }
        }
    }
    if let [only] = &parts[..] {
        assert_eq!(messages_for(only, &name).as_ref(), Ok(&parts), "a forwarded message changes");
    }
}
