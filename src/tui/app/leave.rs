//! Leaving: says goodbye to all peers and ends the program.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{App, AppEvent, HANG_UP};
use crate::core::{ANSWER_WITHIN, Command, Event, OpId};
use crate::tui::{Line, counted};

/// Time for threads to end after the goodbyes, so that Exit takes at most two seconds in all.
const STOP_WITHIN: Duration = Duration::from_millis(100);

/// Time for the last writes to the disk. A slower disk counts as hanging. What is stored by then is
/// consistent.
const WRITE_WITHIN: Duration = Duration::from_millis(1_500);

impl App {
    /// Says goodbye to all peers and ends, within two seconds, or at once if the user asks again.
    /// Returns whether a line of a script could not be carried out.
    pub(super) fn leave(mut self) -> bool {
        let deadline = Instant::now() + ANSWER_WITHIN;
        // The last lines are printed even in the background.
        self.away = false;
        let there = self.node.online_count();
        let mut lines = std::mem::take(&mut self.out);
        if there > 0 {
            lines.push(Line::from(format!("Disconnecting from {}.", counted(there, "peer"))));
        }
        // Without standard output the goodbyes are still sent.
        let shown = std::mem::take(&mut self.shown);
        if self.screen.close(&lines).is_ok() {
            self.node.shown(shown);
        }
        let goodbye = self.node.command(Command::Leave);
        let rest = std::mem::take(&mut self.rest);
        self.last_events(rest, goodbye);
        loop {
            let events = self.queue.take(Some(deadline));
            if events.is_empty() || Instant::now() >= deadline {
                self.rest = events;
                break;
            }
            let over = self.last_events(events, goodbye);
            let _ = self.show();
            if over {
                break;
            }
        }
        let late = std::mem::take(&mut self.rest);
        self.last_events(late, goodbye);
        // Messages acknowledged until now are shown. Later ones are not acknowledged.
        self.node.close();
        let rest = self.queue.take(Some(Instant::now()));
        self.last_events(rest, goodbye);
        let _ = self.show();
        self.node.stop(Instant::now() + STOP_WITHIN);
        // Messages that could not be sent in time have failed.
        let rest = self.queue.take(Some(Instant::now()));
        self.last_events(rest, goodbye);
        self.note_contacts();
        self.save_contacts_at_last();
        self.save_introductions_at_last();
        let undelivered = std::mem::take(&mut self.undelivered);
        self.list(undelivered);
        let _ = self.show();
        // Stores which messages were shown.
        self.node.write_out(Instant::now() + WRITE_WITHIN);
        self.failed
    }

    /// Handles events while leaving. Returns whether to end now.
    fn last_events(&mut self, events: VecDeque<AppEvent>, goodbye: OpId) -> bool {
        let mut over = false;
        for event in events {
            match event {
                AppEvent::Core(Event::Settled(op)) if op == goodbye => over = true,
                AppEvent::Core(event) => self.event(&event),
                // A closing window also ends the input. That is not a second request of the user.
                AppEvent::Signal(signal) => over |= signal != HANG_UP,
                AppEvent::Input(_) | AppEvent::Continued(_) => {}
            }
        }
        over
    }
}
