//! Two sides over real sockets, and each side against a hand-made bad one.

mod bad_acceptors;
mod bad_dialers;
mod both;

use super::*;
use crate::model::message::MessageId;
use crate::model::name::PeerName;
use crate::net::secure::Expectation;
use crate::net::secure::tests::{acceptor, dialer, in_time, key, meet};

fn hello(name: &str) -> Hello {
    Hello {
        dialed: DIAL_LINE.to_vec(),
        answered: OK_LINE.to_vec(),
        name: PeerName::new(name),
        port: 5000,
        version: "0.2.0".into(),
        features: Vec::new(),
        addresses: Vec::new(),
        run: 1,
        window: 262_144,
        probe: false,
    }
}

fn id(number: u8) -> MessageId {
    MessageId::new([number; 16])
}

fn text(number: u8) -> Record {
    Record::Text { id: id(number), time: 1, again: false, body: "hi".into() }
}

/// A turn of these texts and pings.
fn turn(texts: impl IntoIterator<Item = u8>, pings: &[u64]) -> Turn {
    let mut turn = Turn::new();
    for number in texts {
        assert!(turn.text(id(number), 1, false, &"hi".into()));
    }
    assert!(pings.iter().all(|nonce| turn.ping(*nonce)));
    turn
}

/// The ids of these texts.
fn ids(texts: &[Record]) -> Vec<MessageId> {
    let id = |record: &Record| match record {
        Record::Text { id, .. } => *id,
        other => panic!("{other:?}"),
    };
    texts.iter().map(id).collect()
}

/// Takes all.
fn take(texts: Vec<Record>) -> Reply {
    Reply::Receipts(ids(&texts))
}

/// Nothing may be handed over.
fn take_none(texts: Vec<Record>) -> Reply {
    panic!("{texts:?}");
}

/// Alice dials Bob, and each does with the channel what it does.
fn talk<A: Send, B: Send>(
    alice: impl FnOnce(Channel) -> A + Send,
    bob: impl FnOnce(Channel) -> B + Send,
) -> (A, B) {
    let (one, other, _) = meet(
        |stream| alice(dialer(b'A', Expectation::Any)(stream).unwrap()),
        |stream| bob(acceptor(b'B')(stream).unwrap()),
    );
    (one, other)
}

/// Dials as one should.
fn alice(channel: Channel) -> Dialed {
    Dialed::greet(channel, hello("Alice")).unwrap().0
}

/// Accepts as one should.
fn bob(channel: Channel) -> Result<Accepted, End> {
    Accepted::greet(channel, |_, _| Ok(hello("Bob"))).map(|(talk, _)| talk)
}

/// Waits until the other side has said something more, which nobody has looked at yet.
fn wait_for_more(talk: &mut Dialed) {
    if talk.talk.records.is_empty() && !talk.talk.channel.has_more() {
        talk.channel().stream().set_read_timeout(None).unwrap();
        assert!(talk.channel().stream().peek(&mut [0]).unwrap() > 0);
    }
}

/// Says these records at once, without any rule.
fn say(channel: &mut Channel, records: &[Record]) {
    channel.write_all(&records.iter().flat_map(Record::encode).collect::<Vec<_>>()).unwrap();
}

/// Hears one record.
fn hear(channel: &mut Channel) -> Record {
    let mut head = [0; 4];
    channel.read_exact(&mut head).unwrap();
    let mut value = vec![0; u32::from_be_bytes([0, head[1], head[2], head[3]]) as usize];
    channel.read_exact(&mut value).unwrap();
    decoded(&[&head[..], &value].concat()).remove(0)
}

/// Hears what is still said, to its good end.
fn hear_to_the_end(channel: &mut Channel) -> Vec<Record> {
    channel.set_deadline(in_time());
    let mut bytes = Vec::new();
    channel.read_to_end(&mut bytes).unwrap();
    decoded(&bytes)
}

fn decoded(bytes: &[u8]) -> Vec<Record> {
    let mut records = Records::new();
    records.push(bytes);
    std::iter::from_fn(|| records.next_record().unwrap()).collect()
}

const NOT_UNDERSTOOD: Record = Record::Bye(ByeReason::NotUnderstood);
