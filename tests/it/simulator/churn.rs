//! Programs that start, leave, crash and stop, and partitions of the network.

use std::time::Duration;

use p2p_chat::core::{ANSWER_WITHIN, Command};

use super::peer::{Pid, Process, Program};
use super::script::SETTLED_WITHIN;
use super::world::{Event, World};

impl World {
    /// Changes something, and again later.
    pub(super) fn churn(&mut self) {
        if self.plan.churn == 0 {
            return;
        }
        let after = self.random.ms(0, self.plan.churn);
        self.later(after, Event::Churn);
        let alive: Vec<Pid> = (0..self.processes.len()).filter(|pid| self.processes[*pid].alive).collect();
        let Some(pid) = self.random.one(&alive) else { return self.join() };
        match self.random.below(12) {
            0 | 1 => self.partition(),
            2 | 3 => self.unite(),
            4 => self.kill(pid),
            5 => self.goodbye(pid),
            6 | 7 => {
                // It starts again at the same port, at another, or as another program.
                let Process { host, port, ref program, .. } = self.processes[pid];
                let is_ours = matches!(program, Program::Ours(_));
                let port = if self.random.in_thousand(700) { port } else { self.new_port() };
                let is_same = self.random.in_thousand(900);
                if self.random.in_thousand(500) {
                    self.goodbye(pid);
                    if is_ours && self.random.in_thousand(500) {
                        // At once, without waiting for answers.
                        self.ends(pid);
                    }
                }
                self.kill(pid);
                let mut same = (is_ours && is_same).then(|| self.ours(pid).past());
                if let Some(past) = same.as_mut()
                    && self.random.in_thousand(200)
                {
                    past.pins.clear();
                }
                self.launch(host, port, same);
            }
            8 | 9 => {
                if self.processes[pid].stopped.is_some() {
                    return;
                }
                let after = self.random.ms(10, 20_000);
                self.suspends(pid, after);
            }
            _ => self.join(),
        }
    }

    /// Stops a program for a while.
    pub(super) fn suspends(&mut self, pid: Pid, time: Duration) {
        self.processes[pid].stopped = Some(self.now);
        self.later(time, Event::Continues(pid));
    }

    fn join(&mut self) {
        let alive = self.processes.iter().filter(|process| process.alive).count();
        if alive <= self.plan.programs {
            let host = self.random.below(self.plan.hosts);
            let port = self.new_port();
            self.launch(host, port, None);
        }
    }

    fn partition(&mut self) {
        let sides = self.random.within(2, 3);
        for host in 0..self.hosts.len() {
            self.hosts[host].1 = self.random.below(sides);
        }
    }

    pub(super) fn unite(&mut self) {
        self.hosts.iter_mut().for_each(|host| host.1 = 0);
    }

    /// A peer leaves with a goodbye. Its program ends two seconds later at most.
    fn goodbye(&mut self, pid: Pid) {
        if let Program::Ours(ours) = &self.processes[pid].program
            && !ours.leaving
            && self.processes[pid].stopped.is_none()
        {
            self.leaves(pid);
        }
    }

    pub(super) fn leaves(&mut self, pid: Pid) {
        self.ours_mut(pid).leaving = true;
        self.commands(pid, Command::Leave, "leaving", SETTLED_WITHIN);
        self.later(ANSWER_WITHIN, Event::Ends(pid));
    }
}
