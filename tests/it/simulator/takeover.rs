//! Takeovers: one program leaves, and another starts at its address, while a message travels from
//! the prompt to its recipient. No other peer may ever show the message.
//!
//! Each world has Alice, who types at the real prompt, a victim, a contact called Carol, and an
//! adversary that gets the victim's address. The test plays all combinations: how Alice chose the
//! victim, who the adversary and the victim are, and when the adversary comes.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use p2p_chat::core::{Command, OpId, StaticPeer, Target};
use p2p_chat::model::delivery::{DeliveryStatus, FailureReason, PendingReason};
use p2p_chat::model::message::SendError;
use p2p_chat::model::peer_id::{PeerId, Recipient};

use super::keyed::{Meant, key_of_person};
use super::legacy::{Kind, Legacy};
use super::peer::{Past, Pid, Program};
use super::plan::Plan;
use super::prompt::Entered;
use super::script::SETTLED_WITHIN;
use super::world::World;
use super::{Counts, add, check_happened, number, or_name_the_seed, seconds};

/// Seeds of each combination in an ordinary test run.
const SEEDS: u64 = 1;

/// The machines of Alice, the victim, Carol and a stranger, and the one that the victim returns on.
const ALICE: usize = 0;
const VICTIM: usize = 1;
const CAROL: usize = 2;
const RETURN: usize = 4;

/// The port of all programs but Alice's, so that taking an address takes the port, too.
const PORT: u16 = 5_001;

/// The victim's name if it has a key.
const NAME: &str = "Dave";

/// How the user chooses the victim.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Surface {
    /// `@dave text`: looked up when Alice enters the line.
    Name,
    /// `/chat dave`, before the message.
    Conversation,
    /// `/reply text`, in a line that was begun before.
    Reply,
    /// The last recipient, which Enter requests.
    Last,
    /// `@2 text`, with the number that the list showed before.
    Number,
    /// `@10.0.0.2:5001 text`.
    Address,
}

const SURFACES: [Surface; 6] =
    [Surface::Name, Surface::Conversation, Surface::Reply, Surface::Last, Surface::Number, Surface::Address];

/// The peer that gets the victim's address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Adversary {
    /// Another contact, who moves.
    Contact,
    /// Another contact, with whom the victim swaps addresses.
    Swap,
    /// A new key.
    Stranger,
    /// A new key with the victim's name.
    Namesake,
    /// A legacy program.
    Legacy,
    /// A program whose receipts promise Carol's key.
    Spoofer,
    /// A key on the victim's machine that does not get the address, but claims it in its hello.
    Claimant,
}

const ADVERSARIES: [Adversary; 7] = [
    Adversary::Contact,
    Adversary::Swap,
    Adversary::Stranger,
    Adversary::Namesake,
    Adversary::Legacy,
    Adversary::Spoofer,
    Adversary::Claimant,
];

/// When the adversary comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Moment {
    /// While the message waits for the victim, who left
    Waiting,
    /// Between the choice of the victim and Enter.
    BeforeEnter,
    /// Between dialing and the hello.
    Dialing,
}

const MOMENTS: [Moment; 3] = [Moment::Waiting, Moment::BeforeEnter, Moment::Dialing];

/// The kind of peer that the user writes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Victim {
    Contact,
    Verified,
    /// Its key is in peers.toml.
    Configured,
    /// A key that has connected and that the user never wrote to.
    Stranger,
    Legacy,
    /// The first peer that proves itself at an address where no peer is yet.
    Unproven,
}

const VICTIMS: [Victim; 6] = [
    Victim::Contact,
    Victim::Verified,
    Victim::Configured,
    Victim::Stranger,
    Victim::Legacy,
    Victim::Unproven,
];

#[derive(Clone, Copy, Debug)]
struct Scene {
    surface: Surface,
    adversary: Adversary,
    moment: Moment,
    victim: Victim,
}

