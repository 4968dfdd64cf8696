//! Strangers with sessions who write without measure, while a contact writes too: the contact
//! notices nothing, and memory and disk are bounded.

use std::collections::HashMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use p2p_chat::model::peer_id::Recipient;
use p2p_chat::model::stored::{Query, StoredMessage};
use p2p_chat::protocol::session::{MAX_TEXT_BYTES, Record};
use p2p_chat::store::Sqlite;

use super::alice_who_trusts;
use crate::support::secure::{Raw, new_id, text};
use crate::support::{SecurePeer, Unread, allow_descriptors, nobody};

/// How long strangers write.
const FLOOD: Duration = Duration::from_secs(3);

/// What a person would still call at once, on a machine that is busy with other tests.
const PROMPT: Duration = Duration::from_secs(3);

/// Strangers that write at the same time, each from a machine of its own.
const STRANGERS: u8 = 8;

/// Messages that a stranger may have without a receipt, if they are short.
const WINDOW: usize = 4;

/// Receipts that a stranger gets at once; then one each second.
const BURST: usize = 20;

/// Messages that are kept of one stranger at most.
const QUOTA: usize = 200;

/// How long a stranger waits for a receipt before it gives up a session or a key.
const IMPATIENCE: Duration = Duration::from_millis(200);

/// How a stranger writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    /// In one session, as fast as it gets receipts.
    Patient,
    /// In a session after another: each ends once no receipt comes.
    Reconnects,
    /// The same, each with a key of its own.
    FreshKeys,
    /// More in one write than it may have without a receipt, in a session after another.
    Rude,
}

/// What a stranger got.
#[derive(Clone, Copy, Default, Debug)]
struct Got {
    sent: usize,
    receipts: usize,
    keys: u32,
}

/// Writes messages of `size` bytes for the time of a flood.
fn floods(to: SocketAddrV4, number: u8, way: Way, size: usize) -> Got {
    let ip = Ipv4Addr::new(127, 0, 80, number);
    let until = Instant::now() + FLOOD;
    let mut got = Got::default();
    let mut stranger = None;
    while Instant::now() < until {
        if stranger.is_none() || way == Way::FreshKeys {
            let key = u32::from(number) * 100_000 + got.keys;
            got.keys += 1;
            stranger = Some(SecurePeer::numbered("Mallory", key, ip));
        }
        let stranger = stranger.as_ref().expect("just made");
        let Ok(channel) = stranger.dials(to) else { continue };
        let mut talk = Raw::new(channel);
        if talk.says_hello(stranger.hello()).is_err() || !matches!(talk.hears(), Ok(Record::Hello(_))) {
            continue;
        }
        writes(&mut talk, way, size, until, &mut got);
        talk.breaks_off();
    }
    got
}

/// Writes in one session until it is over, or the stranger loses patience.
fn writes(talk: &mut Raw, way: Way, size: usize, until: Instant, got: &mut Got) {
    let body = "x".repeat(size);
    let most = match way {
        Way::Rude => 1_000,
        _ if size > 4 * 1024 => 1,
        _ => WINDOW,
    };
    let mut open = 0;
    while Instant::now() < until {
        let new: Vec<u8> = (open..most).flat_map(|_| text(new_id(), &body)).collect();
        got.sent += most - open;
        open = most;
        if !new.is_empty() && talk.says(&new).is_err() {
            return;
        }
        let patience = if way == Way::Patient { until } else { until.min(Instant::now() + IMPATIENCE) };
        match talk.hears_until(patience) {
            Ok(Some(Record::Receipt(ids))) => {
                got.receipts += ids.len();
                open -= ids.len();
            }
            Ok(Some(Record::NotStored(ids, _))) => open -= ids.len(),
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => return,
        }
    }
}

/// Lets strangers flood `to` while `act` is done, and again until they have done so for their time.
fn flooded(to: SocketAddrV4, size: usize, mut act: impl FnMut(usize)) -> Vec<(Way, Got)> {
    allow_descriptors();
    let ways = [Way::Patient, Way::Reconnects, Way::FreshKeys, Way::Rude];
    thread::scope(|scope| {
        let flooders: Vec<_> = (0..STRANGERS)
            .map(|number| {
                let way = ways[usize::from(number) % ways.len()];
                (way, scope.spawn(move || floods(to, number, way, size)))
            })
            .collect();
        let mut round = 0;
        while flooders.iter().any(|(_, flooder)| !flooder.is_finished()) {
            act(round);
            round += 1;
        }
        flooders.into_iter().map(|(way, flooder)| (way, flooder.join().expect("it floods"))).collect()
    })
}

