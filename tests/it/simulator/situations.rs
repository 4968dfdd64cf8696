//! Two people in one situation of the network: who dials, how slow it is, and what happens to their
//! session.

use std::net::Ipv4Addr;
use std::time::Duration;

use p2p_chat::core::{Command, Pin, PresenceStatus, StaticPeer, Target};
use p2p_chat::model::address::PeerAddr;
use p2p_chat::model::host::HostAddr;
use p2p_chat::model::message::MessageId;
use p2p_chat::model::peer_id::Recipient;
use p2p_chat::net::sessions::SILENCE;

use super::keyed::key_of_person;
use super::peer::{Past, Pid};
use super::plan::Plan;
use super::world::World;
use super::{or_name_the_seed, seconds, seeds};

const SEEDS: u64 = 20;

/// The end of a connection shows within this time.
const END_SHOWS: Duration = Duration::from_secs(2);

/// How often a program reads the addresses of its machine (src/runtime/machine.rs).
const NETWORK_INTERVAL: Duration = Duration::from_secs(60);

const ALICE: usize = 1;
const BOB: usize = 2;

/// Returns a world with a machine for each person.
fn world(seed: u64, plan: Plan) -> World {
    let mut world = World::new(seed);
    world.plan = plan;
    for n in 0..4 {
        world.hosts.push((Ipv4Addr::new(10, 0, 0, n), 0));
    }
    world
}

fn quick() -> Plan {
    Plan { latency: (5, 60), disk: 10, ..Plan::still() }
}

fn address(world: &World, person: usize) -> PeerAddr {
    world.addr(person, 5_000)
}

/// Starts the program of a person on a machine, with these static peers.
fn starts(world: &mut World, person: usize, host: usize, dials: &[usize]) -> Pid {
    let statics = dials.iter().map(|other| StaticPeer {
        key: Some(key_of_person(*other)),
        ..StaticPeer::at(address(world, *other))
    });
    let statics = statics.collect();
    let pins = dials.iter().map(|other| (key_of_person(*other), pin(world, *other))).collect();
    let past = Past { pins, ..world.person(person, &format!("person{person}"), statics) };
    let pid = world.processes.len();
    world.launch(host, 5_000, Some(past));
    pid
}

/// Returns the pin of a person in peers.toml.
fn pin(world: &World, person: usize) -> Pin {
    let addrs = vec![address(world, person)];
    Pin {
        key: key_of_person(person),
        name: None,
        contact: true,
        given: addrs.clone(),
        addrs,
        first_seen: 0,
        verified: None,
        blocked: false,
    }
}

/// A person writes to another.
fn writes(world: &mut World, pid: Pid, to: usize) -> MessageId {
    writes_long(world, pid, to, 0)
}

/// A person writes a message of this length to another.
fn writes_long(world: &mut World, pid: Pid, to: usize, length: usize) -> MessageId {
    let text = world.new_token(pid) + &"x".repeat(length);
    world.sends_this(pid, Target::These(vec![Recipient::key(key_of_person(to))]), &text)
}

/// Both write. Returns each message and whom it is for.
fn both_write(world: &mut World, [alice, bob]: [Pid; 2]) -> [(MessageId, usize); 2] {
    [(writes(world, alice, BOB), BOB), (writes(world, bob, ALICE), ALICE)]
}

fn has_arrived(world: &World, message: MessageId, at: usize) -> bool {
    world.typed[&message].taken.contains(&key_of_person(at))
}

/// Lets time pass until something is true. Returns how long that took.
fn until(world: &mut World, most: Duration, is_so: impl Fn(&World) -> bool) -> Duration {
    let begun = world.now;
    while !is_so(world) {
        assert!(world.now - begun < most, "not so after {most:?}");
        world.rests(Duration::from_millis(100));
    }
    world.now - begun
}

fn are_connected(world: &World, alice: Pid, bob: Pid) -> bool {
    let one = |pid, other| {
        world.wires_between(pid, key_of_person(other)) == 1
            && world.presence_of(pid, key_of_person(other)) == Some(PresenceStatus::Connected)
    };
    one(alice, BOB) && one(bob, ALICE)
}

fn count(world: &World, what: &str) -> usize {
    world.counts.iter().filter(|(key, _)| key.starts_with(what)).map(|(_, count)| count).sum()
}

/// Starts Bob, and Alice, who dials him. Returns when they are connected.
fn connects(world: &mut World, within: Duration) -> [Pid; 2] {
    let bob = starts(world, BOB, BOB, &[]);
    let alice = starts(world, ALICE, ALICE, &[BOB]);
    until(world, within, |world| are_connected(world, alice, bob));
    [alice, bob]
}

/// Plays a situation with several seeds.
fn play(plan: &Plan, situation: impl Fn(World)) {
    for seed in seeds(SEEDS) {
        or_name_the_seed(seed, || situation(world(seed, plan.clone())));
    }
}