impl Scene {
    /// Whether the scene can be played: an unproven address has no name and no number, and has sent
    /// no message.
    fn is_possible(&self) -> bool {
        let by_address = matches!(self.surface, Surface::Address | Surface::Conversation | Surface::Last);
        self.victim != Victim::Unproven || by_address
    }
}

/// The world of a scene.
struct Stage {
    world: World,
    scene: Scene,
    alice: Pid,
    victim: Pid,
    carol: Pid,
    /// The row number of the victim, as the list showed it.
    number: u32,
}

impl Stage {
    fn new(seed: u64, scene: Scene) -> Self {
        let mut world = World::new(seed);
        world.plan = Plan { latency: (5, 60), disk: 10, ..Plan::still() };
        for n in 1..=5 {
            world.hosts.push((Ipv4Addr::new(10, 0, 0, n), 0));
        }
        let (alice, victim, carol) = (0, 1, 2);
        let mut stage = Self { world, scene, alice, victim, carol, number: 0 };
        let statics = if scene.victim == Victim::Configured {
            vec![StaticPeer { key: Some(key_of_person(2)), ..StaticPeer::at(stage.world.addr(VICTIM, PORT)) }]
        } else {
            Vec::new()
        };
        stage.starts_person(1, "Alice", ALICE, 5_000, statics);
        stage.world.opens_prompt(alice);
        if scene.victim == Victim::Legacy {
            stage.starts_legacy(Kind::CryptoKnights, VICTIM);
        } else if scene.victim == Victim::Unproven {
            // A peer without a part in this.
            stage.starts_person(5, "Zoe", RETURN, 5_060, Vec::new());
        } else {
            let statics = stage.alice_as_static();
            stage.starts_person(2, NAME, VICTIM, PORT, statics);
        }
        let statics = stage.alice_as_static();
        stage.starts_person(3, "Carol", CAROL, PORT, statics);
        stage.rests(seconds(2));
        stage.becomes_known();
        stage
    }

    fn rests(&mut self, time: Duration) {
        self.world.rests(time);
    }

    /// Lets a random time pass, chosen by the seed.
    fn rests_up_to(&mut self, most: Duration) {
        let most = usize::try_from(most.as_millis()).expect("some seconds");
        let time = self.world.random.ms(0, most);
        self.rests(time);
    }

    fn alice_as_static(&self) -> Vec<StaticPeer> {
        let addr = self.world.addr(ALICE, 5_000);
        vec![StaticPeer::at(addr)]
    }

    fn starts_person(
        &mut self,
        n: usize,
        name: &str,
        host: usize,
        port: u16,
        statics: Vec<StaticPeer>,
    ) -> Pid {
        let person = self.world.person(n, name, statics);
        self.starts(host, port, person)
    }

    fn starts(&mut self, host: usize, port: u16, past: Past) -> Pid {
        let pid = self.world.processes.len();
        self.world.launch(host, port, Some(past));
        pid
    }

    fn starts_legacy(&mut self, kind: Kind, host: usize) -> Pid {
        let pid = self.world.processes.len();
        let mut legacy = Legacy::new(kind, SocketAddrV4::new(self.world.hosts[host].0, PORT));
        if kind == Kind::Spoofer {
            legacy.promises = Some(key_of_person(3));
        }
        self.world.begins(host, PORT, Ipv4Addr::UNSPECIFIED, Program::Legacy(legacy));
        pid
    }

    /// A legacy program says something to Alice.
    fn legacy_says(&mut self, pid: Pid, text: &str) {
        let to = SocketAddrV4::new(self.world.hosts[ALICE].0, 5_000);
        let Program::Legacy(legacy) = &self.world.processes[pid].program else {
            panic!("it is no legacy program")
        };
        let line = legacy.line(text);
        self.world.legacy_dials(pid, to, line.into_bytes());
    }

