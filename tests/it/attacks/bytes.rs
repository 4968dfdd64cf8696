//! A talk that is cut or changed at each of its bytes. Both sides are the library; between them stands somebody.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use p2p_chat::model::session::ByeReason;
use p2p_chat::net::secure::Expectation;

use crate::support::meddler::{CommandKind, Piece, Wire, cut_at, flip_at};
use crate::support::secure::{key_of, new_id};
use crate::support::{Meddler, SecurePeer, Way, allow_descriptors, assert_sealed};

/// What is said.
const SECRET: &str = "what nobody else may read";

/// Pairs that are busy at the same time. Most of the time they wait for what does not come any more.
const AT_ONCE: usize = 96;

/// What came of a talk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Came {
    taken: bool,
    receipted: bool,
}

/// Two peers, and who stands between them.
struct Three {
    alice: SecurePeer,
    bob: SecurePeer,
    meddler: Meddler,
}

impl Three {
    fn new() -> Self {
        let bob = SecurePeer::impatient("Bob", b'B');
        Self { alice: SecurePeer::impatient("Alice", b'A'), meddler: Meddler::before(bob.addr()), bob }
    }

    /// Alice says one text to Bob. Nothing else but that may ever be taken, and only once.
    fn talk(&self) -> Came {
        let before = self.bob.got();
        let receipted = self.say();
        // Whatever becomes of it, it comes to its end by itself, soon.
        let got = self.bob.waits("the end", |got| got.over > before.over || got.opened == before.opened);
        let texts = &got.texts[before.texts.len()..];
        assert!(texts.len() <= 1, "{texts:?}");
        for text in texts {
            assert_eq!((text.body.as_str(), text.from), (SECRET, self.alice.key()));
        }
        Came { taken: !texts.is_empty(), receipted }
    }

    fn say(&self) -> bool {
        let bob = Expectation::Key(key_of(b'B').public());
        let Ok(channel) = self.alice.dials_expecting(self.meddler.addr(), bob) else { return false };
        let Ok((mut session, hello)) = self.alice.greets_on(channel) else { return false };
        assert_eq!(hello.name, self.bob.hello().name);
        let id = new_id();
        if session.says(&[(id, SECRET)], false).is_none() {
            session.leaves(ByeReason::Idle);
            return true;
        }
        session.has_receipt(id)
    }
}

/// A talk that nobody disturbs.
fn undisturbed() -> Wire {
    let three = Three::new();
    assert_eq!(three.talk(), Came { taken: true, receipted: true });
    three.meddler.has_carried(1).remove(0)
}

/// A talk for each byte of one that nobody disturbs, disturbed there: what came of them.
fn at_each_byte<P>(plan: impl Fn(Way, usize) -> P + Sync) -> Vec<(Way, usize, Came)>
where
    P: Fn(&Piece<'_>) -> CommandKind + Send + Sync + 'static,
{
    allow_descriptors();
    let whole = undisturbed();
    let places: Vec<_> = [Way::Up, Way::Down]
        .into_iter()
        .flat_map(|way| (0..whole.of(way).len()).map(move |at| (way, at)))
        .collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let three = Three::new();
        let mut came = Vec::new();
        while let Some((way, at)) = places.get(next.fetch_add(1, Ordering::Relaxed)) {
            three.meddler.does(plan(*way, *at));
            came.push((*way, *at, three.talk()));
        }
        came
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("it holds")).collect()
    })
}

#[test]
fn nothing_but_the_lines_can_be_read_of_a_talk() {
    let wire = undisturbed();
    let keys = [key_of(b'A').public(), key_of(b'B').public()];
    let texts = keys.map(|key| key.to_string());
    let secrets = [SECRET.as_bytes(), b"Alice", b"Bob", keys[0].as_bytes(), keys[1].as_bytes()];
    let secrets = [&secrets[..], &texts.each_ref().map(|text| text.as_bytes())].concat();
    let (up, down) = assert_sealed(&wire, &secrets);
    assert!(up > 3 && down > 3, "{up} up, {down} down");
}

#[test]
fn cut_at_any_byte_a_text_has_no_receipt_unless_it_was_taken() {
    let came = at_each_byte(cut_at);
    for (way, at, came) in &came {
        assert!(came.taken || !came.receipted, "{way:?} at {at}: a receipt for what was not taken");
    }
    // All three do happen: cut before the text, before the receipt, and in the good end behind it.
    for (taken, receipted) in [(false, false), (true, false), (true, true)] {
        assert!(came.iter().any(|(.., came)| *came == Came { taken, receipted }), "{taken}, {receipted}");
    }
}

#[test]
fn changed_at_any_byte_a_talk_says_nothing_else() {
    let came = at_each_byte(|way, at| flip_at(way, at, (at % 8) as u8));
    for (way, at, came) in &came {
        assert!(came.taken || !came.receipted, "{way:?} at {at}: a receipt for what was not taken");
    }
    // Only what is changed behind the text leaves it whole.
    let taken = came.iter().filter(|(.., came)| came.taken).count();
    assert!(taken > 0 && taken < came.len() / 2, "{taken} of {}", came.len());
}