#[test]
fn simultaneous_dials_leave_one_session_and_lose_nothing() {
    play(&Plan { latency: (5, 400), ..quick() }, |mut world| {
        let alice = starts(&mut world, ALICE, ALICE, &[BOB]);
        let apart = world.random.ms(0, 1_500);
        world.rests(apart);
        let bob = starts(&mut world, BOB, BOB, &[ALICE]);
        let mut messages = Vec::new();
        for _ in 0..20 {
            let pause = world.random.ms(0, 300);
            world.rests(pause);
            messages.push((writes(&mut world, alice, BOB), BOB));
            messages.push((writes(&mut world, bob, ALICE), ALICE));
        }
        world.rests(seconds(30));
        assert!(are_connected(&world, alice, bob));
        assert!(messages.iter().all(|(message, at)| has_arrived(&world, *message, *at)));
        assert_eq!(count(&world, "went"), 0, "neither was said to have gone: {:?}", world.counts);
    });
}

#[test]
fn named_peer_is_found_where_it_moves() {
    play(&quick(), |mut world| {
        let laptop: HostAddr = "bobs-laptop:5000".parse().expect("a host name");
        let alice = world.processes.len();
        let bob = StaticPeer { key: Some(key_of_person(BOB)), ..StaticPeer::at(laptop.clone()) };
        let pin = Pin { addrs: Vec::new(), given: Vec::new(), ..pin(&world, BOB) };
        let pins = [(key_of_person(BOB), pin)].into();
        let past = Past { pins, ..world.person(ALICE, "Alice", vec![bob]) };
        world.launch(ALICE, 5_000, Some(past));
        // The name is not known until its machine is on the network.
        world.rests(seconds(30));
        for host in [2, 3] {
            let addr = address(&world, host);
            world.names.insert(laptop.clone(), vec![addr]);
            let bob = starts(&mut world, BOB, host, &[]);
            until(&mut world, seconds(70), |world| are_connected(world, alice, bob));
            let message = writes(&mut world, alice, BOB);
            until(&mut world, seconds(2), |world| has_arrived(world, message, BOB));
            world.kill(bob);
            world.rests(seconds(30));
        }
    });
}

#[test]
fn undialable_peer_gets_messages_in_its_session() {
    play(&quick(), |mut world| {
        world.shut.insert(ALICE);
        let [alice, bob] = connects(&mut world, seconds(5));
        let answer = writes(&mut world, bob, ALICE);
        until(&mut world, seconds(2), |world| has_arrived(world, answer, ALICE));
        // It dials again after a break, and gets the message that waited.
        world.connections_break(alice);
        world.rests(Duration::from_millis(2));
        let late = writes(&mut world, bob, ALICE);
        until(&mut world, seconds(10), |world| has_arrived(world, late, ALICE));
        // Its end shows, although it cannot be dialed.
        world.kill(alice);
        world.rests(END_SHOWS);
        assert_ne!(world.presence_of(bob, key_of_person(ALICE)), Some(PresenceStatus::Connected));
        let waits = writes(&mut world, bob, ALICE);
        world.rests(seconds(60));
        assert_eq!(world.presence_of(bob, key_of_person(ALICE)), Some(PresenceStatus::Offline));
        assert!(!has_arrived(&world, waits, ALICE));
    });
}

#[test]
fn messages_cross_a_link_with_seconds_of_delay() {
    play(&Plan { far: 1_000, ..quick() }, |mut world| {
        let [alice, bob] = connects(&mut world, seconds(60));
        let messages = both_write(&mut world, [alice, bob]);
        for (message, at) in messages {
            until(&mut world, seconds(10), |world| has_arrived(world, message, at));
        }
        world.rests(seconds(1_200));
        assert!(are_connected(&world, alice, bob));
        assert_eq!(count(&world, "session: ended"), 0, "{:?}", world.counts);
    });
}

#[test]
fn long_message_crosses_a_thin_link_once() {
    const LENGTH: usize = 32_000;
    play(&Plan { bytes_per_second: 4_000, ..quick() }, |mut world| {
        let [alice, bob] = connects(&mut world, seconds(10));
        let sent = world.bytes_sent;
        let long = writes_long(&mut world, alice, BOB, LENGTH);
        let short = writes(&mut world, alice, BOB);
        // Alice reads while she sends.
        let answer = writes(&mut world, bob, ALICE);
        until(&mut world, seconds(2), |world| has_arrived(world, answer, ALICE));
        for message in [long, short] {
            until(&mut world, seconds(15), |world| has_arrived(world, message, BOB));
        }
        world.rests(seconds(180));
        let sent = world.bytes_sent - sent;
        assert!(sent < LENGTH + LENGTH / 4, "{sent} bytes for one message of {LENGTH}");
        assert_eq!(count(&world, "session: ended"), 0, "{:?}", world.counts);
    });
}

