//! How a peer is started: its arguments, its environment, and the directory that it finds.

use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use tempfile::TempDir;

use super::Peer;
use super::printed::collect;
use crate::support::{assert_harmless, nobody};

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

impl Builder {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            args: Vec::new(),
            any_port: true,
            files: Vec::new(),
            env: Vec::new(),
            under: Vec::new(),
        }
    }

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

    /// Listens at this port instead of a free one, which stays free when the program has ended.
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

    /// Keeps its key, its aliases and what it knows of others in this directory, for further
    /// runs. Otherwise that is in a directory of its own and goes with it, so two peers of one name
    /// are two people.
    pub(crate) fn data_dir(self, path: impl AsRef<Path>) -> Self {
        self.arg("--data-dir").arg(path.as_ref().display())
    }

    /// Dials this address from the start.
    pub(crate) fn knows(self, addr: SocketAddrV4) -> Self {
        self.arg("--peer").arg(addr)
    }

    /// Finds this peers.toml in its configuration directory, so its entries are saved.
    pub(crate) fn saved_peers(self, text: &str) -> Self {
        self.file("p2p-chat/peers.toml", text)
    }

    /// Finds this peers.toml in its working directory, so its entries are for the run.
    pub(crate) fn peers_toml(self, text: &str) -> Self {
        self.file("peers.toml", text)
    }

    /// Finds this file under its working directory, which is also its home and its configuration
    /// directory.
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
        // A peer looks for others only in a network of its own, where the test says so.
        command.env("P2P_CHAT_DISCOVER", "off");
        command.envs(self.env.iter().cloned());
        if !self.name.is_empty() {
            command.args(["--name", &self.name]);
        }
        let says_port = self.args.iter().any(|arg| arg == "--port");
        if self.any_port && !says_port && !self.env.iter().any(|(name, _)| name == "P2P_CHAT_PORT") {
            command.args(["--port", &nobody().port().to_string()]);
        }
        command.args(&self.args);
        (command, dir)
    }

    /// Runs a subcommand, which prints no error. Returns its standard output.
    pub(crate) fn prints(self) -> String {
        let (mut command, _dir) = self.command();
        let Output { status, stdout, stderr } = command.output().expect("it runs");
        assert!(status.success() && stderr.is_empty(), "{status}: {}", String::from_utf8_lossy(&stderr));
        let printed = String::from_utf8(stdout).expect("UTF-8");
        assert_harmless(printed.lines());
        printed
    }

    /// Where it keeps what it keeps, if it is started in `dir`.
    fn data(&self, dir: &Path) -> PathBuf {
        let said = self.args.iter().rposition(|arg| arg == "--data-dir");
        let usual = || dir.join("p2p-chat");
        said.and_then(|at| self.args.get(at + 1)).map_or_else(usual, |path| dir.join(path))
    }

    /// Starts it and waits until it listens.
    pub(crate) fn start(self) -> Peer {
        let mut peer = self.start_without_waiting();
        let line = peer.sees(", listening on ");
        peer.port = line.rsplit(':').next().expect("a port").parse().expect("a port");
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
        let data = self.data(dir.path());
        let dirs = vec![Arc::new(dir)];
        Peer { name: self.name, child, stdin, stdout, stderr, port: 0, seen: 0, dirs, data }
    }
}
