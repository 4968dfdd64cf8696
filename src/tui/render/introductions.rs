//! The lines about introductions. Pure.

use super::renderer::Renderer;
use super::trust::beginning;
use crate::core::{IntroductionNews, MadeIntroduction, PeerInfo};
use crate::model::name::{PeerName, folded};
use crate::tui::style::{Ink, Line};

pub(super) fn line(news: &IntroductionNews, renderer: &Renderer<'_>) -> Line {
    match news {
        IntroductionNews::Introduced { by, key, name } => {
            let id = (*key).into();
            let (who, word) = match renderer.labels.known(id) {
                // It is online, and has no suffix.
                Some(label) if label == name.as_str() => (label, folded(name.as_str())),
                Some(label) => (label, beginning(*key)),
                None if renderer.labels.may_be_plain(id, name) => (name.to_string(), folded(name.as_str())),
                // Another peer has the name.
                None => (format!("another {name}"), beginning(*key)),
            };
            let key = key.short();
            let rest = format!(" introduces {who} (key {key}): /accept {word} or /ignore {word}");
            renderer.about(by, renderer.named(by), rest)
        }
        IntroductionNews::Asked { is_new, asked, later, accepted } => {
            let names = |whom: &[PeerInfo]| -> Option<String> {
                let names: Vec<String> = whom.iter().map(|who| renderer.word_for(who)).collect();
                (!names.is_empty()).then(|| names.join(" and "))
            };
            let again = if *is_new { "" } else { " again" };
            let is_two = |whom: &[PeerInfo]| whom.len() > 1;
            let has = if is_two(accepted) { "have" } else { "has" };
            let sentences = [
                names(asked).map(|names| format!("Asked {names}{again}.")),
                names(later).map(|names| format!("{names} will be asked when they are online.")),
                names(accepted).map(|names| format!("{names} {has} already accepted.")),
                is_new.then(|| {
                    "Each sees it only if you are their contact. When one accepts, the other gets their contact card."
                        .to_owned()
                }),
            ];
            sentences.into_iter().flatten().collect::<Vec<_>>().join(" ").into()
        }
        IntroductionNews::TooMany(who) => {
            let line = format!(
                "{} has had 20 introductions from you today; try again tomorrow.",
                renderer.word_for(who)
            );
            Line::of(Ink::Bad, line)
        }
        IntroductionNews::Accepted { by, name, later, waits } => {
            let by = renderer.word_for(by);
            let then = if *waits {
                format!(" {name} becomes a contact when they accept too.")
            } else {
                String::new()
            };
            let passes = if *later {
                format!("{by} is offline. When they are back, they get your contact card for {name}.")
            } else {
                format!("{by} passes your contact card on to {name}.")
            };
            format!("{passes}{then}").into()
        }
        IntroductionNews::Ignored(name) => format!(
            "Ignored {name}. Introductions of this key are no longer shown. /accept {} undoes this within \
                 7 days.",
            folded(name.as_str())
        )
        .into(),
        IntroductionNews::PassedOn { from, to } => {
            let (from, to) = (renderer.word_for(from), renderer.word_for(to));
            renderer.notice(format!("{from} accepted the introduction; {to} gets their contact card."))
        }
        IntroductionNews::NotThere => {
            Line::of(Ink::Bad, "There is no such introduction; /requests lists those that are waiting.")
        }
    }
}

/// Returns the line about an introduction that the user made and that waits. `who` are its two
/// contacts.
pub(crate) fn made_line(made: &MadeIntroduction, who: &[PeerInfo; 2], renderer: &Renderer<'_>) -> Line {
    let names = who.each_ref().map(|who| renderer.word_for(who));
    let [one, other] = &names;
    let states = made.pair.iter().zip(&names).zip(names.iter().rev()).map(|((side, name), other)| {
        match (&side.card, side.asked, side.passed) {
            (_, false, _) => format!("{name} will be asked when they are online."),
            (None, true, _) => format!("{name} was asked."),
            (Some(_), true, true) => format!("{name} has accepted."),
            (Some(_), true, false) => {
                format!("{name} has accepted; {other} gets their contact card when {other} is online.")
            }
        }
    });
    format!("You introduced {one} and {other}. {}", states.collect::<Vec<_>>().join(" ")).into()
}

/// Returns the line about an introduction by a contact that the user has accepted.
pub(crate) fn awaited_line(name: &PeerName, by: &PeerInfo, renderer: &Renderer<'_>) -> Line {
    let by = renderer.word_for(by);
    format!("You accepted an introduction of {name} by {by}. {name} becomes a contact when they accept too.")
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{IntroducedContact, Verification};
    use crate::protocol::session::ContactCard;
    use crate::tui::examples::{key, on_terminal, peer};
    use crate::tui::labels::{Labels, Standing};

    fn contact(name: &str, n: u8) -> PeerInfo {
        PeerInfo { verification: Verification::Encrypted, ..peer(name, key(n).into()) }
    }

    fn with_voice(tell: impl FnOnce(&Renderer<'_>) -> Line) -> String {
        let mut labels = Labels::default();
        for (name, n) in [("Bob", 1), ("Carol", 2)] {
            labels.meet(&contact(name, n), |_| Standing::Contact);
        }
        tell(&on_terminal(&labels)).to_string()
    }

    #[test]
    fn line_says_who_is_asked_and_who_accepted() {
        let [bob, carol] = [contact("Bob", 1), contact("Carol", 2)];
        let both = || vec![bob.clone(), carol.clone()];
        let (one, other) = (|| vec![bob.clone()], || vec![carol.clone()]);
        for (is_new, asked, later, accepted, words) in [
            (true, both(), vec![], vec![], "Asked Bob and Carol. Each sees it only if"),
            (
                true,
                vec![],
                both(),
                vec![],
                "Bob and Carol will be asked when they are online. Each sees it only if",
            ),
            (false, both(), vec![], vec![], "Asked Bob and Carol again."),
            (false, one(), vec![], other(), "Asked Bob again. Carol has already accepted."),
            (
                false,
                vec![],
                one(),
                other(),
                "Bob will be asked when they are online. Carol has already accepted.",
            ),
            (false, vec![], vec![], both(), "Bob and Carol have already accepted."),
        ] {
            let news = IntroductionNews::Asked { is_new, asked, later, accepted };
            let told = with_voice(|renderer| line(&news, renderer));
            assert!(if is_new { told.starts_with(words) } else { told == words }, "{told}");
        }
    }

    #[test]
    fn listed_introduction_says_what_is_missing() {
        let [bob, carol] = [contact("Bob", 1), contact("Carol", 2)];
        let card = ContactCard::unsigned(key(2), key(1), &PeerName::new("Bob"), 0, &[]);
        let side = |n, asked, has_card: bool, passed| IntroducedContact {
            key: key(n),
            asked,
            card: has_card.then(|| Box::new(card.clone())),
            passed,
        };
        for (one, other, words) in [
            (
                side(1, true, false, false),
                side(2, false, false, false),
                "Bob was asked. Carol will be asked when",
            ),
            (side(1, true, true, true), side(2, true, false, false), "Bob has accepted. Carol was asked."),
            (
                side(1, true, true, false),
                side(2, true, true, true),
                "Bob has accepted; Carol gets their contact card when Carol is online. Carol has accepted.",
            ),
        ] {
            let made = MadeIntroduction { pair: [one, other], since: 0 };
            let who = [bob.clone(), carol.clone()];
            let told = with_voice(|renderer| made_line(&made, &who, renderer));
            assert!(told.starts_with(&format!("You introduced Bob and Carol. {words}")), "{told}");
        }
    }
}