    fn name(&self) -> String {
        match self.scene.victim {
            Victim::Legacy => "CryptoKnights".into(),
            Victim::Unproven => self.world.addr(VICTIM, PORT).to_string(),
            _ => NAME.into(),
        }
    }

    /// The identity of the victim.
    fn id(&self) -> Recipient {
        match self.scene.victim {
            Victim::Legacy => {
                let rows = self.world.rows(self.alice);
                let at = self.world.addr(VICTIM, PORT);
                let is_it = |id: &Recipient| id.public_key().is_none() && id.addr() == Some(at);
                rows.iter().map(|row| row.id).find(is_it).expect("the victim has a row")
            }
            Victim::Unproven => self.world.addr(VICTIM, PORT).into(),
            _ => Recipient::key(key_of_person(2)),
        }
    }

    /// Alice and the victim exchange messages.
    fn becomes_known(&mut self) {
        self.world.types("@Carol hi").expect("Carol is known");
        self.rests(seconds(1));
        if self.scene.victim == Victim::Unproven {
            return;
        }
        if self.scene.victim == Victim::Legacy {
            self.legacy_says(self.victim, "hello");
        } else {
            let text = self.world.new_token(self.victim);
            let to = Target::These(vec![key_of_person(1).into()]);
            self.world.sends_this(self.victim, to, &text);
        }
        self.rests(seconds(1));
        if !matches!(self.scene.victim, Victim::Configured | Victim::Stranger) {
            let line = format!("@{} hi", self.name());
            self.world.types(&line).expect("the victim is known");
            self.rests(seconds(1));
        }
        if self.scene.victim == Victim::Verified {
            let key = key_of_person(2);
            self.world.commands(self.alice, Command::Verify { key, date: 1 }, "a word", SETTLED_WITHIN);
        }
        let id = self.id();
        let rows = self.world.rows(self.alice);
        self.number =
            rows.iter().find(|row| row.id == id).map(|row| row.number).expect("the victim has a row");
        self.rests_up_to(seconds(40));
    }

    /// The user's steps before the takeover.
    fn chooses(&mut self) {
        match self.scene.surface {
            Surface::Name | Surface::Number | Surface::Address => {}
            Surface::Conversation => {
                let line = format!("/chat {}", self.name());
                assert!(self.world.types(&line).is_none());
            }
            Surface::Reply => self.world.begins_line(),
            Surface::Last => {
                let line = format!("@{}", self.name());
                assert!(self.world.types(&line).is_none());
                self.world.escapes();
            }
        }
    }

    /// Finishes the message; `None` if the prompt asks which peer the user means.
    fn enters(&mut self) -> Option<Entered> {
        let text = self.world.new_token(self.alice);
        match self.scene.surface {
            Surface::Name => self.world.types(&format!("@{} {text}", self.name())),
            Surface::Conversation => self.world.types(&text),
            Surface::Reply => self.world.types(&format!("/reply {text}")),
            Surface::Last => {
                ["1", ""].into_iter().for_each(|line| assert!(self.world.types(line).is_none()));
                self.world.types(&text)
            }
            Surface::Number => self.world.types(&format!("@{} {text}", self.number)),
            Surface::Address => {
                let to = self.world.addr(VICTIM, PORT);
                self.world.types(&format!("@{to} {text}"))
            }
        }
    }

    /// The victim's program ends, with a goodbye or without.
    fn victim_leaves(&mut self) {
        let stays = self.scene.adversary == Adversary::Claimant && self.scene.moment != Moment::Waiting;
        if self.scene.adversary == Adversary::Swap || self.scene.victim == Victim::Unproven || stays {
            return;
        }
        if self.scene.victim != Victim::Legacy && self.world.random.in_thousand(400) {
            self.world.leaves(self.victim);
            self.rests(seconds(3));
        } else if self.scene.victim == Victim::Legacy && self.world.random.in_thousand(300) {
            self.legacy_says(self.victim, "exit");
            self.rests(seconds(1));
        }
        self.world.kill(self.victim);
    }