#[test]
fn probe_behind_a_long_message_is_answered() {
    // It takes 15 s, longer than a probe usually may.
    const LENGTH: usize = 60_000;
    play(&Plan { bytes_per_second: 4_000, ..quick() }, |mut world| {
        let [alice, bob] = connects(&mut world, seconds(10));
        let long = writes_long(&mut world, alice, BOB, LENGTH);
        let (most, pause) = (seconds(20), world.random.ms(0, 1_000));
        world.rests(pause);
        let bob_there = Target::These(vec![Recipient::key(key_of_person(BOB))]);
        world.commands(alice, Command::Connect(bob_there), "connect", most);
        for _ in 0..most.as_secs() {
            world.rests(seconds(1));
            assert!(are_connected(&world, alice, bob), "{:?}", world.counts);
        }
        assert!(has_arrived(&world, long, BOB));
    });
}

#[test]
fn long_messages_cross_in_one_session_at_once() {
    const LENGTH: usize = 16_000;
    // One message takes 4 s, and a lost packet up to 3 s. Both one after the other would take 8 s.
    const ARRIVES_WITHIN: Duration = Duration::from_millis(7_500);
    play(&Plan { bytes_per_second: 4_000, ..quick() }, |mut world| {
        let [alice, bob] = connects(&mut world, seconds(10));
        let messages =
            [(alice, BOB), (bob, ALICE)].map(|(pid, to)| (writes_long(&mut world, pid, to, LENGTH), to));
        until(&mut world, ARRIVES_WITHIN, |world| {
            messages.iter().all(|(message, at)| has_arrived(world, *message, *at))
        });
        assert!(are_connected(&world, alice, bob));
        assert_eq!(count(&world, "session: ended"), 0, "{:?}", world.counts);
    });
}

#[test]
fn session_follows_a_change_of_address() {
    play(&quick(), |mut world| {
        let [alice, bob] = connects(&mut world, seconds(5));
        world.rests(seconds(40));
        // Alice's machine is in another network from now on.
        let moved = Ipv4Addr::new(10, 0, 9, 9);
        world.hosts[ALICE].0 = moved;
        world.listened.insert((moved, 5_000, key_of_person(ALICE)));
        let pause = world.random.ms(0, 60_000);
        world.rests(pause);
        let messages = both_write(&mut world, [alice, bob]);
        let is_found = |world: &World| {
            let rows = world.rows(bob);
            let row = rows.iter().find(|row| row.id == Recipient::key(key_of_person(ALICE)));
            // It is dialed where it is now.
            are_connected(world, alice, bob) && row.and_then(|row| row.addr) == PeerAddr::new(moved, 5_000)
        };
        until(&mut world, NETWORK_INTERVAL + SILENCE + seconds(15), is_found);
        for (message, at) in messages {
            until(&mut world, seconds(60), |world| has_arrived(world, message, at));
        }
    });
}

#[test]
fn suspended_program_is_missed_and_found_again() {
    play(&quick(), |mut world| {
        let [alice, bob] = connects(&mut world, seconds(5));
        let runs = world.random.ms(0, 30_000);
        world.rests(runs);
        world.suspends(alice, seconds(100));
        let silent = until(&mut world, SILENCE + END_SHOWS, |world| {
            world.presence_of(bob, key_of_person(ALICE)) != Some(PresenceStatus::Connected)
        });
        assert!(silent > seconds(15), "a short silence is no end: {silent:?}");
        let message = writes(&mut world, bob, ALICE);
        world.rests(seconds(100) - silent);
        until(&mut world, seconds(60), |world| {
            are_connected(world, alice, bob) && has_arrived(world, message, ALICE)
        });
    });
}

#[test]
fn cut_line_is_noticed_and_mended() {
    play(&quick(), |mut world| {
        let [alice, bob] = connects(&mut world, seconds(5));
        let runs = world.random.ms(0, 30_000);
        world.rests(runs);
        world.hosts[ALICE].1 = 1;
        for (pid, other) in [(alice, BOB), (bob, ALICE)] {
            until(&mut world, SILENCE + END_SHOWS, |world| {
                world.presence_of(pid, key_of_person(other)) != Some(PresenceStatus::Connected)
            });
        }
        let cut = world.random.ms(0, 60_000);
        world.rests(cut);
        let messages = both_write(&mut world, [alice, bob]);
        world.unite();
        for (message, at) in messages {
            until(&mut world, seconds(65), |world| has_arrived(world, message, at));
        }
        until(&mut world, seconds(5), |world| are_connected(world, alice, bob));
    });
}

#[test]
fn second_program_with_a_key_is_refused() {
    const ELSEWHERE: usize = 3;
    play(&quick(), |mut world| {
        let [alice, bob] = connects(&mut world, seconds(5));
        let twin = starts(&mut world, ALICE, ELSEWHERE, &[BOB]);
        world.rests(seconds(120));
        for pid in [alice, twin] {
            assert_eq!(count(&world, &format!("told: in use: {pid}")), 1, "{:?}", world.counts);
        }
        let message = writes(&mut world, bob, ALICE);
        world.rests(seconds(5));
        let shown = world.disk(alice).image.ledger.screens.contains_key(&(key_of_person(BOB), message));
        assert!(shown, "the first one has it");
        // When the first one ends, the second one is accepted.
        world.kill(alice);
        until(&mut world, seconds(90), |world| are_connected(world, twin, bob));
    });
}
