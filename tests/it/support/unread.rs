//! A peer whose output is not read, or only in part.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::peer::{Builder, status_of};

/// A peer whose output is not read to its end. It is killed when dropped.
pub(crate) struct Unread {
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
    ended: mpsc::Receiver<()>,
    dir: TempDir,
}

impl Unread {
    /// Starts it, with its standard output going there.
    pub(crate) fn start(peer: &Builder, stdout: Stdio) -> Self {
        let (mut command, dir) = peer.command();
        let command = command.stdin(Stdio::piped()).stdout(stdout).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let stdout = child.stdout.take().map(BufReader::new);
        let mut stderr = child.stderr.take().expect("piped");
        let (tell, ended) = mpsc::channel();
        thread::spawn(move || {
            // Its end is that of the process, which is left to be waited for.
            let _ = std::io::copy(&mut stderr, &mut std::io::sink());
            let _ = tell.send(());
        });
        Self { child, stdout, ended, dir }
    }

    /// Reads up to a line that begins so.
    pub(crate) fn prints(&mut self, words: &str) -> String {
        let lines = self.stdout.as_mut().expect("piped").lines().map(|line| line.expect("UTF-8"));
        lines.into_iter().find(|line| line.starts_with(words)).expect("a line")
    }

    /// Reads up to a line that is such a one, and gives all of them.
    pub(crate) fn reads_to(&mut self, is_last: impl Fn(&str) -> bool) -> Vec<String> {
        let mut read = Vec::new();
        for line in self.stdout.as_mut().expect("piped").lines() {
            read.push(line.expect("UTF-8"));
            if read.last().is_some_and(|line| is_last(line)) {
                return read;
            }
        }
        panic!("the output ended after {:?}", read.last())
    }

    /// Reads where it listens, which it says first.
    pub(crate) fn listens(&mut self) -> SocketAddrV4 {
        let lines = self.reads_to(|line| line.contains(", listening on "));
        let port = lines.last().and_then(|line| line.rsplit(':').next()).expect("a port");
        SocketAddrV4::new(Ipv4Addr::LOCALHOST, port.parse().expect("a port"))
    }

    /// Where it keeps its profiles, unless it was told where.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.dir.path().join("p2p-chat")
    }

    /// Resident memory in KiB, as Linux tells it.
    pub(crate) fn resident_kib(&self) -> u64 {
        status_of(self.child.id(), "VmRSS:")
    }

    /// Reads no more, and lets it know.
    pub(crate) fn closes_output(&mut self) {
        self.stdout = None;
    }

    /// Asks it to end.
    pub(crate) fn is_sent(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs, or was not waited for");
    }

    /// How it ended; `None` if it still runs after `time`.
    pub(crate) fn status_within(&mut self, time: Duration) -> Option<ExitStatus> {
        self.ended.recv_timeout(time).ok()?;
        Some(self.child.wait().expect("it ended"))
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
