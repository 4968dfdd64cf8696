//! What only the store in memory promises.

use super::*;
use crate::store::memory::{MAX_BYTES, MAX_MESSAGES};

#[test]
fn clones_share_one_content() {
    let mut one = Memory::default();
    let mut other = one.clone();
    apply(&mut one, &[taken(1, &[1])]);
    assert_eq!(entries(&mut other), entries(&mut one));
    drop(one);
    apply(&mut other, &[taken(1, &[1, 2])]);
    assert_eq!(entries(&mut other).len(), 2);
}

#[test]
fn no_more_messages_than_that_are_kept_but_what_waits_stays() {
    let mut store = Memory::default();
    apply(&mut store, &[said(key(1), 1, "waits"), taken(1, &[1])]);
    for _ in 0..MAX_MESSAGES / 100 {
        apply(&mut store, &vec![heard(addr(1), "flood"); 100]);
    }
    let found = entries(&mut store);
    assert_eq!((found.len(), &*found[0].body, &*found[1].body), (MAX_MESSAGES, "waits", "flood"));
    assert_eq!(apply(&mut store, &[taken(1, &[1])]), [Written::Taken(vec![None])], "it came before");
}

#[test]
fn no_more_bytes_than_that_are_kept() {
    let mut store = Memory::default();
    let part = "x".repeat(MAX_BYTES / 4);
    for number in 0..8 {
        apply(&mut store, &[heard(addr(1), &part), heard(addr(2), &number.to_string())]);
    }
    let bodies = bodies(&mut store, &all());
    assert!(bodies.iter().map(String::len).sum::<usize>() <= MAX_BYTES);
    assert_eq!(bodies.iter().filter(|body| **body == part).count(), 3);
}
