//! Two years of messages: words as frequent as in a language, messages of a usual length, and peers
//! of whom a few write often.

use std::collections::HashSet;
use std::mem;
use std::sync::Arc;

use p2p_chat::model::delivery::DeliveryStatus;
use p2p_chat::model::key::PublicKey;
use p2p_chat::model::message::MessageId;
use p2p_chat::model::name::PeerName;
use p2p_chat::model::peer_id::{PeerId, Recipient};
use p2p_chat::model::session::Message;
use p2p_chat::model::stored::{Assurance, RowId, StoreOp, StoreResult, Stored};
use p2p_chat::store::{Sqlite, StoreError};

/// Words. The one of rank n is as frequent as the first divided by n (Zipf).
const WORDS: usize = 50_000;

/// Peers, of whom the first has half of all messages.
const PEERS: u64 = 500;

/// Percent of messages in Chinese.
const CHINESE: u64 = 30;

/// Chinese characters, from U+4E00 on. The lower ones are in more words.
const CHARACTERS: u64 = 2_500;

/// The ranks from which Chinese words have two and three characters.
const ONE_CHARACTER: usize = 20;
const TWO_CHARACTERS: usize = 20_000;

/// The shortest and the longest message, in bytes.
const LETTERS: (u64, u64) = (20, 200);

/// The begin in milliseconds since 1970, and the length.
const BEGINS: u64 = 1_700_000_000_000;
const LASTS: u64 = 730 * 24 * 3_600 * 1_000;

/// Messages in one commit, as in the program when many arrive.
const BATCH: u64 = 512;

/// A source of messages, the same in each run.
pub(super) struct Corpus {
    words: Vec<String>,
    chinese: Vec<String>,
    /// The frequency of each word and those before it; all have `u32::MAX`.
    shares: Vec<u32>,
    random: u64,
}

impl Corpus {
    pub(super) fn new() -> Self {
        let mut corpus = Self { words: Vec::new(), chinese: Vec::new(), shares: Vec::new(), random: 1 };
        let mut seen = HashSet::new();
        while corpus.words.len() < WORDS {
            // Frequent words are short.
            let syllables = 1 + corpus.below(2) + (corpus.words.len() as u64).max(1).ilog10() as u64 / 2;
            let word: String = (0..syllables).map(|_| corpus.syllable()).collect();
            if seen.insert(word.clone()) {
                corpus.words.push(word);
            }
        }
        seen.clear();
        while corpus.chinese.len() < WORDS {
            let characters = match corpus.chinese.len() {
                0..ONE_CHARACTER => 1,
                ONE_CHARACTER..TWO_CHARACTERS => 2,
                _ => 3,
            };
            let word: String = (0..characters).map(|_| corpus.character()).collect();
            if seen.insert(word.clone()) {
                corpus.chinese.push(word);
            }
        }
        let all: f64 = (1..=WORDS).map(|rank| 1.0 / rank as f64).sum();
        let mut sum = 0.0;
        corpus.shares = (1..=WORDS)
            .map(|rank| {
                sum += 1.0 / rank as f64 / all;
                (sum * f64::from(u32::MAX)) as u32
            })
            .collect();
        corpus
    }

    /// Returns the word of this rank. The most frequent one has rank 1.
    pub(super) fn word(&self, rank: usize) -> &str {
        &self.words[rank - 1]
    }

    fn peer(number: u64) -> Recipient {
        Recipient::Peer(PeerId::Key(key(number)))
    }

    pub(super) fn text(&mut self) -> Arc<str> {
        let messages = LETTERS.0 + self.below(LETTERS.1 - LETTERS.0);
        let chinese = self.below(100) < CHINESE;
        let mut text = String::new();
        while (text.len() as u64) < messages {
            let at = (self.next() >> 32) as u32;
            let word = self.shares.partition_point(|share| *share < at).min(WORDS - 1);
            if chinese {
                text += &self.chinese[word];
                continue;
            }
            if !text.is_empty() {
                text.push(' ');
            }
            text += &self.words[word];
        }
        text.into()
    }

    /// Stores so many messages as the program does. Half are ours; the others are shown and read.
    pub(super) fn fill(&mut self, store: &mut Sqlite, messages: u64) -> Result<(), StoreError> {
        let mut shown = Vec::new();
        let mut done = 0;
        while done < messages {
            let clock = BEGINS + LASTS / messages * done;
            let count = BATCH.min(messages - done);
            let mut ops: Vec<StoreOp> = (done..done + count).map(|n| self.message(n, clock)).collect();
            ops.push(StoreOp::MarkShown(mem::take(&mut shown)));
            shown = rows_of(store.apply(&ops, clock)?);
            done += count;
        }
        let mut ops = vec![StoreOp::MarkShown(shown)];
        ops.extend((0..PEERS).map(|number| StoreOp::MarkRead(Self::peer(number))));
        store.apply(&ops, BEGINS + LASTS).map(drop)
    }

    fn message(&mut self, number: u64, clock: u64) -> StoreOp {
        let peer = if self.below(2) == 0 { 0 } else { 1 + self.below(PEERS - 1) };
        let name = Some(name(peer));
        let message = Message { id: id(number), time: clock, again: false, to_all: false, body: self.text() };
        if self.below(2) == 0 {
            return StoreOp::Outgoing {
                to: Self::peer(peer),
                name,
                message,
                status: DeliveryStatus::Delivered,
                attempted: false,
                assurance: Assurance::Encrypted,
                expires: 0,
            };
        }
        StoreOp::Incoming {
            from: key(peer),
            name,
            assurance: Assurance::Encrypted,
            stranger: None,
            messages: vec![message],
        }
    }

    fn syllable(&mut self) -> String {
        let (consonants, vowels) = (b"bdfghjklmnprstvwz", b"aeiou");
        let mut one = |messages: &[u8]| char::from(messages[self.below(messages.len() as u64) as usize]);
        let mut syllable = String::from(one(consonants));
        syllable.push(one(vowels));
        if self.below(3) == 0 {
            syllable.push(['n', 'r', 's', 't'][self.below(4) as usize]);
        }
        syllable
    }

    fn character(&mut self) -> char {
        let highest = 1 + self.below(CHARACTERS);
        let at = self.below(highest) as u32;
        char::from_u32(0x4e00 + at).unwrap_or('\u{4e00}')
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// The next number of SplitMix64.
    fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// Returns the rows of stored messages of others.
pub(super) fn rows_of(results: Vec<StoreResult>) -> Vec<RowId> {
    let stored = results.into_iter().flat_map(|result| match result {
        StoreResult::Incoming(stored) => stored,
        _ => Vec::new(),
    });
    stored.filter_map(Stored::row).collect()
}

/// Returns the id of the message of this number. As real ones, ids are anywhere in the index.
pub(super) fn id(number: u64) -> MessageId {
    let mut mix = Corpus { words: Vec::new(), chinese: Vec::new(), shares: Vec::new(), random: number };
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&mix.next().to_be_bytes());
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    MessageId::new(bytes)
}

fn key(number: u64) -> PublicKey {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    PublicKey::new(bytes)
}

fn name(number: u64) -> PeerName {
    PeerName::new(&format!("Peer{number}"))
}