    /// The adversary gets the victim's address.
    fn takes_over(&mut self) -> Pid {
        let keeps_address = matches!(self.scene.adversary, Adversary::Swap | Adversary::Claimant);
        if !keeps_address && self.scene.victim != Victim::Unproven {
            self.world.kill(self.victim);
        }
        let dials = self.world.random.in_thousand(600);
        let statics = if dials { self.alice_as_static() } else { Vec::new() };
        match self.scene.adversary {
            Adversary::Contact => {
                let mut past = self.world.ours(self.carol).past();
                past.statics = statics;
                self.world.kill(self.carol);
                self.starts(VICTIM, PORT, past)
            }
            Adversary::Swap => {
                self.swaps();
                self.carol
            }
            Adversary::Stranger => self.starts_person(4, "Eve", VICTIM, PORT, statics),
            Adversary::Namesake => {
                let name = if self.scene.victim == Victim::Legacy { "CryptoKnights" } else { NAME };
                self.starts_person(4, name, VICTIM, PORT, statics)
            }
            Adversary::Claimant => {
                let pid = if dials {
                    self.starts_person(4, "Eve", VICTIM, PORT + 1, Vec::new())
                } else {
                    let past = Past { statics: Vec::new(), ..self.world.ours(self.carol).past() };
                    self.world.kill(self.carol);
                    self.starts(VICTIM, PORT + 1, past)
                };
                self.world.ours_mut(pid).claims = Some(PORT);
                self.adversary_writes(pid);
                pid
            }
            Adversary::Legacy | Adversary::Spoofer => {
                let is_legacy = self.scene.adversary == Adversary::Legacy;
                let pid = self.starts_legacy(if is_legacy { Kind::Xyz } else { Kind::Spoofer }, VICTIM);
                if dials {
                    self.legacy_says(pid, "hello there");
                }
                pid
            }
        }
    }

    /// The adversary writes to Alice, so that it is the last who did.
    fn adversary_writes(&mut self, adversary: Pid) {
        if !self.world.processes[adversary].alive {
            return;
        }
        if self.world.key_of(adversary).is_none() {
            return self.legacy_says(adversary, "a word");
        }
        let text = self.world.new_token(adversary);
        let to = Target::These(vec![self.world.addr(ALICE, 5_000).into()]);
        self.world.sends_this(adversary, to, &text);
    }

    /// The machines of the victim and of Carol swap their addresses.
    fn swaps(&mut self) {
        let (one, other) = (self.world.hosts[VICTIM].0, self.world.hosts[CAROL].0);
        (self.world.hosts[VICTIM].0, self.world.hosts[CAROL].0) = (other, one);
        let both = [self.victim, self.carol];
        for pid in both {
            let ip = self.world.hosts[self.world.processes[pid].host].0;
            if let Program::Legacy(legacy) = &mut self.world.processes[pid].program {
                legacy.claim.set_ip(ip);
            }
            self.world.connections_break(pid);
            self.world.listened.extend(self.world.key_of(pid).map(|key| (ip, PORT, key)));
        }
        // No connection survives that, nor any connection attempt.
        self.rests(seconds(3));
        both.into_iter().for_each(|pid| self.world.connections_break(pid));
    }

    /// Kills Alice's program and starts it again.
    fn alice_restarts(&mut self) {
        // Lines that the user has not seen yet may be lost.
        self.rests(Duration::from_millis(100));
        let past = self.world.ours(self.alice).past();
        self.world.kill(self.alice);
        self.rests_up_to(seconds(5));
        self.alice = self.starts(ALICE, 5_000, past);
        self.world.opens_prompt(self.alice);
    }

