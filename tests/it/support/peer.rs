//! One p2p-chat process, driven through its standard input and output as a script would.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use tempfile::TempDir;

use super::SOON;

/// A peer about to be started.
pub(crate) struct Builder {
    name: String,
    args: Vec<String>,
    any_port: bool,
    files: Vec<(String, Vec<u8>)>,
    env: Vec<(String, String)>,
    /// The command that starts the program, where that is not the system.
    under: Vec<String>,
}

/// What the process printed so far, and whether it can print more.
#[derive(Default)]
struct Printed {
    state: Mutex<(Vec<String>, bool)>,
    changed: Condvar,
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
    dir: TempDir,
}

impl Builder {
    /// Another command line argument.
    pub(crate) fn arg(mut self, arg: impl ToString) -> Self {
        self.args.push(arg.to_string());
        self
    }

    /// An environment variable.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Is started by a shell that does this before, such as `ulimit -n 40`.
    pub(crate) fn after(mut self, script: &str) -> Self {
        self.under = ["/bin/sh".into(), "-c".into(), format!("{script} && exec \"$0\" \"$@\"")].into();
        self
    }

    /// Listens at this port instead of any free one.
    pub(crate) fn port(self, port: u16) -> Self {
        self.arg("--port").arg(port)
    }

    /// Is not told on the command line where to listen.
    pub(crate) fn without_port(mut self) -> Self {
        self.any_port = false;
        self
    }

    /// Is started by this command, whose last arguments are the program and its own.
    pub(crate) fn under(mut self, command: &[&str]) -> Self {
        self.under = command.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// What it is called.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Dials this address from the start.
    pub(crate) fn knows(self, addr: SocketAddrV4) -> Self {
        self.arg("--peer").arg(addr)
    }

    /// Finds this peers.toml in its working directory.
    pub(crate) fn peers_toml(self, text: &str) -> Self {
        self.file("peers.toml", text)
    }

    /// Finds this file under its working directory, which is also its home and its configuration directory.
    pub(crate) fn file(mut self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.files.push((path.to_owned(), content.as_ref().to_vec()));
        self
    }

    /// The command that starts it, in a directory of its own.
    pub(crate) fn command(&self) -> (Command, TempDir) {
        let dir = TempDir::new().expect("a temporary directory");
        for (path, content) in &self.files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder made");
            std::fs::write(path, content).expect("a file written");
        }
        let program = env!("CARGO_BIN_EXE_p2p-chat");
        let mut command = match &self.under[..] {
            [] => Command::new(program),
            [starter, args @ ..] => {
                let mut command = Command::new(starter);
                command.args(args).arg(program);
                command
            }
        };
        command.current_dir(dir.path()).env_clear();
        for folder in ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"] {
            command.env(folder, dir.path());
        }
        command.envs(self.env.iter().cloned());
        if !self.name.is_empty() {
            command.args(["--name", &self.name]);
        }
        let says_port = self.args.iter().any(|arg| arg == "--port");
        if self.any_port && !says_port && !self.env.iter().any(|(name, _)| name == "P2P_CHAT_PORT") {
            command.args(["--port", "0"]);
        }
        command.args(&self.args);
        (command, dir)
    }

    /// Starts it and waits until it listens.
    pub(crate) fn start(self) -> Peer {
        let mut peer = self.start_without_waiting();
        let line = peer.sees("listening at port ");
        let number = line.split("port ").nth(1).expect("a port").trim_end_matches('.');
        peer.port = number.split(' ').next().expect("a word").parse().expect("a port");
        peer
    }

    /// Starts it, whatever it does then.
    pub(crate) fn start_without_waiting(self) -> Peer {
        let (mut command, dir) = self.command();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stdin = child.stdin.take();
        let stdout = collect(child.stdout.take().expect("piped"));
        let stderr = collect(child.stderr.take().expect("piped"));
        Peer { name: self.name, child, stdin, stdout, stderr, port: 0, seen: 0, dir }
    }
}

