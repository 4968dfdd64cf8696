//! One p2p-chat process, driven through its standard input and output as a script would.

mod builder;
mod printed;

use std::fs;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use p2p_chat::model::key::PublicKey;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use tempfile::TempDir;

pub(crate) use builder::Builder;
use printed::{Printed, wait_for};

use super::{SOON, is_queued};

/// Whether a line is the last one of a peer list.
pub(crate) fn is_sum(line: &str) -> bool {
    [" peer, ", " peers, "].iter().any(|peers| line.contains(peers)) && line.contains(" online")
}

/// A running peer. It is killed when dropped.
pub(crate) struct Peer {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Arc<Printed>,
    stderr: Arc<Printed>,
    port: u16,
    /// Lines of standard output that [`Peer::sees`] has passed.
    seen: usize,
    /// Its working directory, and before it those of the runs that it goes on from.
    dirs: Vec<Arc<TempDir>>,
    data: PathBuf,
}

impl Peer {
    /// A peer called `name`, on any free port, that knows nobody.
    pub(crate) fn named(name: &str) -> Builder {
        Builder::new(name)
    }

    /// Where it is dialed.
    pub(crate) fn addr(&self) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::LOCALHOST, self.port)
    }

    /// The name and address by which others show it.
    pub(crate) fn shown(&self) -> String {
        format!("{} ({})", self.name, self.addr())
    }

    /// The same by others that speak with it in encryption.
    pub(crate) fn encrypted(&self) -> String {
        format!("{} [encrypted]", self.shown())
    }

    /// Waits until it was told that `other` is online, and with which key.
    pub(crate) fn meets(&mut self, other: &Self) {
        let (news, key) = (format!("* {}", other.shown()), format!(" (new, key {})", grouped(&other.key())));
        self.sees_all_of(&[
            // One line, or two if it was online before its key was known.
            &|line| line.contains(&news) && line.contains(" is online"),
            &|line| line.contains(&news) && line.ends_with(&key),
        ]);
    }

    /// The same of a peer that is shown like this, whatever its key is.
    pub(crate) fn meets_at(&mut self, shown: &str) {
        let news = format!("* {shown} is ");
        self.sees_all_of(&[&|line| line.contains(&news) && line.contains(" is online"), &|line| {
            line.contains(&news) && line.contains(" (new, key ")
        }]);
    }

    /// Its working directory.
    pub(crate) fn dir(&self) -> PathBuf {
        self.dirs.last().expect("its own").path().to_owned()
    }

    /// Where it keeps its key, its aliases and what it knows of others.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.data.clone()
    }

    /// Its key, as its file has it.
    pub(crate) fn key(&self) -> String {
        self.written_key().expect("it has a file for its key")
    }

    /// The same; none where it has nowhere to keep one. Of several in one directory it is the one
    /// that its process has locked.
    fn written_key(&self) -> Option<String> {
        let profiles: Vec<PathBuf> = fs::read_dir(self.data.join("profiles"))
            .ok()?
            .map(|profile| profile.expect("a profile").path())
            .filter(|profile| profile.join("key").exists())
            .collect();
        let pid = self.pid().to_string();
        let holds = |profile: &&PathBuf| {
            profiles.len() == 1
                || fs::read_to_string(profile.join("lock")).is_ok_and(|holder| holder.trim() == pid)
        };
        let own = profiles.iter().find(holds)?;
        let text = fs::read_to_string(own.join("key")).expect("the file of a key");
        text.lines().find_map(|line| line.strip_prefix("public ")).map(str::to_owned)
    }

    /// The receipt that it gives for a message in the standard form, under the policy `accept-new`.
    pub(crate) fn receipt(&self) -> String {
        format!("{} {}", self.receipt_of_any_key(), self.key())
    }

    /// The same under the policies `ask` and `strict`: it does not name its key.
    pub(crate) fn receipt_of_any_key(&self) -> String {
        format!("{} p2p-chat/1", self.receipt_without_key())
    }

    /// The one that it gives for a message in the form of a program that knows no keys.
    pub(crate) fn receipt_without_key(&self) -> String {
        format!("[ACK] Message received from {}", self.port)
    }

    /// Starts `next`, which is to go on where this one, which has ended, ended: with the same data,
    /// at the same port.
    pub(crate) fn goes_on_as(mut self, next: Builder) -> Self {
        assert!(self.child.try_wait().expect("our child").is_some(), "{} still runs", self.name);
        let mut next = next.data_dir(&self.data).port(self.port).start();
        next.dirs.splice(0..0, self.dirs.drain(..));
        next
    }

    /// The number of its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Types lines, each ended with Enter.
    pub(crate) fn types(&mut self, lines: &[&str]) {
        let stdin = self.stdin.as_mut().expect("its input is open");
        for line in lines {
            writeln!(stdin, "{line}").expect("it reads its input");
        }
    }

    /// Sends a text by way of the menu.
    pub(crate) fn says(&mut self, to: &str, text: &str) {
        self.types(&["1", to, text]);
    }

    /// Types what `write` writes, as fast as it is read.
    pub(crate) fn is_typed_by<T>(&mut self, write: impl FnOnce(&mut ChildStdin) -> io::Result<T>) -> T {
        write(self.stdin.as_mut().expect("its input is open")).expect("it reads its input")
    }

    pub(crate) fn ends_input(&mut self) {
        self.stdin = None;
    }

    /// Waits for a line that holds `words`, after all lines waited for before, and returns it.
    pub(crate) fn sees(&mut self, words: &str) -> String {
        self.sees_within(words, SOON)
    }

    /// The same where it may take longer.
    pub(crate) fn sees_within(&mut self, words: &str, time: Duration) -> String {
        let (lines, line) = wait_for(&self.stdout, self.seen, |line| line.contains(words), time);
        let Some(at) = line else {
            let errors = self.stderr.state.lock().expect("not poisoned").0.join("\n");
            panic!(
                "{} never saw `{words}` after line {}:\n{}\n{errors}",
                self.name,
                self.seen,
                lines.join("\n")
            );
        };
        self.seen = at + 1;
        lines[at].clone()
    }

    /// The name that it was started with.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Passes all that was printed so far.
    pub(crate) fn passes_all(&mut self) {
        self.seen = self.printed().len();
    }

    /// Waits for a line that is as `is_it` says, after all lines waited for before, and returns it.
    pub(crate) fn sees_line(&mut self, what: &str, is_it: impl Fn(&str) -> bool) -> String {
        self.sees_line_within(what, is_it, SOON)
    }

    fn sees_line_within(&mut self, what: &str, is_it: impl Fn(&str) -> bool, time: Duration) -> String {
        let (lines, line) = wait_for(&self.stdout, self.seen, is_it, time);
        let at = line.unwrap_or_else(|| {
            panic!("{} never saw {what} after line {}:\n{}", self.name, self.seen, lines.join("\n"))
        });
        self.seen = at + 1;
        lines[at].clone()
    }

    /// Waits for lines that are as each of these says, in any order, after all lines waited for
    /// before.
    pub(crate) fn sees_all_of(&mut self, wanted: &[&dyn Fn(&str) -> bool]) {
        let begin = self.seen;
        for is_it in wanted {
            let (lines, line) = wait_for(&self.stdout, begin, is_it, SOON);
            let at =
                line.unwrap_or_else(|| panic!("{} after line {begin}:\n{}", self.name, lines.join("\n")));
            self.seen = self.seen.max(at + 1);
        }
    }

    /// Waits for a line that holds `words`, wherever it stands, without passing the others.
    pub(crate) fn has_seen(&self, words: &str) -> String {
        self.has_seen_one_of(&[words])
    }

    /// The same for a line that contains one of these.
    pub(crate) fn has_seen_one_of(&self, words: &[&str]) -> String {
        self.has_seen_line(&format!("one of {words:?}"), |line| {
            words.iter().any(|words| line.contains(words))
        })
    }

    /// The same for a line that is as `is_it` says.
    pub(crate) fn has_seen_line(&self, what: &str, is_it: impl Fn(&str) -> bool) -> String {
        let (lines, line) = wait_for(&self.stdout, 0, is_it, SOON);
        match line {
            Some(at) => lines[at].clone(),
            None => panic!("{} never saw {what}:\n{}", self.name, lines.join("\n")),
        }
    }

    /// Lists, and passes all that was printed before the sum.
    pub(crate) fn lists_all(&mut self) {
        self.types(&["2"]);
        self.sees_sum();
    }

    /// Waits for the first line about a message that is queued, and returns it.
    pub(crate) fn sees_queued(&mut self) -> String {
        self.sees_line("that a message is queued", is_queued)
    }

    /// Waits for the last line of a list, like `2 peers, 1 online.`, and returns it.
    pub(crate) fn sees_sum(&mut self) -> String {
        self.sees_sum_within(SOON)
    }

    /// The same where it may take longer.
    pub(crate) fn sees_sum_within(&mut self, time: Duration) -> String {
        self.sees_line_within("the end of the list", is_sum, time)
    }

    /// Whether a line with these words is printed within this time, wherever it stands.
    pub(crate) fn sees_in_time(&self, words: &str, within: Duration) -> bool {
        wait_for(&self.stdout, 0, |line| line.contains(words), within).1.is_some()
    }

    /// Everything it printed so far.
    pub(crate) fn printed(&self) -> Vec<String> {
        self.stdout.state.lock().expect("not poisoned").0.clone()
    }

    /// The row of the verified peer list that is about `addr`, by way of the menu; `None` if there
    /// is none.
    pub(crate) fn lists(&mut self, addr: SocketAddrV4) -> Option<String> {
        self.types(&["2"]);
        let begin = self.seen;
        let ends_list = |line: &str| is_sum(line) || line.contains("No peers yet. Choose 3 to connect");
        self.sees_line("the end of the list", ends_list);
        let addr = format!("  {addr}  ");
        self.printed()[begin..self.seen].iter().rfind(|line| line.contains(&addr)).cloned()
    }

    /// Proves that it still answers: a stranger's message is shown and acknowledged, as the policy
    /// `accept-new` has it.
    pub(crate) fn still_answers(&mut self) {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        let word = format!("still-there-{}.", ASKED.fetch_add(1, Ordering::Relaxed));
        let bytes = format!("127.0.0.9:9999 Witness {word}");
        let answer = super::send_raw_from([127, 0, 0, 9].into(), self.addr(), bytes.as_bytes());
        let answer = String::from_utf8(answer).expect("a receipt");
        match self.written_key() {
            _ if answer == self.receipt_of_any_key() => {}
            Some(_) => assert_eq!(answer, self.receipt()),
            // A key for this run only, which no other program can know.
            None => {
                let key = answer.strip_prefix(&format!("{} ", self.receipt_of_any_key()));
                assert_eq!(key.map(str::len), Some(52), "{answer}");
            }
        }
        self.has_seen(&word);
    }

    /// Resident memory in KiB, as Linux tells it.
    pub(crate) fn resident_kib(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// Threads, as Linux counts them.
    pub(crate) fn threads(&self) -> u64 {
        self.status("Threads:")
    }

    fn status(&self, field: &str) -> u64 {
        status_of(self.pid(), field)
    }

    /// Open descriptors, as Linux lists them.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("it runs").count()
    }

    /// Asks it to end.
    pub(crate) fn is_sent(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.pid()).expect("a process number"));
        kill_process(pid.expect("a process number"), signal).expect("it runs");
    }

    /// Stops it, and waits until the system has done so.
    pub(crate) fn is_stopped(&self) {
        self.is_sent(Signal::STOP);
        let pid = Pid::from_raw(i32::try_from(self.pid()).expect("a process number"));
        let (_, status) = waitpid(pid, WaitOptions::UNTRACED).expect("our child").expect("waited for");
        assert!(status.stopped(), "it ended");
    }

    /// Looks after a peer until the list has it as `state`, which takes more than one look on a
    /// busy machine.
    pub(crate) fn finds(&mut self, addr: SocketAddrV4, state: &str) {
        let deadline = Instant::now() + SOON;
        loop {
            let row = self.lists(addr).expect("still listed");
            if row.contains(state) {
                return;
            }
            assert!(Instant::now() < deadline, "{row} is never {state}");
        }
    }

    /// Waits for it to end.
    pub(crate) fn ends(&mut self) -> ExitStatus {
        self.ends_within(SOON)
    }

    /// Waits for it to end, within this time.
    pub(crate) fn ends_within(&mut self, time: Duration) -> ExitStatus {
        let deadline = Instant::now() + time;
        // Its output ends when it does; then its status is there at once.
        for printed in [&self.stdout, &self.stderr] {
            let mut state = printed.state.lock().expect("not poisoned");
            while !state.1 {
                let left = deadline.saturating_duration_since(Instant::now());
                assert!(!left.is_zero(), "{} did not end:\n{}", self.name, state.0.join("\n"));
                state = printed.changed.wait_timeout(state, left).expect("not poisoned").0;
            }
        }
        self.child.wait().expect("it ended")
    }

    /// The same where its end cannot be seen from its output.
    pub(crate) fn is_over_within(&mut self, time: Duration) -> ExitStatus {
        let deadline = Instant::now() + time;
        loop {
            if let Some(status) = self.child.try_wait().expect("our child") {
                return status;
            }
            assert!(Instant::now() < deadline, "{} did not end", self.name);
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// What it wrote to standard error, once it has ended.
    pub(crate) fn errors(&self) -> String {
        self.stderr.state.lock().expect("not poisoned").0.join("\n")
    }

    /// Leaves by the menu, and ends well. Returns everything it printed.
    pub(crate) fn leaves(&mut self) -> Vec<String> {
        self.types(&["0"]);
        assert!(self.ends().success(), "{}", self.errors());
        self.printed()
    }

    /// Ends it without any goodbye.
    pub(crate) fn crashes(&mut self) {
        self.child.kill().expect("it ran");
        self.ends();
    }
}

/// Returns a number that Linux tells of a process.
pub(super) fn status_of(pid: u32, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with(field)).expect("Linux tells");
    line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
}

/// A key as it is shown: in groups of four.
pub(crate) fn grouped(key: &str) -> String {
    key.parse::<PublicKey>().expect("a key").grouped().to_string()
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