/// Says something as a contact does, and returns how long its receipt took.
fn says_promptly(bob: &SecurePeer, to: SocketAddrV4, words: &str) -> Duration {
    let begun = Instant::now();
    bob.says(to, &[words]);
    let took = begun.elapsed();
    assert!(took < PROMPT, "the receipt for `{words}` took {took:?}");
    took
}

/// The directory of the only profile, which is Alice's.
fn profile(data: &Path) -> PathBuf {
    data.join("profiles/alice")
}

fn kept(data: &Path) -> Vec<StoredMessage> {
    let mut store = Sqlite::reader(&profile(data).join("history.db")).expect("a history");
    store.messages(&Query { limit: 1_000_000, ..Query::default() }).expect("readable")
}

/// The bytes of the history on the disk, with what is not yet in its place.
fn history_bytes(data: &Path) -> u64 {
    let size = |name: &str| fs::metadata(profile(data).join(name)).map_or(0, |file| file.len());
    size("history.db") + size("history.db-wal")
}

/// Asserts that all these messages of a contact are kept, once and in this order.
fn are_kept(kept: &[StoredMessage], bob: &SecurePeer, words: &[String]) {
    let of_bob: Vec<&str> = kept
        .iter()
        .filter(|message| message.peer == Recipient::key(bob.key()))
        .map(|message| &*message.body)
        .collect();
    assert_eq!(of_bob, words);
}

#[test]
fn contact_is_served_while_strangers_send_countless_messages() {
    let bob = SecurePeer::named("Bob", b'B');
    let mut alice = alice_who_trusts(&[("Bob", bob.addr(), bob.key())]).start();
    let mut words: Vec<String> = (0..50).map(|number| format!("before {number}.")).collect();
    bob.says(alice.addr(), &words.iter().map(String::as_str).collect::<Vec<_>>());
    alice.has_seen(": before 49.");
    let mut longest = Duration::ZERO;
    let addr = alice.addr();
    let got = flooded(addr, 1, |round| {
        let meanwhile = format!("meanwhile {round}.");
        longest = longest.max(says_promptly(&bob, addr, &meanwhile));
        assert!(alice.sees_in_time(&format!(": {meanwhile}"), PROMPT), "`{meanwhile}` is not shown");
        let answer = format!("answer {round}.");
        let begun = Instant::now();
        alice.types(&[&format!("@bob {answer}")]);
        bob.hears(&answer);
        assert!(begun.elapsed() < PROMPT, "`{answer}` took {:?}", begun.elapsed());
        words.extend([meanwhile, answer]);
    });
    let kept = kept(&alice.data_dir());
    are_kept(&kept, &bob, &words);
    println!("the longest receipt took {longest:?}; {got:?}");
    // No stranger got more than its quota, whatever it did.
    let mut counts: HashMap<Recipient, usize> = HashMap::new();
    for message in kept.iter().filter(|message| message.peer != Recipient::key(bob.key())) {
        *counts.entry(message.peer).or_default() += 1;
    }
    let seconds = usize::try_from(FLOOD.as_secs()).expect("few") + 1;
    let most = BURST + 2 * WINDOW + seconds;
    let largest = counts.values().max().copied().expect("it was a flood");
    println!("{} strangers have {largest} messages at most", counts.len());
    assert!(largest <= most && most < QUOTA, "{largest} messages of one stranger are kept");
    for (way, got) in got {
        assert!(got.receipts <= (BURST + seconds) * got.keys as usize, "{way:?}: {got:?}");
        assert!(got.receipts > 0 || way == Way::Rude, "{way:?} was no flood: {got:?}");
    }
}

/// What memory may grow by while strangers send long messages. The queues between network, disk and
/// screen hold 16 MiB, and the rest is for the buffers of their sessions.
const MAX_GROWTH_KIB: u64 = 24 * 1024;

/// What the history may have on the disk after that: what is kept of all strangers, of which each
/// byte takes three, and what is not yet in its place.
const MAX_HISTORY_BYTES: u64 = 128 * 1024 * 1024;

#[test]
fn long_stranger_messages_take_bounded_memory_and_disk() {
    let bob = SecurePeer::named("Bob", b'B');
    let alice = alice_who_trusts(&[("Bob", bob.addr(), bob.key())]).start();
    let (addr, before) = (alice.addr(), alice.resident_kib());
    let (mut longest, mut resident, mut words) = (Duration::ZERO, before, Vec::new());
    let got = flooded(addr, MAX_TEXT_BYTES, |round| {
        let meanwhile = format!("meanwhile {round}.");
        longest = longest.max(says_promptly(&bob, addr, &meanwhile));
        assert!(alice.sees_in_time(&format!(": {meanwhile}"), PROMPT), "`{meanwhile}` is not shown");
        resident = resident.max(alice.resident_kib());
        words.push(meanwhile);
    });
    are_kept(&kept(&alice.data_dir()), &bob, &words);
    let (grown, disk) = (resident - before, history_bytes(&alice.data_dir()));
    println!("{longest:?}, {grown} KiB more memory, {disk} bytes on the disk; {got:?}");
    assert!(grown < MAX_GROWTH_KIB, "its memory grew by {grown} KiB");
    assert!(disk < MAX_HISTORY_BYTES, "{disk} bytes");
}

