//! The application: one loop over one queue of events from the node and the user.

mod answer;
mod begin;
mod choose;
mod clock;
mod contacts;
pub(in crate::tui) mod greeting;
mod handle_event;
mod handle_input;
mod history;
mod input;
mod invitations;
mod leave;
mod outbox;
mod signals;
pub(crate) mod terminal_caps;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::io::{self, IsTerminal, Write};
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use anyhow::Context;
use begin::{ProfileFiles, Started, start};
use clock::Clock;
pub(crate) use clock::late_words;
use greeting::Visible;
use signals::{Signals, stop_in_background};

use crate::core::{Event, IntroducedPeer, Meeting, OpId, PeerInfo, PeerRequest, Pin, Row};
use crate::exit::{FAILURE, OutputGone};
use crate::interfaces;
use crate::mailbox::Mailbox;
use crate::model::address::{AddrError, PeerAddr, SourcePrefix};
use crate::model::delivery::PendingReason;
use crate::model::key::PublicKey;
use crate::model::name::Name;
use crate::model::peer_id::Recipient;
use crate::model::stored::RowId;
use crate::runtime::{ContactBook, Node};
use crate::settings::{self, Misused, Settings};
use crate::tui::commands::{MAX_LISTED, Received};
use crate::tui::{self, Attention, Chosen, Directory, Ink, Input, Labels, Line, Menu, Notices, Screen};

enum AppEvent {
    Core(Event),
    Input(Input),
    /// The program was stopped and continued, for the n-th time.
    #[cfg_attr(not(unix), allow(dead_code))]
    Continued(u64),
    /// A signal asks to end the program.
    #[cfg_attr(not(unix), allow(dead_code))]
    Signal(i32),
}

impl From<Event> for AppEvent {
    fn from(event: Event) -> Self {
        Self::Core(event)
    }
}

type Queue = Arc<Mailbox<AppEvent>>;

/// Runs the program from its arguments to its exit status.
///
/// # Errors
/// Why it cannot start or continue. Each error chain reads as sentences for the user.
pub(crate) fn run(settings: &Settings) -> anyhow::Result<ExitCode> {
    let terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    let peers = settings::static_peers(settings).map_err(Misused::new)?;
    let no_peers = peers.is_empty();
    let queue = Queue::default();
    let signals = Signals::open()?;
    signals.watch(&queue)?;
    let Started { name, identity, contacts, node, own, told } = start(settings, peers, terminal, &queue)?;
    // Before this, a signal ends the program at once.
    signals::start();
    let mut app = App::new(settings, node, contacts, Arc::clone(&queue), terminal);
    app.own = own;
    if !terminal || tui::is_in_foreground() {
        app.listen()?;
    }
    let contacts = app.contacts.file.all().filter(|contact| !contact.blocked).count();
    let alone = no_peers && contacts == 0 && app.contacts.pins.is_empty();
    let shown = app.greet(&name, identity.why_not_stored(), (!alone).then_some(contacts), told);
    // Keeps the lock of the profile until the end.
    let ended = app.run(shown);
    drop(identity);
    ended
}

/// Why the application ends.
enum Ending {
    /// The user chose to, or the input ended.
    Exit,
    /// A signal, or the key for one.
    Signal(i32),
}

/// SIGHUP, also used for a terminal that vanished without the signal.
const HANG_UP: i32 = 1;

/// SIGINT, also used for Ctrl-C as a key.
const INTERRUPT: i32 = 2;

/// Lines after which a long batch of events is printed before the rest is handled, so that a burst
/// appears while it arrives.
const LINES_AT_ONCE: usize = 100;

/// How often the networks of this machine are read. The program wakes up for contacts.toml anyway,
/// so this causes no wake-up of its own.
const NETWORKS_INTERVAL: Duration = Duration::from_secs(3);

