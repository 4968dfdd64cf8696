//! Introductions between contacts.

use super::keys::{BOBS, key, moment};
use super::*;
use crate::core::event::IntroductionNews;
use crate::core::introductions::IntroductionPart;
use crate::protocol::session::ContactCard;

const CAROLS: u8 = 2;

/// What the user is told of introductions.
fn news(story: &mut Story) -> Vec<Event> {
    let mut told = story.told();
    told.retain(|event| matches!(event, Event::Introduction(_) | Event::Decided(_)));
    told
}

/// Bob, a contact in a session, introduces Carol. Returns what is to be done.
fn introduces_carol(story: &mut Story) -> Vec<Output> {
    let part = IntroductionPart::Ask(key(CAROLS), PeerName::new("Carol"));
    story.state.introduced(key(BOBS), part, moment().date * 1_000, story.now)
}

#[test]
fn user_is_not_asked_about_a_contact() {
    let carol = Pin { name: Some(PeerName::new("Carol")), ..pin(CAROLS, 5002) };
    let mut story = Story::with(CoreConfig { pins: vec![pin(BOBS, 5001), carol], ..super::keys::alice() });
    story.dials_in(BOBS, "Bob", 5001).unwrap();
    assert_eq!(introduces_carol(&mut story), [], "Bob does not learn that Carol is a contact");
    assert_eq!(story.state.undecided_introductions(moment().date), []);
}

#[test]
fn peer_that_sends_no_card_becomes_contact() {
    let mut story = Story::with(CoreConfig { pins: vec![pin(BOBS, 5001)], ..super::keys::alice() });
    story.dials_in(BOBS, "Bob", 5001).unwrap();
    let outputs = introduces_carol(&mut story);
    story.perform(outputs);
    let date = moment().date;
    let card =
        ContactCard::unsigned(key(CAROLS), story.state.trusted().me(), &PeerName::new("Alice"), 0, &[]);
    story.does(Command::AcceptIntroduction { by: key(BOBS), card: Box::new(card), date });
    let is_accepted = |event: &Event| matches!(event, Event::Introduction(news) if matches!(**news, IntroductionNews::Accepted { waits: true, .. }));
    assert!(news(&mut story).iter().any(is_accepted));
    // Carol has us as a contact, so she is not asked and sends no card. She connects.
    story.dials_in(CAROLS, "Carol", 5002).unwrap();
    let told = news(&mut story);
    assert!(matches!(told[..], [Event::Decided(Decision::AddedIntroduced { .. })]), "{told:?}");
    assert!(story.state.book().is_contact(key(CAROLS).into()));
    assert_eq!(story.state.waiting_introductions(date), (vec![], vec![]));
}
