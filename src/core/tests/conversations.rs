//! Conversations: what is held back, unread, read and saved.

use super::*;

/// Bob at port 5001 has written, and is known.
fn met() -> (Story, Recipient) {
    let mut story = Story::new();
    story.gets(5001, text("hello"));
    story.told();
    (story, legacy(at(5001)))
}

#[test]
fn message_of_a_muted_peer_is_not_told() {
    let (mut story, bob) = met();
    story.does(Command::SetMuted(bob, true));
    let told = story.told();
    assert!(matches!(&told[0], Event::Decided(Decision::Muted(who)) if who.id == bob), "{told:?}");
    story.holds_writes = true;
    story.gets(5001, text("noise"));
    let told = story.told();
    assert!(matches!(&told[..], [Event::MutedMessage(who)] if who.id == bob), "{told:?}");
    assert!(matches!(&story.writes[0].1, StoreOp::IncomingPlain { body, .. } if &**body == "noise"));
    story.does(Command::SetMuted(bob, false));
    let told = story.told();
    assert!(matches!(&told[0], Event::Decided(Decision::Unmuted(_, true))), "{told:?}");
    story.does(Command::SetMuted(bob, false));
    let told = story.told();
    assert!(matches!(&told[0], Event::Decided(Decision::Unmuted(_, false))), "{told:?}");
}

#[test]
fn only_the_mute_of_a_contact_is_saved() {
    let (mut story, bob) = met();
    let Recipient::Peer(id) = bob else { panic!("{bob:?}") };
    story.does(Command::SetMuted(bob, true));
    assert_eq!(story.state.take_contact_changes(), []);
    story.says(Target::These(vec![bob]), "hi");
    story.state.take_contact_changes();
    story.does(Command::SetMuted(bob, false));
    assert_eq!(story.state.take_contact_changes(), [ContactChange::Muted(id, false)]);
    story.does(Command::SetMuted(bob, true));
    story.does(Command::Forget(bob));
    assert!(!story.state.conversations().muted().contains(&bob), "a forgotten peer is as any other");
}

#[test]
fn open_conversation_is_read_until_it_ends() {
    let (mut story, bob) = met();
    story.holds_writes = true;
    let read = || [bob, at(5001).into()].map(|id| (None, StoreOp::MarkRead(id)));
    story.does(Command::Open(vec![bob]));
    assert_eq!(std::mem::take(&mut story.writes), read());
    story.gets(5002, text("psst"));
    assert_eq!(story.state.conversations().unread().values().sum::<usize>(), 1);
    story.writes.clear();
    story.does(Command::Leave);
    let marks = |write: &(_, StoreOp)| matches!(write.1, StoreOp::MarkRead(_));
    story.writes.retain(marks);
    assert_eq!(story.writes, read());
}
