//! Texts that were not sent, for the user to send after all.

use std::collections::VecDeque;

use super::shown;
use crate::core::Target;
use crate::model::peer_id::Recipient;
use crate::ui::people::replace;

/// Unsent texts that are kept, at most. The oldest are dropped.
const MAX_KEPT: usize = 16;

/// An unsent text. One that was typed at the menu has no recipient yet.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Kept {
    to: Option<Target>,
    text: String,
}

/// The texts, the newest last.
#[derive(Clone, Debug, Default)]
pub(super) struct KeptTexts(VecDeque<Kept>);

impl KeptTexts {
    /// Keeps a text; if there are too many, the oldest goes, and a sentence says so.
    pub(super) fn keep(&mut self, to: Option<Target>, text: String) -> Option<String> {
        self.0.push_back(Kept { to, text });
        let dropped = if self.0.len() > MAX_KEPT { self.0.pop_front() } else { None };
        dropped.map(|oldest| {
            format!("More than {MAX_KEPT} texts are kept, so the oldest is dropped: {}", shown(&oldest.text))
        })
    }

    /// Replaces a recipient of the kept texts.
    pub(super) fn replace(&mut self, from: Recipient, to: Recipient) {
        let targets = self.0.iter_mut().filter_map(|kept| kept.to.as_mut());
        targets.for_each(|target| replace(target, from, to));
    }

    /// A recipient is gone: the texts kept for it are for another that the user chooses.
    pub(super) fn release(&mut self, gone: Recipient) {
        let is_for_it = |to: &Option<Target>| *to == Some(Target::These(vec![gone]));
        self.0.iter_mut().filter(|kept| is_for_it(&kept.to)).for_each(|kept| kept.to = None);
    }

    fn place(&self, to: &Target) -> Option<usize> {
        self.0.iter().rposition(|kept| kept.to.as_ref().is_none_or(|target| target == to))
    }

    /// Returns the newest text for this recipient, or without one.
    pub(super) fn newest_for(&self, to: &Target) -> Option<&str> {
        self.place(to).map(|at| self.0[at].text.as_str())
    }

    /// The same, taken out.
    pub(super) fn take_newest_for(&mut self, to: &Target) -> Option<String> {
        self.place(to).and_then(|at| self.0.remove(at)).map(|kept| kept.text)
    }
}