#[test]
fn long_stranger_messages_are_bounded_under_stopped_terminal() {
    let bob = SecurePeer::named("Bob", b'B');
    let alice = alice_who_trusts(&[("Bob", bob.addr(), bob.key())]);
    let mut alice = Unread::start(&alice, Stdio::piped());
    let addr = alice.listens();
    let before = alice.resident_kib();
    let (mut longest, mut resident, mut words) = (Duration::ZERO, before, Vec::new());
    // Nobody reads what she prints from here on.
    let got = flooded(addr, MAX_TEXT_BYTES, |round| {
        let meanwhile = format!("meanwhile {round}.");
        longest = longest.max(says_promptly(&bob, addr, &meanwhile));
        resident = resident.max(alice.resident_kib());
        words.push(meanwhile);
    });
    let data = alice.data_dir();
    are_kept(&kept(&data), &bob, &words);
    let (grown, disk) = (resident - before, history_bytes(&data));
    println!("{longest:?}, {grown} KiB more memory, {disk} bytes on the disk; {got:?}");
    assert!(grown < MAX_GROWTH_KIB, "its memory grew by {grown} KiB");
    assert!(disk < MAX_HISTORY_BYTES, "{disk} bytes");
    // The terminal goes on, and shows each of the contact's messages once.
    let last = format!(": {}", words.last().expect("it was a flood"));
    let printed = alice.reads_to(|line| line.ends_with(&last));
    for word in &words {
        let times = printed.iter().filter(|line| line.ends_with(&format!(": {word}"))).count();
        assert_eq!(times, 1, "{word}");
    }
}

/// Keys that have a session at the same time. There is room for the sessions of 256 strangers.
const KEYS: u32 = 300;

#[test]
fn contact_is_recognized_after_strangers_took_all_sessions() {
    allow_descriptors();
    let home = nobody();
    let key = crate::support::secure::key_of(b'B').public();
    let mut alice = alice_who_trusts(&[("Bob", home, key)]).start();
    let begun = Instant::now();
    let strangers: Vec<(SecurePeer, Raw)> = (0..KEYS)
        .map(|number| {
            let [.., high, low] = number.to_be_bytes();
            let stranger = SecurePeer::numbered("Mallory", number, Ipv4Addr::new(127, 1, high, low));
            let mut talk = Raw::new(stranger.dials(alice.addr()).expect("a handshake"));
            talk.says_hello(stranger.hello()).expect("she hears");
            assert!(matches!(talk.hears(), Ok(Record::Hello(_))), "{number} is not welcome");
            (stranger, talk)
        })
        .collect();
    println!("{KEYS} sessions after {:?}", begun.elapsed());
    // Only now the contact comes.
    let bob = SecurePeer::at("Bob", b'B', home);
    let took = says_promptly(&bob, alice.addr(), "here I am.");
    let line = alice.has_seen(": here I am.");
    assert!(line.contains("Bob"), "{line}");
    let begun = Instant::now();
    alice.types(&["@bob welcome."]);
    bob.hears("welcome.");
    println!("the contact had a receipt after {took:?}, and an answer after {:?}", begun.elapsed());
    assert!(begun.elapsed() < PROMPT, "it took {:?}", begun.elapsed());
    drop(strangers);
}

#[test]
fn ten_thousand_messages_of_a_contact_all_arrive() {
    let bob = SecurePeer::named("Bob", b'B');
    let alice = alice_who_trusts(&[("Bob", bob.addr(), bob.key())]).start();
    let lines: Vec<String> = (0..10_000).map(|number| format!("line {number}.")).collect();
    let begun = Instant::now();
    // As many as a contact may have without a receipt.
    for some in lines.chunks(64) {
        bob.says(alice.addr(), &some.iter().map(String::as_str).collect::<Vec<_>>());
    }
    println!("all have receipts after {:?}", begun.elapsed());
    alice.has_seen(": line 9999.");
    let printed = alice.printed();
    let shown: Vec<&str> =
        printed.iter().filter_map(|line| line.split_once("]: ")).map(|(_, text)| text).collect();
    assert_eq!(shown, lines);
    are_kept(&kept(&alice.data_dir()), &bob, &lines);
}