pub(in crate::tui) struct App {
    pub(super) node: Node,
    queue: Queue,
    pub(super) screen: Screen,
    menu: Menu,
    plain: bool,
    shows_status: bool,
    /// The IP for others that the user chose.
    advertise: Option<Ipv4Addr>,
    pub(super) labels: Labels,
    pub(super) contacts: ContactBook,
    introductions: invitations::SavingIntroductions,
    clock: Clock,
    own: ProfileFiles,
    /// Messages that are about to be printed, and are stored as shown after that.
    shown: Vec<RowId>,
    /// The entries that `/outbox` listed last.
    outbox: Vec<outbox::OutboxLine>,
    attention: Attention,
    /// The notices about peers in the last minute.
    notices: Notices,
    began: Instant,
    /// What `/copy` copies.
    pub(super) received: Option<Received>,
    /// Why messages wait for peers, as the user was told since each peer was last online.
    told_waiting: BTreeMap<Recipient, PendingReason>,
    /// The contacts that have asked to compare safety numbers.
    verifying: BTreeSet<Recipient>,
    /// Addresses with an alias where no peer has proven itself yet.
    named_unproven: BTreeSet<Recipient>,
    /// Messages without a final status.
    texts: HashMap<OpId, Sent>,
    /// Connects of `/add ADDRESS` in progress.
    adding: BTreeSet<OpId>,
    /// The lines about messages without a receipt when the user left.
    undelivered: Vec<Line>,
    /// The status of the last message, for the status line.
    outcome: Option<String>,
    /// Our address for others, for the status line.
    own_addr: String,
    /// Who can discover us, as the user was told last.
    visible: Option<Visible>,
    /// When the networks of this machine were read last.
    networks_at: Instant,
    /// How many peers are online.
    here: usize,
    /// The peer in the current conversation.
    with: Option<tui::Partner>,
    /// Whether `here` and `with` may be out of date.
    stale: bool,
    /// How often the program was stopped and continued.
    continued: u64,
    /// Whether the user pressed Ctrl-C once and was asked to confirm.
    asked_to_leave: bool,
    /// Requests the next line, if input is read line by line.
    next_line: Option<SyncSender<()>>,
    /// Whether input is read: not while the program is in the background of a terminal.
    listens: bool,
    /// Whether a shell has the terminal, so that nothing is shown.
    away: bool,
    /// The operation that must finish before the next line is read.
    busy: Option<OpId>,
    /// Whether a line of a script could not be carried out.
    failed: bool,
    /// Events that were taken from the queue after the one that ends the program.
    rest: VecDeque<AppEvent>,
    pub(super) out: Vec<Line>,
    /// Bytes of bells and notifications to write.
    pub(super) calls: String,
}

/// A message without a final status.
struct Sent {
    to: Chosen,
    /// How many recipients it is queued for.
    waiting: usize,
    /// Whether the first status is known for all recipients.
    settled: bool,
    /// Whether success is shown only in the status line.
    quiet: bool,
}

/// The directory that the prompt uses to find peers.
struct NodeDirectory<'a> {
    node: &'a Node,
    labels: &'a Labels,
    verifying: &'a BTreeSet<Recipient>,
}

