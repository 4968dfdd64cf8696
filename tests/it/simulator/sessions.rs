//! The sessions of one process: the real `Pool`, connected to the machine as
//! src/runtime/sessions.rs does it, without a thread and without a socket.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use p2p_chat::core::{
    Env, IntroductionPart, Jitter, JobId, PresenceStatus, RequestEnded, SessionRequest, Time,
};
use p2p_chat::model::address::{PeerAddr, Source};
use p2p_chat::model::key::PublicKey;
use p2p_chat::model::message::MessageId;
use p2p_chat::model::name::PeerName;
use p2p_chat::model::peer_id::Recipient;
use p2p_chat::model::session::{ByeReason, Message, RequestEnd};
use p2p_chat::net::sessions::{LinkId, LinkOutput, Opened, Pool, SessionCommand, SessionHandler};
use p2p_chat::protocol::session::Hello;

use super::ours::{Cause, Stored};
use super::peer::{Pid, Program};
use super::wires::WireEnd;
use super::world::{Event, World};

/// Turns of the pool in one second: fifty while messages wait for room, and a few for each address.
const TURNS: usize = 100;
const TURNS_PER_PEER: usize = 16;

/// A request under way.
pub(super) struct Asked {
    pub(super) request: SessionRequest,
    /// The address of the session that was found for it.
    pub(super) met: Option<PeerAddr>,
}

/// The sessions of a process.
pub(super) struct Sessions {
    /// Absent during its turn.
    pool: Option<Pool>,
    pub(super) orders: VecDeque<SessionCommand>,
    pub(super) asked: BTreeMap<JobId, Asked>,
    /// The connection of each link.
    pub(super) wires: BTreeMap<LinkId, WireEnd>,
    wakes_at: Option<Duration>,
    turns: VecDeque<Duration>,
    /// When the process last went on after a stop.
    pub(super) continued_at: Duration,
}

impl Sessions {
    /// `run` is the number of no other process.
    pub(super) fn new(own: PublicKey, run: u64, now: Duration) -> Self {
        Self {
            pool: Some(Pool::new(own, run)),
            orders: VecDeque::new(),
            asked: BTreeMap::new(),
            wires: BTreeMap::new(),
            wakes_at: None,
            turns: VecDeque::new(),
            continued_at: now,
        }
    }

    pub(super) fn pool(&self) -> &Pool {
        self.pool.as_ref().expect("the pool is not in its turn")
    }
}

impl World {
    pub(super) fn key_of(&self, pid: Pid) -> Option<PublicKey> {
        match &self.processes[pid].program {
            Program::Ours(ours) => Some(ours.keyed.key),
            Program::Legacy(_) => None,
        }
    }

    pub(super) fn moment(&mut self) -> Env {
        let jitter = Jitter(u8::try_from(self.random.below(256)).expect("a byte"));
        Env { date: 1_800_000_000 + self.now.as_secs(), jitter }
    }

    pub(super) fn sessions(&self, pid: Pid) -> &Sessions {
        &self.ours(pid).keyed.sessions
    }

    pub(super) fn sessions_mut(&mut self, pid: Pid) -> &mut Sessions {
        &mut self.ours_mut(pid).keyed.sessions
    }

    /// Gives the pool of a process a turn, and carries out its outputs.
    pub(super) fn with_pool<T>(
        &mut self,
        pid: Pid,
        act: impl FnOnce(&mut Pool, Time, &mut dyn SessionHandler) -> T,
    ) -> T {
        let (result, mut outputs) = self.pool_acts(pid, act);
        while !outputs.is_empty() {
            let mut sent = Vec::new();
            for output in outputs {
                self.trace.note(format_args!("{:?} {pid} {output:?}", self.now));
                if let LinkOutput::Send(link, bytes) = &output {
                    sent.push((*link, bytes.len()));
                }
                self.link_output(pid, output);
            }
            // The system takes all bytes at once.
            (_, outputs) = self.pool_acts(pid, |pool, now, handler| {
                sent.into_iter().for_each(|(link, count)| pool.sent(link, count, now, handler));
            });
        }
        result
    }

    /// Gives the pool of a process a turn. Returns its outputs, too.
    fn pool_acts<T>(
        &mut self,
        pid: Pid,
        act: impl FnOnce(&mut Pool, Time, &mut dyn SessionHandler) -> T,
    ) -> (T, Vec<LinkOutput>) {
        let now = self.ours(pid).time(self.now);
        let mut pool = self.sessions_mut(pid).pool.take().expect("the pool is not in its turn");
        let result = act(&mut pool, now, &mut ToMachine { world: self, pid });
        let outputs = pool.take_outputs();
        self.sessions_mut(pid).pool = Some(pool);
        (result, outputs)
    }