    /// The victim comes back: a key at another address, where it dials Alice; a legacy program at
    /// its own.
    fn victim_returns(&mut self, adversary: Pid) -> Pid {
        let is_claimant = self.scene.adversary == Adversary::Claimant;
        if self.scene.victim == Victim::Unproven {
            if self.scene.adversary == Adversary::Swap {
                self.swaps();
            } else if !is_claimant {
                self.world.kill(adversary);
                self.rests_up_to(seconds(20));
            }
            return self.starts_person(2, NAME, VICTIM, PORT, Vec::new());
        }
        if is_claimant && self.world.processes[self.victim].alive {
            return self.victim;
        }
        if self.scene.victim != Victim::Legacy {
            if self.scene.adversary == Adversary::Swap {
                return self.victim;
            }
            let mut past = self.world.ours(self.victim).past();
            past.statics = self.alice_as_static();
            return self.starts(RETURN, 5_050, past);
        }
        if self.scene.adversary == Adversary::Swap {
            self.swaps();
        } else {
            if !is_claimant {
                self.world.kill(adversary);
            }
            self.rests_up_to(seconds(20));
            self.victim = self.starts_legacy(Kind::CryptoKnights, VICTIM);
        }
        self.legacy_says(self.victim, "hello again");
        self.victim
    }

    /// Plays the scene. Returns the message, if one was sent, and the victim's identity at the end.
    fn plays(&mut self) -> Option<(Entered, Pid)> {
        let (entered, adversary) = match self.scene.moment {
            Moment::Waiting => {
                self.chooses();
                if self.scene.adversary == Adversary::Swap {
                    // Neither has left; the network is down.
                    self.world.hosts[ALICE].1 = 1;
                }
                self.victim_leaves();
                self.rests_up_to(seconds(30));
                let entered = self.enters();
                self.rests_up_to(seconds(40));
                let restarts = self.world.random.in_thousand(250);
                if restarts {
                    self.alice_restarts();
                }
                let adversary = self.takes_over();
                self.world.unite();
                (entered, adversary)
            }
            Moment::BeforeEnter => {
                self.chooses();
                self.victim_leaves();
                if self.world.random.in_thousand(500) {
                    self.rests_up_to(seconds(25));
                }
                let adversary = self.takes_over();
                if self.world.random.in_thousand(700) {
                    self.rests_up_to(seconds(20));
                    self.adversary_writes(adversary);
                    self.rests_up_to(seconds(20));
                }
                (self.enters(), adversary)
            }
            Moment::Dialing => {
                self.chooses();
                // Neither side notices before the next message.
                self.world.connections_break_unnoticed(self.alice);
                let entered = self.enters();
                self.rests_up_to(Duration::from_millis(350));
                (entered, self.takes_over())
            }
        };
        self.rests(seconds(60));
        let entered = entered?;
        self.check_nobody_else(&entered);
        let victim = self.victim_returns(adversary);
        for _ in 0..4 {
            self.rests(seconds(30));
            if self.scene.victim == Victim::Legacy {
                self.legacy_says(victim, "it is me");
            }
        }
        self.rests(seconds(10));
        if self.waits(&entered) == Some(PendingReason::AnotherPeer) {
            // The prompt asks, because the peer at the address has changed its name.
            self.world.count("takeover: the user had to confirm");
            self.world.note_confirmed(entered.id);
            let again = Command::TryNow(entered.to, entered.id);
            self.world.commands(self.alice, again, "trying at once", SETTLED_WITHIN);
            self.rests(seconds(30));
        }
        Some((entered, victim))
    }

    /// All peers that have ever shown the message.
    fn shown_by(&self, entered: &Entered) -> BTreeSet<Pid> {
        let text = (key_of_person(1), entered.id);
        let screens =
            (0..self.world.processes.len()).filter_map(|pid| match &self.world.processes[pid].program {
                Program::Ours(_) => self.world.disk(pid).image.ledger.screens.get(&text),
                Program::Legacy(_) => None,
            });
        let encrypted = screens.flatten().copied();
        let of_it = self.world.said.values().filter(|said| said.message == Some(entered.id));
        encrypted.chain(of_it.flat_map(|said| said.shown.keys().copied())).collect()
    }

