//! How wild the world of a seed is.

use std::time::Duration;

use p2p_chat::core::GONE_SHOWN;

use super::random::Random;

/// Until everybody who is there has been found again: a minute between two attempts, and some time
/// for what else has to be tried at most sixty-four at a time.
const FOUND_WITHIN: Duration = Duration::from_secs(200);

/// The settings of one run, drawn from its seed. What is counted "in a thousand" is drawn each time
/// it may happen.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Programs from the beginning.
    pub(super) programs: usize,
    /// Machines that they are on.
    pub(super) hosts: usize,
    /// Programs of old, in a thousand.
    pub(super) legacy: usize,
    /// Programs of old that say what `gethostbyname(hostname)` does, 127.0.1.1, in a thousand; half
    /// of them listen there.
    pub(super) misled: usize,
    /// Peers of ours that are called as somebody else is, in a thousand.
    pub(super) namesakes: usize,
    /// Static peers of each.
    pub(super) statics: usize,
    /// Peers of ours that listen at one IP only, in a thousand.
    pub(super) bound: usize,
    /// Milliseconds that a packet takes, at least and at most, and how often it takes a second or
    /// more.
    pub(super) latency: (usize, usize),
    pub(super) slow: usize,
    /// Connections that nothing is heard of, and those that break, in a thousand.
    pub(super) lost: usize,
    pub(super) broken: usize,
    /// Connections between pools on which each packet takes some seconds, in a thousand, and how
    /// many bytes each takes in a second, if not any.
    pub(super) far: usize,
    pub(super) bytes_per_second: u32,
    /// Machines that nobody else can dial, in a thousand.
    pub(super) shut: usize,
    /// Messages that find no room in the mailbox, in a thousand.
    pub(super) full: usize,
    /// Milliseconds until what waits is written at most, and how often the disk is full for a
    /// while, or fails, in a thousand writes.
    pub(super) disk: usize,
    pub(super) disk_full: usize,
    /// People with a key who keep nothing for the next life, and those whose texts wait for a
    /// minute at most, in a thousand.
    pub(super) forgetful: usize,
    pub(super) hasty: usize,
    /// Milliseconds between two deeds of one program at most.
    pub(super) deeds: usize,
    /// Milliseconds between two changes of the weather at most.
    pub(super) weather: usize,
    /// How long that goes on.
    pub(super) wild: Duration,
    /// How long it stays calm after that.
    pub(super) calm: Duration,
    /// Threads that a peer of ours dials with at most.
    pub(super) dialers: usize,
}

impl Plan {
    pub(super) fn of(random: &mut Random) -> Self {
        let crowd = random.in_thousand(150);
        let programs = if crowd { random.within(100, 250) } else { random.within(2, 40) };
        // A few machines on which many claim what their host's name resolves to.
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
            deeds: if crowd { random.within(40_000, 120_000) } else { random.within(1_000, 30_000) },
            weather: if calm { 60_000 } else { random.within(1_000, 30_000) },
            wild: Duration::from_secs(u64::try_from(random.within(60, 300)).expect("64 bits")),
            // A legacy peer whose address a key had for a while is found again once its old row is
            // gone.
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
            deeds: self.deeds.min(10_000),
            ..self.clone()
        }
    }

    /// A smaller world in which some people have the same name.
    pub(super) fn with_namesakes(&self) -> Self {
        Self { programs: self.programs.min(30), namesakes: 100, ..self.clone() }
    }

    /// Disks as slow as the network and as bad.
    fn with_disks(self) -> Self {
        let disk = 5 + self.latency.1;
        Self { disk, disk_full: self.full / 3, forgetful: 200, hasty: 150, ..self }
    }

    /// A world in which nothing goes wrong and nobody does anything.
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
            deeds: 0,
            weather: 0,
            wild: Duration::ZERO,
            calm: Duration::ZERO,
            dialers: usize::MAX,
        }
    }

    /// From now on nothing goes wrong any more.
    pub(super) fn heal(&mut self) {
        (self.slow, self.lost, self.broken, self.full, self.disk_full) = (0, 0, 0, 0, 0);
    }
}