    /// Gives the pool what waits for it, and schedules its next turn.
    pub(super) fn serve_sessions(&mut self, pid: Pid) {
        while let Some(order) = self.sessions_mut(pid).orders.pop_front() {
            self.with_pool(pid, |pool, now, handler| pool.command(order, now, handler));
        }
        let now = self.now;
        let born = self.ours(pid).born;
        let sessions = self.sessions_mut(pid);
        let Some(due) = sessions.pool().next_wake() else { return };
        // The event loop sleeps a millisecond longer.
        let at = (born + due.since_start()).max(now) + Duration::from_millis(1);
        if sessions.wakes_at.is_none_or(|sooner| at < sooner) {
            sessions.wakes_at = Some(at);
            self.later(at - now, Event::PoolWakes(pid));
        }
    }

    pub(super) fn pool_wakes(&mut self, pid: Pid) {
        let now = self.now;
        if !self.processes[pid].alive || self.processes[pid].stopped.is_some() {
            return;
        }
        let sessions = self.sessions_mut(pid);
        if sessions.wakes_at.is_none_or(|at| at > now) {
            return;
        }
        sessions.wakes_at = None;
        sessions.turns.push_back(now);
        while sessions.turns.front().is_some_and(|at| *at + Duration::from_secs(1) < now) {
            sessions.turns.pop_front();
        }
        let (turns, most) =
            (sessions.turns.len(), TURNS + TURNS_PER_PEER * (self.ours(pid).may_dial.len() + 1));
        if turns > most {
            self.fail(pid, format_args!("its pool had {turns} turns within a second"));
        }
        self.pool_ticks(pid);
    }

    fn pool_ticks(&mut self, pid: Pid) {
        self.with_pool(pid, |pool, now, handler| pool.tick(now, handler));
        let time = self.ours(pid).time(self.now);
        let due = self.sessions(pid).pool().next_wake();
        if due.is_some_and(|due| due <= time) {
            self.fail(pid, format_args!("after a tick of the pool something is due at {due:?}, at {time:?}"));
        }
        self.turn_over(pid);
    }

    /// A stopped process goes on, and first reads what arrived, as the event loop does.
    pub(super) fn sessions_continue(&mut self, pid: Pid) {
        let now = self.now;
        let sessions = self.sessions_mut(pid);
        (sessions.continued_at, sessions.wakes_at) = (now, None);
        let ends: Vec<WireEnd> = self.sessions(pid).wires.values().copied().collect();
        for end in ends {
            self.carried(end);
        }
        self.pool_ticks(pid);
    }

    /// Tells the pool which messages are stored.
    pub(super) fn answers(&mut self, pid: Pid, key: PublicKey, stored: Stored) {
        let Stored { link, receipts, others, retry_after } = stored;
        let own = self.key_of(pid).expect("who takes them has a key");
        if !receipts.is_empty() {
            self.note_sign(pid, key);
        }
        for id in &receipts {
            self.typed_mut(*id).taken.insert(own);
        }
        if !others.is_empty() {
            self.count("messages: not stored");
        }
        let command = SessionCommand::Stored { link, receipts, others, retry_after };
        self.sessions_mut(pid).orders.push_back(command);
    }

    /// Returns the presence in the list.
    pub(super) fn presence_of(&self, pid: Pid, key: PublicKey) -> Option<PresenceStatus> {
        self.rows(pid).iter().find(|row| row.id.public_key() == Some(key)).map(|row| row.state)
    }

    /// The user is told that its key is in use elsewhere, which is true only if it is.
    fn check_in_use(&self, pid: Pid, at: IpAddr) {
        let own = self.key_of(pid);
        let is_twin =
            |other: &Pid| *other != pid && self.processes[*other].alive && self.key_of(*other) == own;
        if !(0..self.processes.len()).any(|other| is_twin(&other)) {
            self.fail(pid, format_args!("is told that its key is in use at {at}"));
        }
    }

    /// The list changes at once when a session ends.
    fn check_down(&self, pid: Pid, key: PublicKey, bye: Option<ByeReason>) {
        let state = self.presence_of(pid, key);
        let is_wrong = match bye {
            None => matches!(state, Some(PresenceStatus::Connected | PresenceStatus::Online)),
            Some(ByeReason::Leaves) => state.is_some_and(|state| state != PresenceStatus::Offline),
            Some(_) => false,
        };
        if is_wrong {
            self.fail(pid, format_args!("lists {key} as {state:?} when its session is over: {bye:?}"));
        }
    }
}

/// Takes a step of the machine for each event of its sessions.
struct ToMachine<'a> {
    world: &'a mut World,
    pid: Pid,
}

