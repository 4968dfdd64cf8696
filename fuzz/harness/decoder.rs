//! The bytes of one connection.

use std::time::{Duration, Instant};

use p2p_chat::model::message::{Body, Decoded, Form, MAX_RECEIVED_BYTES, MAX_SENT_BYTES, Outgoing, Plain};
use p2p_chat::model::name::{MAX_NAME_BYTES, Name};
use p2p_chat::protocol::plain::{Decoder, Header, Progress, Receipt, encode, messages_for};

/// Bytes at the beginning of the input that say how the rest comes: once or over and over, in which pieces, and whether
/// its sender was done.
const HEAD: usize = 3;

/// The first byte that has the rest come over and over. Most inputs are short, for they are quick.
const OVER_AND_OVER: u8 = 0xff;

/// Bytes that are pushed then: more than is read.
const MAX_PUSHED: usize = MAX_RECEIVED_BYTES + 77;

/// Messages that fit what is read: none is shorter than `1.1.1.1:1` and the line end before it.
const MAX_MESSAGES: usize = MAX_RECEIVED_BYTES / 10 + 1;

/// Time for decoding as much as is read at most. A millisecond is usual where all is instrumented; what looks at all the
/// rest at every byte would take a hundred.
const DECODED_WITHIN: Duration = Duration::from_millis(if cfg!(test) { 500 } else { 20 });

/// Messages of one input that are written again; the others are like them.
const WRITTEN_AGAIN: usize = 16;

/// Runs that are tried before the time counts, for a busy machine may take any one of them away.
const TRIALS: usize = 8;

/// Decodes the input in pieces and at once, and writes again what came out.
///
/// # Panics
/// Where the pieces matter, a bound does not hold, decoding takes too long, or what is written reads otherwise.
pub fn decoder(input: &[u8]) {
    let Some((head, rest)) = input.split_at_checked(HEAD) else { return };
    let (pieces, cut) = (head[1], head[2] & 1 == 1);
    let length = if head[0] == OVER_AND_OVER && !rest.is_empty() { MAX_PUSHED } else { rest.len() };
    let bytes: Vec<u8> = rest.iter().copied().cycle().take(length).collect();
    let mut whole = Decoder::new();
    let progress = whole.push(&bytes);
    let is_full = bytes.len() > MAX_RECEIVED_BYTES;
    assert_eq!(progress, if is_full { Progress::Full } else { Progress::NeedMore });
    let mut in_pieces = pushed(&bytes, pieces);
    if cut {
        whole.mark_cut();
        in_pieces.mark_cut();
    }
    for decoder in [&whole, &in_pieces] {
        assert_eq!(decoder.is_cut(), cut || is_full);
        assert_eq!(decoder.is_empty(), bytes.is_empty());
    }
    let decoded = whole.finish();
    assert_eq!(in_pieces.finish(), decoded, "the pieces matter");
    is_bounded(&decoded, bytes.len().min(MAX_RECEIVED_BYTES));
    if bytes.len() >= MAX_RECEIVED_BYTES {
        let is_quick = || {
            let decoder = pushed(&bytes, pieces);
            let began = Instant::now();
            decoder.finish();
            began.elapsed() < DECODED_WITHIN
        };
        assert!((0..TRIALS).any(|_| is_quick()), "decoding takes too long");
    }
    for piece in decoded.iter().take(WRITTEN_AGAIN) {
        if let Decoded::Message(message) = piece {
            reads_the_same_again(message);
        }
    }
    Receipt::parse(&bytes);
}

/// A decoder that has been given the bytes in pieces whose lengths depend on `pieces`.
fn pushed(mut bytes: &[u8], pieces: u8) -> Decoder {
    let mut decoder = Decoder::new();
    let mut length = usize::from(pieces);
    let mut all = 0;
    while !bytes.is_empty() {
        // From one byte to several hundred, in no order.
        length = (length * 5 + 3) % 257;
        let (piece, rest) = bytes.split_at((length + 1).min(bytes.len()));
        all += piece.len();
        let full = all > MAX_RECEIVED_BYTES;
        assert_eq!(decoder.push(piece), if full { Progress::Full } else { Progress::NeedMore });
        bytes = rest;
    }
    decoder
}

fn is_bounded(decoded: &[Decoded], bytes: usize) {
    assert!(decoded.len() <= MAX_MESSAGES, "{} messages", decoded.len());
    let mut kept = 0;
    let mut sender = None;
    for piece in decoded {
        match piece {
            Decoded::Message(Plain { claimed, name, body, .. }) => {
                assert_ne!(claimed.port, 0);
                assert_eq!(*sender.get_or_insert(*claimed), *claimed, "one speaks for another");
                let name = name.as_ref().map_or(0, |name| name.as_str().len());
                assert!(name <= MAX_NAME_BYTES + '…'.len_utf8(), "a name of {name} bytes");
                if let Body::Text(text) | Body::Greeting(text) = body {
                    assert!(!text.raw().is_empty(), "an empty text");
                    kept += text.raw().len();
                }
            }
            Decoded::Unreadable(what) => kept += what.text.raw().len(),
        }
    }
    // A byte that is no UTF-8 becomes a character of three, and an ellipsis may stand for the end of each.
    assert!(kept <= 3 * bytes + 3 * decoded.len(), "{kept} bytes are kept of {bytes}");
}

/// Writes a message as we would, if we could have, and reads it again.
fn reads_the_same_again(message: &Plain) {
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
        // We never send it.
        Body::ConnectRequest => return,
    };
    for form in [message.form, Form::Standard, Form::R3] {
        for (at, bytes) in encode(header, form, &outgoing).into_iter().enumerate() {
            assert!(bytes.len() <= MAX_SENT_BYTES && !bytes.contains(&b'\n'));
            let mut decoder = Decoder::new();
            decoder.push(&bytes);
            let [Decoded::Message(again)] = &decoder.finish()[..] else {
                panic!("not one message any more: {:?}", String::from_utf8_lossy(&bytes));
            };
            assert_eq!(again.claimed, message.claimed);
            match (&message.body, &again.body) {
                (Body::Text(_) | Body::Greeting(_), Body::Text(text) | Body::Greeting(text)) => {
                    // A long text may be divided at a place where it has several spaces.
                    assert_eq!(text.raw(), parts[at].trim_end());
                }
                // The rules send no text that is a command.
                (Body::Text(_) | Body::Greeting(_), _) => {}
                (body, again) => assert_eq!(body, again),
            }
            if !(form == Form::TwoField && message.body == Body::Exit) {
                assert_eq!(again.name, message.name);
            }
        }
    }
    if let [only] = &parts[..] {
        assert_eq!(messages_for(only, &name).as_ref(), Ok(&parts), "it becomes another when it is sent on");
    }
}
