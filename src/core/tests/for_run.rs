//! Static peers that are contacts for one run.

use super::keys::{BOBS, key, message, met};
use super::*;
use crate::core::ContactChange;
use crate::model::session::RequestEnd;

/// Returns an entry of `./peers.toml`.
fn entry(port: u16, key: Option<PublicKey>) -> StaticPeer {
    StaticPeer { key, for_run: true, ..StaticPeer::at(at(port)) }
}

/// Starts Alice with this entry and these pins.
fn started(entry: StaticPeer, pins: Vec<Pin>) -> Story {
    let mut story = Story::with(CoreConfig { pins, ..super::keys::alice() });
    story.holds_writes = true;
    story.feeds(|state, now| state.start(vec![entry], Vec::new(), now).1);
    story
}

/// Takes the peers that the store was told were seen, each with whether it was a contact.
fn seen(story: &mut Story) -> Vec<(PeerId, bool)> {
    let seen = |(_, op)| match op {
        StoreOp::Seen { peer, contact, .. } => Some((peer, contact)),
        _ => None,
    };
    std::mem::take(&mut story.writes).into_iter().filter_map(seen).collect()
}

#[test]
fn contact_for_one_run_is_not_saved() {
    for listed in [None, Some(key(BOBS))] {
        let bob = Recipient::key(key(BOBS));
        let mut story = started(entry(5001, listed), Vec::new());
        if listed.is_none() {
            story.promises(BOBS);
        }
        story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered);
        assert!(story.state.book().is_contact(bob) && !story.state.book().is_lasting_contact(bob));
        story.takes(BOBS, message(1));
        story.session_breaks(BOBS);
        assert_eq!((story.state.take_contact_changes(), seen(&mut story)), (vec![], vec![]));
        // The user writes to Bob.
        story.does(Command::Send { to: Target::These(vec![bob]), message: message(2) });
        assert!(story.state.book().is_lasting_contact(bob));
        let changes = story.state.take_contact_changes();
        let [ContactChange::Key(pin)] = &changes[..] else { panic!("{changes:?}") };
        assert_eq!((pin.contact, &pin.given[..]), (true, &[at(5001)][..]), "the next run finds Bob");
        story.later(seconds(60));
        story.session_requests.retain(|request| request.expect == Some(key(BOBS)));
        story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered);
        assert!(seen(&mut story).contains(&(PeerId::Key(key(BOBS)), true)));
    }
}

#[test]
fn saved_contact_gets_no_address_of_this_run() {
    let carol = pin(3, 5003);
    let also = vec![at(5010).into()];
    let story = StaticPeer { also, name: Some(PeerName::new("Zoe")), ..entry(5009, Some(key(3))) };
    let mut story = started(story, vec![carol.clone()]);
    assert_eq!(story.session_requests[0].addrs, [at(5009), at(5003), at(5010)]);
    assert!(story.state.book().is_lasting_contact(Recipient::key(key(3))));
    assert_eq!(story.state.trusted().pin_of(Recipient::key(key(3))), Some(&carol));
    assert_eq!(story.state.take_contact_changes(), []);
}

#[test]
fn remembered_stranger_stays_stranger_in_the_store() {
    let bob = Recipient::key(key(BOBS));
    let mut story = started(entry(5001, Some(key(BOBS))), vec![Pin { contact: false, ..pin(BOBS, 5002) }]);
    assert!(story.state.book().is_contact(bob) && !story.state.book().is_lasting_contact(bob));
    story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered);
    let changes = story.state.take_contact_changes();
    assert!(changes.iter().all(|change| matches!(change, ContactChange::Key(pin) if !pin.contact)));
    assert!(seen(&mut story).iter().all(|(_, contact)| !contact));
    story.does(Command::Verify { key: key(BOBS), date: 7 });
    let changes = story.state.take_contact_changes();
    assert!(matches!(&changes[..], [ContactChange::Key(pin)] if pin.contact), "{changes:?}");
}

#[test]
fn legacy_peer_is_saved_when_written_to() {
    let mut story = started(entry(5001, None), Vec::new());
    story.ends(5001, &SendResult::HandedOver);
    story.gets(5001, text("hello"));
    let printer = legacy(at(5001));
    assert!(story.state.book().is_contact(printer) && !story.state.book().is_lasting_contact(printer));
    assert_eq!((story.state.take_contact_changes(), seen(&mut story)), (vec![], vec![]));
    story.does(Command::Send { to: Target::These(vec![printer]), message: message(1) });
    let changes = story.state.take_contact_changes();
    assert!(matches!(&changes[..], [ContactChange::Legacy(id, _)] if Recipient::Peer(*id) == printer));
    assert!(seen(&mut story).iter().all(|(_, contact)| *contact));
}