impl SessionHandler for ToMachine<'_> {
    fn hello(&mut self, to: IpAddr) -> Hello {
        let ours = self.world.ours(self.pid);
        let hello = ours.machine.hello(to);
        match ours.claims {
            Some(port) => Hello { port, addresses: Vec::new(), ..hello },
            None => hello,
        }
    }

    fn is_own(&mut self, addr: PeerAddr) -> bool {
        self.world.ours(self.pid).machine.is_own(addr)
    }

    fn session_up(&mut self, opened: Opened) -> Result<(), ByeReason> {
        let Self { world, pid } = self;
        let pid = *pid;
        let (key, source, dialed) = (opened.key, opened.source, opened.dialed);
        let claimed = opened.hello.as_ref().and_then(|hello| source.at(hello.port));
        let addr = dialed.or(claimed);
        if let Some(asked) = opened.job.and_then(|job| world.sessions_mut(pid).asked.get_mut(&job)) {
            asked.met = addr;
        }
        let also = opened.hello.iter().flat_map(|hello| &hello.also);
        world.ours_mut(pid).may_dial.extend(addr.iter().chain(also));
        let env = world.moment();
        let (welcome, _) = world.step(pid, Cause::Met, |step| step.session_up(opened, env));
        match welcome {
            Ok(()) => {
                if let Some(addr) = addr {
                    world.ours_mut(pid).missed.remove(&addr);
                    // The row of the key may have taken the place of that of the address, with its
                    // own acknowledgements.
                    world.ours_mut(pid).acked.remove(&addr);
                }
                world.note_sign(pid, key);
            }
            Err(why) => world.count(format!("not welcome: {why:?}")),
        }
        welcome
    }

    fn session_alive(&mut self, key: PublicKey) {
        self.world.note_sign(self.pid, key);
        self.world.step(self.pid, Cause::Met, |step| step.session_alive(key));
    }

    fn messages(
        &mut self,
        link: LinkId,
        key: PublicKey,
        source: Source,
        messages: Vec<Message>,
    ) -> Result<(), Vec<Message>> {
        self.world.takes_messages(self.pid, (link, key), source, messages)
    }

    fn receipts(&mut self, key: PublicKey, ids: &[MessageId]) {
        self.world.check_receipts_came(self.pid, key, ids);
        self.world.note_sign(self.pid, key);
        self.world.step(self.pid, Cause::Sent, |step| step.receipts(key, ids));
    }

    fn session_down(&mut self, key: PublicKey, bye: Option<ByeReason>) {
        let Self { world, pid } = self;
        world.count(format!("session: ended: {bye:?}"));
        if bye == Some(ByeReason::Leaves) {
            world.keyed_mut(*pid).parted.insert(key);
        }
        world.step(*pid, Cause::Met, |step| step.session_down(key, bye));
        world.check_down(*pid, key, bye);
    }

    fn request_ended(&mut self, job: JobId, ended: RequestEnded) {
        let Self { world, pid } = self;
        let Some(asked) = world.sessions_mut(*pid).asked.remove(&job) else {
            world.fail(*pid, format_args!("{job:?} ended, and was not under way: {ended:?}"));
        };
        world.check_request_ended(*pid, &asked, &ended);
        if let (RequestEnd::Bye(ByeReason::Leaves), Some(key)) = (&ended.end, asked.request.expect) {
            world.keyed_mut(*pid).parted.insert(key);
        }
        let env = world.moment();
        world.step(*pid, Cause::Sent, |step| step.request_ended(job, ended, env));
    }

    fn renamed(&mut self, key: PublicKey, source: Source, name: PeerName, port: u16) {
        let env = self.world.moment();
        self.world.step(self.pid, Cause::Met, |step| step.renamed(key, source, name, port, env));
    }

    fn listens_at(&mut self, key: PublicKey, addrs: &[SocketAddr]) {
        let may_dial = addrs.iter().filter_map(|addr| Source::from(*addr).at(addr.port()));
        self.world.ours_mut(self.pid).may_dial.extend(may_dial);
        self.world.step(self.pid, Cause::Met, |step| step.listens_at(key, addrs));
    }

    fn identity_in_use(&mut self, key: PublicKey, at: IpAddr) {
        self.world.check_in_use(self.pid, at);
        self.world.step(self.pid, Cause::Met, |step| step.identity_in_use(key, at));
    }

    fn asks_to_verify(&mut self, key: PublicKey) {
        self.world.step(self.pid, Cause::Met, |step| step.asks_to_verify(key));
    }

    // No user of the simulator introduces anyone.
    fn introduced(&mut self, _: PublicKey, _: IntroductionPart) {}

    fn is_contact(&mut self, key: PublicKey) -> bool {
        self.world.ours(self.pid).state().book().is_contact(Recipient::key(key))
    }
}
