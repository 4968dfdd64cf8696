//! Goodbye.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{App, HANG_UP, Happening};
use crate::chat::{ANSWER_WITHIN, Command, Event, OpId};
use crate::ui::Line;

/// Time for threads to end after the goodbyes are said, so that Exit takes at most two seconds in all.
const STOP_WITHIN: Duration = Duration::from_millis(100);

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
        let _ = self.screen.close(&lines);
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
        self.save_known();
        let _ = self.show();
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