    /// No peer but the recipient has shown the message.
    fn check_nobody_else(&mut self, entered: &Entered) {
        let meant = self.world.typed[&entered.id].meant[0];
        for pid in self.shown_by(entered) {
            let is_meant = match (meant, self.world.key_of(pid)) {
                (Meant::Key(key) | Meant::Address(_, Some(Recipient::Peer(PeerId::Key(key)))), own) => {
                    own == Some(key)
                }
                (Meant::Legacy(_) | Meant::Address(..), None) => true,
                // It went out unencrypted before this key had proven itself there, which the world
                // checks.
                (Meant::Legacy(_) | Meant::Address(..), Some(_)) => {
                    self.world.count("takeover: an unknown key got what was for a legacy peer");
                    true
                }
            };
            if !is_meant {
                let scene = self.scene;
                self.world
                    .fail(pid, format_args!("shows {:?}, which is for {meant:?}: {scene:?}", entered.id));
            }
        }
    }

    /// The status of the message at the end.
    fn check_end(&mut self, entered: &Entered, victim: Pid) {
        self.check_nobody_else(entered);
        let shown = self.shown_by(entered);
        let waits = self.waits(entered);
        let meant = self.world.typed[&entered.id].meant[0];
        let outcomes: Vec<(Recipient, DeliveryStatus)> = self.outcomes(entered);
        let is_for_victim = match meant {
            Meant::Key(key) | Meant::Address(_, Some(Recipient::Peer(PeerId::Key(key)))) => {
                let is_other = |(who, status): &&(Recipient, DeliveryStatus)| {
                    *status == DeliveryStatus::Delivered && *who != Recipient::key(key)
                };
                if let Some(other) = outcomes.iter().find(is_other) {
                    self.fails(entered, format!("is reported as delivered to {other:?}"));
                }
                self.world.key_of(victim) == Some(key)
            }
            Meant::Legacy(_) => self.scene.victim == Victim::Legacy,
            Meant::Address(_, Some(_)) => false,
            Meant::Address(_, None) => true,
        };
        let is_said_to_arrive = outcomes
            .iter()
            .any(|(_, status)| matches!(status, DeliveryStatus::Delivered | DeliveryStatus::Sent));
        if is_said_to_arrive && shown.is_empty() {
            self.fails(entered, format!("was never shown, and the user was told {outcomes:?}"));
        }
        if !is_for_victim {
            self.world.count("takeover: the address meant another");
            return;
        }
        let has_it = shown.contains(&victim)
            || shown.contains(&self.victim)
            || (meant_key(meant).is_none() && !shown.is_empty());
        // If the connection broke in the middle, or Alice was killed, it is unknown whether a
        // legacy peer has read it.
        let reached_another = |reason: &FailureReason| matches!(reason, FailureReason::ReachedAnother(_));
        let is_broken = |status: &DeliveryStatus| match status {
            DeliveryStatus::Unknown => true,
            DeliveryStatus::Failed(reason) => reached_another(reason),
            _ => false,
        };
        let cut_off = &self.world.disk(self.alice).image.ledger.cut_off;
        let is_cut_off = cut_off.iter().any(|(_, id)| *id == entered.id);
        let is_uncertain = meant_key(meant).is_none()
            && (is_cut_off || outcomes.iter().any(|(_, status)| is_broken(status)));
        // A promised key holds until the address is refused or another key answers there.
        let is_promised = meant_key(meant).is_none() && self.scene.adversary == Adversary::Spoofer;
        let wrong_key = DeliveryStatus::Failed(FailureReason::NotSent(SendError::WrongKey));
        let is_refused = outcomes.iter().any(|(_, status)| *status == wrong_key);
        if !has_it && is_promised && (waits.is_some() || is_refused) {
            self.world.count("takeover: another key was promised");
            return;
        }
        if !has_it && !is_uncertain {
            self.fails(entered, format!("did not arrive: {waits:?}, {outcomes:?}"));
        }
        self.world.count(if has_it { "takeover: arrived" } else { "takeover: uncertain" });
    }