impl Directory for NodeDirectory<'_> {
    fn rows(&self) -> Vec<Row> {
        self.node.rows()
    }

    fn is_own(&self, addr: PeerAddr) -> bool {
        self.node.is_own(addr)
    }

    fn is_own_key(&self, key: PublicKey) -> bool {
        self.node.own_key() == key
    }

    fn labels(&self) -> &Labels {
        self.labels
    }

    fn contacts(&self) -> Vec<Pin> {
        self.node.unlisted_contacts()
    }

    fn blocked(&self) -> Vec<Pin> {
        self.node.blocked_contacts()
    }

    fn blocked_legacy(&self) -> Vec<PeerInfo> {
        self.node.blocked_legacy()
    }

    fn blocked_sources(&self) -> Vec<SourcePrefix> {
        self.node.blocked_sources()
    }

    fn at(&self, addr: PeerAddr) -> Vec<Recipient> {
        self.node.at(addr)
    }

    fn pin_of(&self, id: Recipient) -> Option<Pin> {
        self.node.pin_of(id)
    }

    fn pins_named(&self, word: &str) -> Vec<Pin> {
        self.node.pins_for(word)
    }

    fn requests(&self) -> Vec<PeerRequest> {
        self.node.requests().0
    }

    fn requests_for(&self, word: &str) -> Vec<PeerRequest> {
        self.node.requests_for(word)
    }

    fn refused_for(&self, word: &str) -> Vec<Meeting> {
        self.node.refused_for(word)
    }

    fn introductions(&self) -> Vec<IntroducedPeer> {
        self.node.introductions()
    }

    fn ignored_introductions(&self) -> Vec<IntroducedPeer> {
        self.node.ignored_introductions()
    }

    fn has_asked_to_verify(&self, id: Recipient) -> bool {
        self.verifying.contains(&id)
    }

    fn code_with(&self, key: PublicKey) -> String {
        self.node.code_with(key)
    }

    fn queued(&self, id: Recipient) -> usize {
        self.node.queued(id)
    }

    fn discovered(&self) -> Vec<PeerInfo> {
        self.node.discovered_strangers()
    }

    fn address(&self, word: &str) -> Result<PeerAddr, AddrError> {
        interfaces::parse_addr(word)
    }
}

impl App {
    fn new(settings: &Settings, node: Node, contacts: ContactBook, queue: Queue, terminal: bool) -> Self {
        // A user at a terminal may type during a command. A script waits until it has finished.
        let busy = (!io::stdin().is_terminal()).then(|| node.start_op());
        let palette = terminal_caps::palette(settings.color, settings.plain);
        let screen = if terminal { Screen::cooked(palette, !settings.plain) } else { Screen::lines(palette) };
        let mut labels = Labels::new(contacts.aliases());
        labels.set_own_name(&node.name());
        let mut app = Self {
            queue,
            screen,
            // A person at a terminal is asked again. A script is not.
            menu: Menu::new(io::stdin().is_terminal()),
            plain: settings.plain,
            shows_status: settings.status,
            advertise: settings.advertise,
            labels,
            contacts,
            introductions: invitations::SavingIntroductions::default(),
            clock: Clock::new(settings.time_format.clone()),
            own: ProfileFiles::default(),
            shown: Vec::new(),
            outbox: Vec::new(),
            attention: Attention::new(
                settings.bell,
                terminal_caps::osc(settings.notify),
                settings.notify_text,
            ),
            notices: if terminal { Notices::holding_arrivals() } else { Notices::default() },
            told_waiting: BTreeMap::new(),
            verifying: BTreeSet::new(),
            began: Instant::now(),
            received: None,
            named_unproven: BTreeSet::new(),
            texts: HashMap::new(),
            adding: BTreeSet::new(),
            undelivered: Vec::new(),
            outcome: None,
            own_addr: greeting::own_addr(&node, settings.advertise),
            visible: Visible::of(&node),
            networks_at: Instant::now(),
            here: 0,
            with: None,
            stale: true,
            continued: 0,
            asked_to_leave: false,
            next_line: None,
            listens: false,
            away: false,
            busy,
            failed: false,
            rest: VecDeque::new(),
            out: Vec::new(),
            calls: String::new(),
            node,
        };
        app.label_all_peers();
        app
    }

    fn listen(&mut self) -> anyhow::Result<()> {
        let input = Arc::clone(&self.queue);
        let take = move |what| input.put(AppEvent::Input(what));
        if self.screen.is_terminal() && !tui::is_dumb() && !self.plain {
            self.screen
                .take_over(self.attention.is_wanted())
                .context("Cannot control the terminal; start with --plain.")?;
            if let Some(editor) = self.screen.editor() {
                for line in self.own.recalled.drain(..) {
                    editor.remember(&line);
                }
            }
            tui::read_keys(take)?;
        } else {
            self.next_line = Some(tui::read_lines(take)?);
        }
        self.listens = true;
        Ok(())
    }

