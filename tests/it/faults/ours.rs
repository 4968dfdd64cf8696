//! One fault at a time between two of ours.

use super::{Outcome, Pair};
use crate::support::Fault;

#[test]
fn a_text_that_comes_byte_by_byte_is_one_text_and_is_delivered() {
    let mut pair = Pair::new();
    pair.to_bob.does(Fault::SingleBytes);
    let text = "Grüße in einzelnen Bytes 你好.";
    assert_eq!(pair.alice_says(text), Outcome::Delivered);
    assert_eq!(pair.bob_was_shown(text), 1);
    assert_eq!(pair.to_bob.did_to(text), [Fault::SingleBytes]);
}
