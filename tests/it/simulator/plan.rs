//! The settings of a world.

use std::time::Duration;

use p2p_chat::core::GONE_SHOWN;

use super::random::Random;

/// How long it takes to find all peers again: a minute between two attempts, and time for other
/// probes, of which at most 64 are under way.
const FOUND_WITHIN: Duration = Duration::from_secs(200);

/// The settings of one run, drawn from its seed. A rate in a thousand is drawn each time that the
/// event may happen.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Programs at the start.
    pub(super) programs: usize,
    /// Machines that they are on.
    pub(super) hosts: usize,
    /// Legacy programs, in a thousand.
    pub(super) legacy: usize,
    /// Legacy programs that claim 127.0.1.1, as `gethostbyname(hostname)` does, in a thousand. Half
    /// of them listen there.
    pub(super) misled: usize,
    /// Peers of ours with the name of another, in a thousand.
    pub(super) namesakes: usize,
    /// Static peers of each.
    pub(super) statics: usize,
    /// Peers of ours that listen at one IP only, in a thousand.
    pub(super) bound: usize,
    /// Milliseconds that a packet takes, at least and at most; and how often one takes a second or
    /// more, in a thousand.
    pub(super) latency: (usize, usize),
    pub(super) slow: usize,
    /// Connections that get no answer, and those that break, in a thousand.
    pub(super) lost: usize,
    pub(super) broken: usize,
    /// Sessions on which each packet takes seconds, in a thousand; and the bytes a second of each
    /// session, 0 for no limit.
    pub(super) far: usize,
    pub(super) bytes_per_second: u32,
    /// Machines that no other can dial, in a thousand.
    pub(super) shut: usize,
    /// Messages for which the event queue has no room, in a thousand.
    pub(super) full: usize,
    /// Milliseconds until a write at most; and how often the disk is full for a while, or one write
    /// fails, in a thousand.
    pub(super) disk: usize,
    pub(super) disk_full: usize,
    /// People without history, and those whose messages expire within a minute, in a thousand.
    pub(super) forgetful: usize,
    pub(super) hasty: usize,
    /// Milliseconds between two actions of one program at most.
    pub(super) actions: usize,
    /// Milliseconds between two changes of machines and programs at most.
    pub(super) churn: usize,
    /// How long that lasts.
    pub(super) wild: Duration,
    /// How long it stays calm then.
    pub(super) calm: Duration,
    /// Dialing threads of a peer of ours at most.
    pub(super) dialers: usize,
}

impl Plan {
    pub(super) fn of(random: &mut Random) -> Self {
        let crowd = random.in_thousand(150);
        let programs = if crowd { random.within(100, 250) } else { random.within(2, 40) };
        // A few machines with many programs that claim 127.0.1.1.
        let lodging = random.in_thousand(300);
        let calm = random.in_thousand(250);
        let bad = |random: &mut Random, most: usize| if calm { 0 } else { random.within(0, most) };
        Self {
            programs,
            hosts: random.within(1, if lodging { 2 } else { programs }),
            legacy: if lodging { random.within(300, 700) } else { random.within(200, 700) },
            misled: if lodging { 700 } else { random.within(0, 200) },
            namesakes: 0,
            statics: random.within(0, 8).min(programs),
            bound: 150,
            latency: (0, random.within(1, 120)),
            slow: bad(random, 30),
            lost: bad(random, 120),
            broken: bad(random, 80),
            far: if random.in_thousand(200) { random.within(100, 1_000) } else { 0 },
            bytes_per_second: if random.in_thousand(150) { 4_000 } else { 0 },
            shut: if random.in_thousand(200) { random.within(50, 300) } else { 0 },
            full: bad(random, 30),
            disk: 0,
            disk_full: 0,
            forgetful: 0,
            hasty: 0,
            actions: if crowd { random.within(40_000, 120_000) } else { random.within(1_000, 30_000) },
            churn: if calm { 60_000 } else { random.within(1_000, 30_000) },
            wild: Duration::from_secs(u64::try_from(random.within(60, 300)).expect("64 bits")),
            // A legacy peer is found again at an address that a key had, once its old row is gone.
            calm: FOUND_WITHIN + GONE_SHOWN,
            dialers: if random.in_thousand(150) { random.within(1, 4) } else { usize::MAX },
        }
        .with_disks()
    }

    /// Two people, on a link that gets worse and better.
    pub(super) fn of_two(&self) -> Self {
        Self {
            programs: 2,
            hosts: self.hosts.min(2),
            legacy: 0,
            misled: 0,
            statics: 2,
            actions: self.actions.min(10_000),
            ..self.clone()
        }
    }

    /// A smaller world in which some people have the same name.
    pub(super) fn with_namesakes(&self) -> Self {
        Self { programs: self.programs.min(30), namesakes: 100, ..self.clone() }
    }

    /// Makes disks as slow and as bad as the network.
    fn with_disks(self) -> Self {
        let disk = 5 + self.latency.1;
        Self { disk, disk_full: self.full / 3, forgetful: 200, hasty: 150, ..self }
    }

    /// A world in which nothing goes wrong and no user acts.
    pub(super) fn still() -> Self {
        Self {
            programs: 0,
            hosts: 1,
            legacy: 0,
            misled: 0,
            namesakes: 0,
            statics: 0,
            bound: 0,
            latency: (0, 5),
            slow: 0,
            lost: 0,
            broken: 0,
            far: 0,
            bytes_per_second: 0,
            shut: 0,
            full: 0,
            disk: 0,
            disk_full: 0,
            forgetful: 0,
            hasty: 0,
            actions: 0,
            churn: 0,
            wild: Duration::ZERO,
            calm: Duration::ZERO,
            dialers: usize::MAX,
        }
    }

    /// Nothing goes wrong any more.
    pub(super) fn heal(&mut self) {
        (self.slow, self.lost, self.broken, self.full, self.disk_full) = (0, 0, 0, 0, 0);
    }
}
