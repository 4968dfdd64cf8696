//! The talks that we have dialed and keep for what there will be to say.

use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ends;
use super::keeper::{Keeper, Kept, Then, Why};
use super::room::most_kept;
use crate::model::address::{PeerAddr, Source};
use crate::model::key::PublicKey;
use crate::model::name::PeerName;
use crate::model::session::ByeReason;
use crate::net::dialer::DIALER;
use crate::net::errand::Report;
use crate::net::secure::talk::{Dialed, End};

/// A goodbye may be noticed this much later, so that whoever says one thing after the other does not wake a thread each time.
const REST: Duration = Duration::from_millis(50);

/// Threads that look at what has come on kept connections, or close them: each is soon done.
const MAX_LOOKING: usize = 16;

/// What tells the chat.
pub(super) type Tell = dyn Fn(Report) + Send + Sync;

/// A talk that we have dialed.
pub(super) struct Line {
    pub(super) talk: Dialed,
    /// Where it leads to.
    pub(super) addr: PeerAddr,
    /// What we are called in the hello that was said on it.
    pub(super) name: PeerName,
}

/// The kept ones, one for each key.
pub(super) struct Lines {
    keeper: Keeper<Line>,
    tell: Arc<Tell>,
}

impl Lines {
    pub(super) fn new(tell: Arc<Tell>) -> Self {
        Self::with_most(most_kept(), tell)
    }

    pub(super) fn with_most(most: usize, tell: Arc<Tell>) -> Self {
        let told = Arc::clone(&tell);
        let attend = move |line: Line, why| attend(line, why, &*told);
        Self { keeper: Keeper::new((most, REST), (DIALER, MAX_LOOKING), attend), tell }
    }

    /// Keeps a talk on which everything was answered.
    pub(super) fn keep(&self, line: Line) {
        let mut line = line;
        if line.talk.has_more() {
            let Line { talk, addr, name } = line;
            let key = talk.peer();
            match talk.look() {
                Ok(talk) => line = Line { talk, addr, name },
                Err(end) => return self.tell_of(key, &end),
            }
        }
        self.keeper.keep(line);
    }

    /// The one with this key, if there is one.
    pub(super) fn take(&self, key: &PublicKey) -> Option<Line> {
        self.keeper.take(key)
    }

    /// Ends the one with this key, for this reason; that is not told.
    pub(super) fn part(&self, key: &PublicKey, bye: ByeReason) {
        self.keeper.part(key, bye);
    }

    /// Tells that one has ended.
    pub(super) fn tell_of(&self, key: PublicKey, end: &End) {
        tell_of(&*self.tell, key, end);
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> (usize, usize) {
        self.keeper.count()
    }

    /// Ends all of them, until `deadline`.
    pub(super) fn stop(&self, deadline: Instant) {
        self.keeper.stop(deadline).into_iter().for_each(|line| line.part(None));
    }
}

fn tell_of(tell: &Tell, key: PublicKey, end: &End) {
    log::debug!("the kept connection with {key} has ended: {end:?}");
    tell(Report::Ended { key, bye: ends::bye(end) });
}

/// Whatever comes on a talk on which nothing was asked ends it, and so does its time.
fn attend(Line { talk, addr, name }: Line, why: Why, tell: &Tell) -> Then<Line> {
    let key = talk.peer();
    match why {
        Why::Due => match talk.look() {
            Ok(talk) => return Then::Keep(Line { talk, addr, name }),
            Err(end) => tell_of(tell, key, &end),
        },
        Why::Displaced => {
            talk.part(None);
            tell_of(tell, key, &End::Over);
        }
        Why::Replaced => talk.part(None),
    }
    Then::Ended
}

impl Kept for Line {
    fn key(&self) -> PublicKey {
        self.talk.peer()
    }

    fn stream(&self) -> &Arc<TcpStream> {
        self.talk.channel().stream()
    }

    fn until(&self) -> Instant {
        self.talk.idle_at()
    }

    fn source(&self) -> Option<Source> {
        None
    }

    fn part(self, bye: Option<ByeReason>) {
        // Who has dialed need not say that nothing more was said.
        self.talk.part(bye.filter(|reason| *reason != ByeReason::Idle));
    }
}
