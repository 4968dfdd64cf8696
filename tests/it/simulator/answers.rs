//! The side that is dialed in an encrypted talk: what reaches it, and what it answers.

use std::time::Duration;

use p2p_chat::core::SessionUp;
use p2p_chat::model::key::PublicKey;
use p2p_chat::model::session::{ByeReason, RequestEnd};

use super::messages::Turn;
use super::ours::Cause;
use super::peer::Pid;
use super::talks::{Content, Packet, Step};
use super::world::{Event, World};

/// How often lost bytes are sent again, a second apart.
const MAX_TRIES: usize = 30;

impl World {
    /// Something reaches the side that was dialed.
    pub(super) fn packet_arrives(&mut self, mut packet: Packet) {
        let Packet { talk, from, to, key, .. } = packet;
        let apart = self.separated(self.processes[from].host, self.processes[to].host);
        if apart || self.processes[to].stopped.is_some() {
            packet.tries += 1;
            if packet.tries < MAX_TRIES {
                self.later(Duration::from_secs(1), Event::Packet(packet));
            }
            return;
        }
        let step = if self.processes[to].alive {
            self.takes_packet(talk, to, key, packet.what)
        } else {
            Some(Step::Breaks)
        };
        if let Some(step) = step {
            self.answers(to, talk, step);
        }
    }

    /// The side that was dialed answers.
    pub(super) fn answers(&mut self, to: Pid, talk: (u64, u64), step: Step) {
        let latency = self.latency();
        let is_hello = self.talking.get(&talk.0).is_some_and(|talking| talking.with.is_none());
        let breaks = self.random.in_thousand(self.plan.broken);
        let step = match step {
            // The answer is lost with the connection.
            _ if breaks && is_hello => Step::Missed(self.key_of(to), RequestEnd::Broken),
            Step::Breaks if is_hello => Step::Missed(self.key_of(to), RequestEnd::Broken),
            _ if breaks => Step::Breaks,
            step => step,
        };
        self.later(latency, Event::Talk(talk.0, talk.1, step));
    }

    /// The side that was dialed takes what came, and says what it answers.
    fn takes_packet(&mut self, talk: (u64, u64), to: Pid, key: PublicKey, what: Content) -> Option<Step> {
        let own = self.key_of(to)?;
        match what {
            Content::Hello(source, hello) => {
                let addr = source.at(hello.port)?;
                self.learn_if_own(to, addr.ip(), addr.port());
                let env = self.moment();
                let up = SessionUp { key, hello: Some(hello), addr, source, dialed: false };
                self.ours_mut(to).may_dial.insert(addr);
                let (welcome, _) =
                    self.with_state(to, Cause::Met, |state, now| state.session_up(None, up, env, now));
                if welcome.is_ok() {
                    self.ours_mut(to).missed.remove(&addr);
                    self.note_sign(to, key);
                }
                self.turn_over(to);
                Some(match welcome {
                    Ok(()) => Step::Opened(to, own, self.introduction(to)),
                    Err(why) => {
                        self.count(format!("not welcome: {why:?}"));
                        Step::Missed(Some(own), RequestEnd::Bye(why))
                    }
                })
            }
            Content::Ping => {
                self.note_sign(to, key);
                self.with_state(to, Cause::Met, |state, now| ((), state.session_alive(key, now)));
                self.turn_over(to);
                Some(Step::Answered(Vec::new(), None))
            }
            Content::Texts(mut messages) => {
                let all = messages.len();
                if self.random.in_thousand(self.plan.full) {
                    // No room in the mailbox for all of them, or for any.
                    messages.truncate(self.random.below(all));
                    self.count("turn: no room for all");
                }
                self.takes_letters(to, Turn { key, messages, receipts: Vec::new(), all, talk });
                None
            }
            Content::Bye => {
                self.talk_is_over(to, key, Some(ByeReason::Leaves));
                None
            }
            Content::End(bye) => {
                self.talk_is_over(to, key, bye);
                None
            }
        }
    }
}