fn collect(pipe: impl Read + Send + 'static) -> Arc<Printed> {
    let printed = Arc::new(Printed::default());
    let collected = Arc::clone(&printed);
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut bytes = Vec::new();
        while pipe.read_until(b'\n', &mut bytes).is_ok_and(|count| count > 0) {
            // Only the newline that ends it is taken off; what is no text stays recognisable, and is found harmful.
            let line = String::from_utf8(bytes.strip_suffix(b"\n").unwrap_or(&bytes).to_vec())
                .unwrap_or_else(|error| format!("\x1b no UTF-8: {:?}", error.into_bytes()));
            collected.state.lock().expect("not poisoned").0.push(line);
            collected.changed.notify_all();
            bytes.clear();
        }
        collected.state.lock().expect("not poisoned").1 = true;
        collected.changed.notify_all();
    });
    printed
}

impl Peer {
    /// A peer called `name`, on any free port, that knows nobody.
    pub(crate) fn named(name: &str) -> Builder {
        Builder {
            name: name.to_owned(),
            args: Vec::new(),
            any_port: true,
            files: Vec::new(),
            env: Vec::new(),
            under: Vec::new(),
        }
    }

    /// Where it is dialled.
    pub(crate) fn addr(&self) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::LOCALHOST, self.port)
    }

    /// The name and address by which others show it.
    pub(crate) fn shown(&self) -> String {
        format!("{} ({})", self.name, self.addr())
    }

    /// Its working directory.
    pub(crate) fn dir(&self) -> PathBuf {
        self.dir.path().to_owned()
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

    /// Ends its input.
    pub(crate) fn ends_input(&mut self) {
        self.stdin = None;
    }

    /// Waits for a line that holds `words`, after all lines waited for before, and returns it.
    pub(crate) fn sees(&mut self, words: &str) -> String {
        self.sees_within(words, SOON)
    }

    /// The same where it may take longer.
    pub(crate) fn sees_within(&mut self, words: &str, time: Duration) -> String {
        let (lines, line) = wait_for(&self.stdout, self.seen, words, time);
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

    /// Waits for a line that holds `words`, wherever it stands, without passing the others.
    pub(crate) fn has_seen(&self, words: &str) -> String {
        let (lines, line) = wait_for(&self.stdout, 0, words, SOON);
        match line {
            Some(at) => lines[at].clone(),
            None => panic!("{} never saw `{words}`:\n{}", self.name, lines.join("\n")),
        }
    }

    /// Everything it printed so far.
    pub(crate) fn printed(&self) -> Vec<String> {
        self.stdout.state.lock().expect("not poisoned").0.clone()
    }

    /// The row of the verified peer list that is about `addr`, by way of the menu; `None` if there is none.
    pub(crate) fn lists(&mut self, addr: SocketAddrV4) -> Option<String> {
        self.types(&["2"]);
        let begin = self.seen;
        self.sees(" known, ");
        let addr = format!("  {addr}  ");
        self.printed()[begin..self.seen].iter().rfind(|line| line.contains(&addr)).cloned()
    }

    /// Proves that it still answers: a stranger's message is shown and acknowledged.
    pub(crate) fn still_answers(&mut self) {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        let word = format!("still-there-{}.", ASKED.fetch_add(1, Ordering::Relaxed));
        let bytes = format!("127.0.0.9:9999 Witness {word}");
        let answer = super::send_raw_from([127, 0, 0, 9].into(), self.addr(), bytes.as_bytes());
        assert_eq!(String::from_utf8_lossy(&answer), format!("[ACK] Message received from {}", self.port));
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
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let line = status.lines().find(|line| line.starts_with(field)).expect("Linux tells");
        line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
    }

    /// Open descriptors, as Linux lists them.
    pub(crate) fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("it runs").count()
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

    /// Looks after a peer until the list has it as `state`, which takes more than one look on a busy machine.
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

    /// Ends it without any goodbye.
    pub(crate) fn crashes(&mut self) {
        self.child.kill().expect("it ran");
        self.ends();
    }
}

fn wait_for(printed: &Printed, from: usize, words: &str, time: Duration) -> (Vec<String>, Option<usize>) {
    let deadline = Instant::now() + time;
    let mut state = printed.state.lock().expect("not poisoned");
    let mut next = from;
    loop {
        if let Some(at) = state.0[next.min(state.0.len())..].iter().position(|line| line.contains(words)) {
            return (state.0.clone(), Some(next + at));
        }
        next = next.max(state.0.len());
        let left = deadline.saturating_duration_since(Instant::now());
        if state.1 || left.is_zero() {
            return (state.0.clone(), None);
        }
        state = printed.changed.wait_timeout(state, left).expect("not poisoned").0;
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
