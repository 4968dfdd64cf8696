//! The lines about introductions. Pure.

use super::trust::beginning;
use super::voice::Voice;
use crate::core::IntroductionNews;
use crate::model::name::folded;
use crate::tui::style::{Ink, Line};

/// Returns the line about an introduction.
pub(super) fn line(news: &IntroductionNews, voice: &Voice<'_>) -> Line {
    match news {
        IntroductionNews::Introduced { by, key, name } => {
            let id = (*key).into();
            let (who, word) = match voice.labels.known(id) {
                Some(label) => (label, beginning(*key)),
                None if voice.labels.is_free(id, &folded(name.as_str())) => {
                    (name.to_string(), folded(name.as_str()))
                }
                // Another peer has the name.
                None => (format!("another {name}"), beginning(*key)),
            };
            let key = key.short();
            let rest = format!(" introduces {who} (key {key}): /accept {word} or /ignore {word}");
            voice.about(by, voice.named(by), rest)
        }
        IntroductionNews::Asked(one, other) => {
            let (one, other) = (voice.word_for(one), voice.word_for(other));
            let line = format!(
                "Asked {one} and {other}, who see it if you are their contact. When one accepts, the other \
                 gets their contact card."
            );
            line.into()
        }
        IntroductionNews::TooMany(who) => {
            let line = format!(
                "{} has had 20 introductions from you today; try again tomorrow.",
                voice.word_for(who)
            );
            Line::of(Ink::Bad, line)
        }
        IntroductionNews::Accepted { by, name, waits } => {
            let by = voice.word_for(by);
            let then = if *waits {
                format!(" {name} becomes a contact when they accept too.")
            } else {
                String::new()
            };
            format!("{by} passes your contact card on to {name}.{then}").into()
        }
        IntroductionNews::Ignored(name) => {
            format!("Ignored {name}. Introductions of this key are no longer shown.").into()
        }
        IntroductionNews::PassedOn { from, to } => {
            let (from, to) = (voice.word_for(from), voice.word_for(to));
            voice.notice(format!("{from} accepted the introduction; {to} gets their contact card."))
        }
        IntroductionNews::NotThere => {
            Line::of(Ink::Bad, "There is no such introduction; /requests lists them.")
        }
    }
}