    /// Why the message waits, if it does.
    fn waits(&self, entered: &Entered) -> Option<PendingReason> {
        let ours = self.world.ours(self.alice);
        let waiting = ours.state().waiting(ours.time(self.world.now));
        waiting.iter().find(|text| text.message.id == entered.id).map(|text| text.reason)
    }

    fn outcomes(&self, entered: &Entered) -> Vec<(Recipient, DeliveryStatus)> {
        // In another run it has the number of another command.
        let messages = self.world.ours(self.alice).keyed.messages.iter();
        let again = messages.filter(|(_, sent)| sent.id == entered.id).map(|(op, _)| (self.alice, *op));
        let ops: BTreeSet<(Pid, OpId)> = again.chain([(entered.by, entered.op)]).collect();
        let all = self.world.prompt.iter().flat_map(|prompt| &prompt.outcomes);
        let of_it = all.filter(|(by, op, ..)| ops.contains(&(*by, *op)));
        of_it.map(|(_, _, who, status)| (*who, status.clone())).collect()
    }

    fn fails(&self, entered: &Entered, what: String) -> ! {
        let meant = &self.world.typed[&entered.id].meant;
        self.world.fail(self.alice, format_args!("{:?} for {meant:?} {what}: {:?}", entered.id, self.scene))
    }
}

/// The key that a message is for, if any.
fn meant_key(meant: Meant) -> Option<p2p_chat::model::key::PublicKey> {
    match meant {
        Meant::Key(key) => Some(key),
        Meant::Address(_, bound) => bound.and_then(Recipient::public_key),
        Meant::Legacy(_) => None,
    }
}

/// Plays one scene, and returns how often each event happened.
fn play(seed: u64, scene: Scene) -> Counts {
    let mut stage = Stage::new(seed, scene);
    let victim_id = stage.id();
    let Some((entered, victim)) = stage.plays() else {
        // The name of a stranger or of a legacy peer protects nothing, and an address may belong to
        // two contacts.
        let is_contact = !matches!(scene.victim, Victim::Stranger | Victim::Legacy);
        let may_be_asked = !is_contact || scene.surface == Surface::Address;
        assert!(may_be_asked, "the victim was not found: {scene:?}");
        stage.world.count("takeover: the user was asked");
        return stage.world.counts;
    };
    let is_bound_later = scene.surface == Surface::Address || scene.victim == Victim::Unproven;
    if !is_bound_later && entered.to != victim_id {
        stage.fails(&entered, format!("was addressed to {:?}", entered.to));
    }
    stage.check_end(&entered, victim);
    stage.world.counts
}

fn scenes() -> Vec<Scene> {
    let mut scenes = Vec::new();
    for surface in SURFACES {
        for adversary in ADVERSARIES {
            for moment in MOMENTS {
                scenes.extend(VICTIMS.map(|victim| Scene { surface, adversary, moment, victim }));
            }
        }
    }
    scenes.retain(Scene::is_possible);
    scenes
}

#[test]
fn message_reaches_its_recipient_or_no_one() {
    let mut sum = Counts::new();
    let seeds = number("P2P_CHAT_SEEDS").unwrap_or(SEEDS);
    let scenes = scenes();
    let count = u64::try_from(scenes.len()).expect("64 bits");
    for (index, scene) in (0..).zip(scenes) {
        for round in 0..seeds {
            let seed = round * count + index;
            if number("P2P_CHAT_SEED").is_none_or(|only| only == seed) {
                add(&mut sum, or_name_the_seed(seed, || play(seed, scene)));
            }
        }
    }
    println!("{sum:#?}");
    check_happened(
        &sum,
        &[
            "takeover: arrived",
            "takeover: the user was asked",
            "takeover: the address meant another",
            "told: misled",
        ],
    );
}
