//! What holds at every minute of the day, and in every hour.

use super::*;

/// Looks at one peer in an hour: one in fifteen seconds while it is well, ...
const LOOKS_AN_HOUR: usize = 240;

/// ... some more whenever it came or went: until that is believed, and until back-off has slowed
/// them down to one a minute, ...
const LOOKS_A_TURN: usize = 20;

/// ... and two for each time that the user wanted to know.
const LOOKS_A_REQUEST: usize = 2;

/// After this long a peer that is not there is not believed to be: the interval, the time it may
/// stay without an answer, and two looks.
pub(super) const BELIEVED_GONE_WITHIN: Duration = Duration::from_secs(30);

/// After this long a static peer that is there is found: the longest back-off, and two looks.
const FOUND_WITHIN: Duration = Duration::from_secs(65);

/// Everything that is under way or remembered at any time: texts and looks, a few for each who was
/// there in the last quarter of an hour.
const MOST_JOBS: usize = 400;

impl Soak {
    /// What holds at every minute: the table tells the truth, and nothing piles up.
    pub(super) fn audit(&mut self) {
        let now = self.story.now;
        let state = &self.story.state;
        for row in state.rows(now) {
            let Some(soul) = row.addr.and_then(|addr| self.souls.get(&addr.port())) else { continue };
            let for_long = now.since(soul.since);
            if row.state != PresenceStatus::Offline {
                assert!(
                    soul.being == Being::Up || for_long < BELIEVED_GONE_WITHIN,
                    "at {now:?} {row:?} is believed there, and is {:?} for {for_long:?}",
                    soul.being
                );
            } else if row.origin == PeerOrigin::Static && soul.being == Being::Up {
                let parted =
                    matches!(row.why, Some(OfflineReason::SaidGoodbye | OfflineReason::Disconnected));
                assert!(parted || for_long < FOUND_WITHIN, "at {now:?} {row:?} is up for {for_long:?}");
            }
        }
        // A peer that is gone is shown for ten minutes; strangers are at most four in the minute or
        // so between two visits.
        let most = STATICS + REGULARS + 4 * 12 * 60;
        assert!(state.peers.len() <= most, "{} rows", state.peers.len());
        assert!(state.jobs.len() <= MOST_JOBS && state.operations.len() <= 8, "{} jobs", state.jobs.len());
        assert!(state.probe_limiter.under_way() <= MOST_JOBS && state.outputs.is_empty());
        if now.since_start().as_secs().is_multiple_of(3_600) {
            self.end_hour();
        }
    }

    /// Checks that no peer was dialed too often in the last hour.
    fn end_hour(&mut self) {
        for (port, soul) in &mut self.souls {
            let turns: usize = soul.turns.iter().sum();
            let most = LOOKS_AN_HOUR + LOOKS_A_TURN * turns + LOOKS_A_REQUEST * self.requests;
            let looks = self.looks.get(port).copied().unwrap_or(0);
            assert!(looks <= most, "port {port} was dialed {looks} times in an hour with {turns} turns");
            soul.turns = [0, soul.turns[0]];
        }
        self.looks.clear();
        self.requests = 0;
    }
}
