//! What differs between two versions of a contact, in words.

use crate::profile::contacts::Contact;

/// Says what differs, as a sentence without its full stop; `None` if nothing does.
pub(super) fn sentence(label: &str, before: Option<&Contact>, after: Option<&Contact>) -> Option<String> {
    let words = words(before, after);
    let (last, others) = words.split_last()?;
    Some(match others {
        [] => format!("{label} {last}"),
        others => format!("{label} {} and {last}", others.join(", ")),
    })
}

fn words(before: Option<&Contact>, after: Option<&Contact>) -> Vec<String> {
    let after = match (before, after) {
        (None, None) => return Vec::new(),
        (Some(_), None) => return vec!["is no longer a contact".into()],
        (_, Some(after)) => after,
    };
    let mut words = Vec::new();
    if before.is_none() {
        words.push("is a contact".to_owned());
    }
    let was = |mark: fn(&Contact) -> bool| before.is_some_and(mark);
    for (word, was, is) in [
        ("blocked", was(|contact| contact.blocked), after.blocked),
        ("muted", was(|contact| contact.muted), after.muted),
        ("verified", was(|contact| contact.verified.is_some()), after.verified.is_some()),
    ] {
        match (was, is) {
            (false, true) => words.push(format!("is {word}")),
            (true, false) => words.push(format!("is no longer {word}")),
            (true, true) | (false, false) => {}
        }
    }
    let was = before.and_then(|before| before.alias.as_ref());
    match &after.alias {
        alias if alias.as_ref() == was => {}
        Some(alias) => words.push(format!("is called {alias}")),
        None => words.push("no longer has an alias".into()),
    }
    let Some(before) = before else { return words };
    if before.name != after.name {
        words.push(match &after.name {
            Some(name) => format!("has the name {name}"),
            None => "no longer has a name".into(),
        });
    }
    if before.addrs != after.addrs {
        words.push("has different addresses".into());
    }
    let dates = before.verified.zip(after.verified);
    if dates.is_some_and(|(before, after)| before != after) {
        words.push("has a different verification date".into());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::key::PublicKey;
    use crate::model::name::PeerName;
    use crate::model::peer_id::PeerId;

    #[test]
    fn each_difference_has_its_words() {
        let bob = Contact::new(PeerId::Key(PublicKey::new([1; 32])));
        let alias = |alias: &str| Some(alias.parse().unwrap());
        for (before, after, words) in [
            (None, Some(bob.clone()), "Bob is a contact"),
            (None, Some(Contact { blocked: true, ..bob.clone() }), "Bob is a contact and is blocked"),
            (Some(bob.clone()), None, "Bob is no longer a contact"),
            (Some(bob.clone()), Some(Contact { muted: true, ..bob.clone() }), "Bob is muted"),
            (Some(Contact { muted: true, ..bob.clone() }), Some(bob.clone()), "Bob is no longer muted"),
            (
                Some(bob.clone()),
                Some(Contact { alias: alias("Bobby"), blocked: true, verified: Some(1), ..bob.clone() }),
                "Bob is blocked, is verified and is called Bobby",
            ),
            (
                Some(Contact { alias: alias("Bobby"), ..bob.clone() }),
                Some(bob.clone()),
                "Bob no longer has an alias",
            ),
            (
                Some(bob.clone()),
                Some(Contact { name: Some(PeerName::new("Rob")), ..bob.clone() }),
                "Bob has the name Rob",
            ),
            (
                Some(bob.clone()),
                Some(Contact { addrs: vec!["127.0.0.1:5001".parse().unwrap()], ..bob.clone() }),
                "Bob has different addresses",
            ),
            (
                Some(Contact { verified: Some(1), ..bob.clone() }),
                Some(Contact { verified: Some(2), ..bob.clone() }),
                "Bob has a different verification date",
            ),
        ] {
            assert_eq!(sentence("Bob", before.as_ref(), after.as_ref()).as_deref(), Some(words));
        }
        assert_eq!(sentence("Bob", Some(&bob), Some(&bob)), None);
    }
}