    /// Continues after a stop: takes the terminal in the foreground, stops again in the background.
    fn resume(&mut self) -> io::Result<()> {
        self.away = !tui::is_in_foreground() && !stop_in_background();
        if self.away {
            // The continuation or the end comes as a later event.
            return Ok(());
        }
        if self.listens {
            return self.screen.resume();
        }
        self.listen().map_err(io::Error::other)?;
        self.ask();
        self.want_line();
        Ok(())
    }

    /// Shows the first lines. `contacts` is their number, or `None` if no peer is known at all.
    fn greet(
        &mut self,
        name: &Name,
        not_stored: Option<&str>,
        contacts: Option<usize>,
        told: Vec<String>,
    ) -> io::Result<()> {
        let (advertise, is_terminal) = (self.advertise, self.screen.is_terminal());
        let lines = greeting::lines(name, not_stored, &self.node, advertise, is_terminal, contacts);
        self.out.extend(lines.into_iter().chain(told).map(Line::from));
        let undecided = self.undecided_at_start();
        self.out.extend(undecided);
        self.catch_up();
        if self.busy.is_none() {
            self.ask();
        }
        self.show()?;
        self.want_line();
        if !self.listens {
            return self.resume();
        }
        Ok(())
    }

    /// Shows the current prompt of the menu.
    fn ask(&mut self) {
        let ink = match self.menu.conversation() {
            Some(with) if self.menu.is_at_choice() => {
                with.peer().and_then(|id| self.labels.name(id)).map_or(Ink::Strong, tui::ink_of)
            }
            _ => Ink::Plain,
        };
        let prompt = self.menu.prompt();
        // A message that is typed now waits.
        let state = self.with.as_ref().filter(|_| self.menu.is_at_choice()).and_then(tui::Partner::absence);
        let prompt = match (state, prompt.strip_suffix("> ")) {
            (Some(state), Some(to)) if self.screen.edits() => format!("{to} ({state})> "),
            _ => prompt,
        };
        self.screen.ask(Line::of(ink, prompt));
    }

    /// Reads the networks of this machine if that is due: one may be up that was not at the start.
    fn tend_networks(&mut self) {
        if self.networks_at.elapsed() < NETWORKS_INTERVAL {
            return;
        }
        self.networks_at = Instant::now();
        // If the addresses have changed, an event follows.
        self.node.read_ips();
        self.follow_networks();
    }

    /// Has discovery use the current networks. Says so if this changes who can discover us.
    fn follow_networks(&mut self) {
        self.node.follow_networks();
        let visible = Visible::of(&self.node);
        // A network that is down for a moment is no news.
        let Some(Visible::At(words) | Visible::Hidden(words)) = &visible else { return };
        if visible != self.visible {
            self.say(format!("{words}."));
            self.visible = visible;
        }
    }

    /// Returns who can discover us, and if `with_hint` how to change that.
    pub(super) fn who_discovers(&mut self, with_hint: bool) -> String {
        self.visible = Visible::of(&self.node);
        greeting::who_discovers(self.visible.as_ref(), &self.node, with_hint)
    }

    pub(super) fn say(&mut self, line: impl Into<Line>) {
        self.out.push(line.into());
    }

    /// Prints a list as far as it is short, and how many more lines it has.
    pub(super) fn list(&mut self, mut lines: Vec<Line>) {
        let more = lines.len().saturating_sub(MAX_LISTED);
        lines.truncate(MAX_LISTED);
        self.out.append(&mut lines);
        if more > 0 {
            self.say(format!("And {more} more."));
        }
    }

