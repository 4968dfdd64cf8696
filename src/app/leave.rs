//! Goodbye.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{App, HANG_UP, Happening};
use crate::core::{ANSWER_WITHIN, Command, Event, OpId};
use crate::ui::{Ink, Line};

/// Texts that are named one by one where no receipt came for them; the rest is counted.
const MAX_NAMED: usize = 20;

/// Time for threads to end after the goodbyes are said, so that Exit takes at most two seconds in all.
const STOP_WITHIN: Duration = Duration::from_millis(100);

/// What to say of texts without a receipt.
#[derive(Default)]
pub(super) struct Undelivered {
    named: Vec<Line>,
    more: usize,
}

impl Undelivered {
    pub(super) fn add(&mut self, lines: Vec<Line>) {
        if self.named.len() < MAX_NAMED {
            self.named.extend(lines);
        } else {
            self.more += 1;
        }
    }

    /// The lines, once.
    fn take(&mut self) -> Vec<Line> {
        let Self { named: mut lines, more } = std::mem::take(self);
        if more > 0 {
            lines.push(Line::of(Ink::Bad, format!("And no receipt came for {more} more.")));
        }
        lines
    }
}

/// Time for the disk to take what is still to be written; one that takes longer has stopped, and what is written says enough.
const WRITE_WITHIN: Duration = Duration::from_millis(1_500);

impl App {
    /// Says goodbye to everybody and ends, within two seconds, or at once if somebody asks a second time.
    pub(super) fn leave(mut self) {
        let deadline = Instant::now() + ANSWER_WITHIN;
        // Last lines are written as any program in the background may.
        self.away = false;
        let there = self.node.here();
        let mut lines = std::mem::take(&mut self.out);
        if there > 0 {
            let peers = if there == 1 { "peer" } else { "peers" };
            lines.push(Line::from(format!("Saying goodbye to {there} {peers}.")));
        }
        // Standard output may be gone, which is no reason not to say goodbye.
        let shown = std::mem::take(&mut self.shown);
        if self.screen.close(&lines).is_ok() {
            self.node.shown(shown);
        }
        let goodbye = self.node.command(Command::Leave);
        let rest = std::mem::take(&mut self.rest);
        self.last_happenings(rest, goodbye);
        loop {
            let happenings = self.queue.take(Some(deadline));
            if happenings.is_empty() || Instant::now() >= deadline {
                self.rest = happenings;
                break;
            }
            let over = self.last_happenings(happenings, goodbye);
            let _ = self.show();
            if over {
                break;
            }
        }
        let late = std::mem::take(&mut self.rest);
        self.last_happenings(late, goodbye);
        // What was acknowledged until now is shown; what comes later is not acknowledged.
        self.node.close();
        let rest = self.queue.take(Some(Instant::now()));
        self.last_happenings(rest, goodbye);
        let _ = self.show();
        self.node.stop(Instant::now() + STOP_WITHIN);
        // What could not be sent any more has failed.
        let rest = self.queue.take(Some(Instant::now()));
        self.last_happenings(rest, goodbye);
        self.note_contacts();
        self.save_contacts_at_last();
        let undelivered = self.undelivered.take();
        self.out.extend(undelivered);
        let _ = self.show();
        // What has been shown is written down as such.
        self.node.write_out(Instant::now() + WRITE_WITHIN);
    }

    /// Takes what happens while leaving; says whether it is time to go.
    fn last_happenings(&mut self, happenings: VecDeque<Happening>, goodbye: OpId) -> bool {
        let mut over = false;
        for happening in happenings {
            match happening {
                Happening::Chat(Event::Settled(op)) if op == goodbye => over = true,
                Happening::Chat(event) => self.event(&event),
                // A window that closes ends the input as well, and may be noticed twice; that is nobody's impatience.
                Happening::Signal(signal) => over |= signal != HANG_UP,
                Happening::Input(_) | Happening::Continued(_) => {}
            }
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_texts_without_a_receipt_the_first_are_named_and_the_rest_is_counted() {
        let mut undelivered = Undelivered::default();
        (0..MAX_NAMED + 3).for_each(|number| undelivered.add(vec![format!("text {number}").into()]));
        let lines = undelivered.take();
        assert_eq!(lines.len(), MAX_NAMED + 1);
        assert_eq!(lines[0].to_string(), "text 0");
        assert_eq!(lines[MAX_NAMED].to_string(), "And no receipt came for 3 more.");
        assert!(undelivered.take().is_empty());
    }
}