    /// Prints why a line is not carried out.
    pub(super) fn refuse(&mut self, sentence: impl Into<String>) {
        let sentence = sentence.into();
        self.fails(&sentence);
        self.say(Line::of(Ink::Bad, sentence));
    }

    /// Whether the lines come from a pipe or a file.
    fn reads_script(&self) -> bool {
        self.next_line.is_some() && !io::stdin().is_terminal()
    }

    /// Records that a line of a script was not carried out. Writes the reason to standard error.
    fn fails(&mut self, reason: &str) {
        if !self.reads_script() {
            return;
        }
        self.failed = true;
        // A terminal shows the reason already.
        if !(io::stdout().is_terminal() && io::stderr().is_terminal()) {
            // If standard error is closed, only the exit status reports it.
            let _ = writeln!(io::stderr(), "p2p-chat: {reason}");
        }
    }

    /// Prints pending lines above the prompt.
    fn show(&mut self) -> io::Result<()> {
        if self.away {
            return Ok(());
        }
        if self.screen.edits() {
            self.refresh();
            let status = self.shows_status.then(|| self.status());
            self.screen.set_status(status);
        }
        let lines = std::mem::take(&mut self.out);
        let calls = std::mem::take(&mut self.calls);
        // After a failed print these are never stored as shown.
        let shown = std::mem::take(&mut self.shown);
        self.screen.show(&lines, &calls)?;
        self.node.shown(shown);
        Ok(())
    }

    /// Requests the next line, unless an operation has to finish first.
    fn want_line(&self) {
        if let (Some(next), None) = (&self.next_line, self.busy) {
            // A full channel means that the line is already requested.
            let _ = next.try_send(());
        }
    }

    /// Handles events until one ends the program, then says goodbye. `shown` is the result of
    /// showing the first lines.
    fn run(mut self, shown: io::Result<()>) -> anyhow::Result<ExitCode> {
        let ending = shown.and_then(|()| {
            loop {
                if let Some(ending) = self.batch()? {
                    return Ok(ending);
                }
            }
        });
        // A terminal that cannot be printed to has vanished.
        let ending = if self.screen.is_terminal() { ending.or(Ok(Ending::Signal(HANG_UP))) } else { ending };
        let failed = self.leave();
        Ok(match ending.context(OutputGone)? {
            Ending::Exit if failed => ExitCode::from(FAILURE),
            Ending::Exit => ExitCode::SUCCESS,
            // The exit status that a shell gives a program ended by a signal.
            Ending::Signal(signal) => ExitCode::from(128 + u8::try_from(signal).unwrap_or(0)),
        })
    }

    /// Handles all pending events, then shows the result once.
    fn batch(&mut self) -> io::Result<Option<Ending>> {
        let due = self.notices.due().map(|due| self.began + due);
        let tended = self.contacts.due();
        let due = due.map_or(tended, |due| due.min(tended));
        let mut events = self.queue.take(Some(due));
        let is_idle = events.is_empty();
        while let Some(event) = events.pop_front() {
            let ending = match event {
                AppEvent::Core(event) => {
                    self.event(&event);
                    None
                }
                AppEvent::Input(input) => self.input(input)?,
                AppEvent::Continued(times) => {
                    if times > self.continued {
                        self.resume()?;
                    }
                    None
                }
                AppEvent::Signal(signal) => Some(Ending::Signal(signal)),
            };
            if ending.is_some() {
                // `leave` handles the others.
                self.rest = events;
                return Ok(ending);
            }
            if self.out.len() >= LINES_AT_ONCE {
                self.show()?;
            }
        }
        self.tend_contacts();
        self.tend_introductions();
        self.tend_networks();
        let overdue = self.notices.overdue(self.began.elapsed());
        self.tell_now(overdue);
        // Checking contacts.toml alone redraws nothing.
        if !is_idle || !self.out.is_empty() || self.stale {
            self.show()?;
        }
        Ok(None)
    }
}
