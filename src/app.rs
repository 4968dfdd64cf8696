//! The application: one loop over one queue of happenings, between the node and the person.

mod act;
mod begin;
mod choose;
mod clock;
mod contact_list;
mod contacts;
mod greeting;
mod id;
mod leave;
mod looks;
mod outbox;
mod past;
mod signals;
mod tell;
mod typed;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::io::{self, IsTerminal};
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Instant;

use anyhow::Context;
use begin::{Begun, Own, start};
use clock::Clock;
pub use contact_list::contacts;
use contacts::ContactBook;
pub use id::{id, id_list};
use signals::{Signals, stop_in_background};

use crate::cli::{Cli, Misused};
use crate::config;
use crate::core::{Event, Offer, OpId, PeerInfo, Pin, Row, Verification};
use crate::exit::OutputGone;
use crate::mailbox::Mailbox;
use crate::model::address::{AddrError, PeerAddr};
use crate::model::key::PublicKey;
use crate::model::name::Name;
use crate::model::peer_id::Recipient;
use crate::model::stored::RowId;
use crate::net;
use crate::node::Node;
use crate::profile;
use crate::profile::Kept;
use crate::store::Store;
use crate::ui::{self, Attention, Chosen, Directory, Ink, Input, Labels, Line, Menu, Screen};

/// Something that the application reacts to.
enum Happening {
    Chat(Event),
    Input(Input),
    /// The program was stopped and goes on; how often that was.
    #[cfg_attr(not(unix), allow(dead_code))]
    Continued(u64),
    /// A signal asks to end the program.
    #[cfg_attr(not(unix), allow(dead_code))]
    Signal(i32),
}

impl From<Event> for Happening {
    fn from(event: Event) -> Self {
        Self::Chat(event)
    }
}

type Queue = Arc<Mailbox<Happening>>;

/// Runs the program from its arguments to its exit status.
///
/// # Errors
/// What keeps it from starting, or from going on; each chain reads as sentences for the user.
pub fn run(cli: &Cli) -> anyhow::Result<ExitCode> {
    let terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    let peers = config::static_peers(cli).map_err(Misused::new)?;
    let no_peers = peers.is_empty();
    let queue = Queue::default();
    let signals = Signals::open()?;
    let Begun { name, identity, contacts, node, history, own, told } = start(cli, peers, terminal, &queue)?;
    // Not before: whoever is asked for name and port can leave as from any program that reads a line.
    signals.watch(&queue)?;
    let mut app = App::new(cli, node, contacts, history, Arc::clone(&queue), terminal);
    app.own = own;
    if !terminal || ui::is_in_foreground() {
        app.listen()?;
    }
    let contacts = app.contacts.file.all().filter(|contact| !contact.blocked).count();
    let alone = no_peers && contacts == 0 && app.contacts.pins.is_empty();
    let shown = app.greet(&name, identity.kept(), (!alone).then_some(contacts), told);
    // Until then nobody else may be who we are.
    let ended = app.run(shown);
    drop(identity);
    ended
}

/// Why the loop ended.
enum Ending {
    /// The user chose to, or there is no more input.
    Exit,
    /// A signal, or the key that stands for one.
    Signal(i32),
}

/// SIGHUP, which stands for a terminal that vanished whether the signal came or not.
const HANG_UP: i32 = 1;

/// SIGINT, which Ctrl-C stands for whether the terminal sends a signal or a key.
const INTERRUPT: i32 = 2;

struct App {
    node: Node,
    queue: Queue,
    screen: Screen,
    menu: Menu,
    wishes: Wishes,
    labels: Labels,
    contacts: ContactBook,
    clock: Clock,
    /// What was said, for reading.
    history: Box<dyn Store>,
    own: Own,
    /// Messages that are to be printed, or have just been, and are written down as shown after that.
    shown: Vec<RowId>,
    /// What `/outbox` has listed.
    outbox: Vec<outbox::Listed>,
    attention: Attention,
    began: Instant,
    /// Those whose messages are not shown, and how many came since.
    muted: BTreeMap<Recipient, usize>,
    /// Messages of others that came during a conversation.
    unread: BTreeMap<Recipient, usize>,
    /// Recipients with a nickname whose address is still unproven.
    named_unproven: BTreeSet<Recipient>,
    /// Texts under way.
    texts: HashMap<OpId, Sent>,
    /// Connects of `/add ADDRESS` under way.
    adding: BTreeSet<OpId>,
    /// Texts without a receipt when the user left.
    undelivered: leave::Undelivered,
    /// What became of the last text, where the status line tells it.
    outcome: Option<String>,
    /// Where others reach us, as far as is known.
    own_addr: String,
    /// How many peers are there.
    here: usize,
    /// How they are spoken to with whom a conversation is going on.
    with: Option<Verification>,
    /// Something happened since `here` was counted and `with` looked up.
    stale: bool,
    /// How often the program was stopped and has gone on where it was asked to.
    continued: u64,
    /// The user was asked whether they want to leave.
    asked_to_leave: bool,
    /// Asks for the next line, where lines are read one by one.
    next_line: Option<SyncSender<()>>,
    /// Whether what is typed is taken: not as long as the program is in the background of a terminal.
    listens: bool,
    /// A shell has the terminal: nothing is shown until it is ours again.
    away: bool,
    /// What has to be settled before the next line is read.
    busy: Option<OpId>,
    /// What was taken from the queue together with what ended the program.
    rest: VecDeque<Happening>,
    out: Vec<Line>,
    /// Bytes that call for attention.
    calls: String,
}

/// How the user wants things to be shown.
struct Wishes {
    plain: bool,
    status: bool,
    advertise: Option<Ipv4Addr>,
}

/// A text under way.
struct Sent {
    to: Chosen,
    text: Arc<str>,
    /// Those who could not have it.
    failed: Vec<PeerInfo>,
    /// How many will have it later, or not: it is sent to them again until it arrives.
    waiting: usize,
    /// What became of it at first is known of all.
    settled: bool,
    /// Its outcome is told in the status line if it is good.
    quiet: bool,
}

/// What the prompt looks people up in.
struct People<'a> {
    node: &'a Node,
    labels: &'a Labels,
}

impl Directory for People<'_> {
    fn rows(&self) -> Vec<Row> {
        self.node.rows()
    }

    fn is_own(&self, addr: PeerAddr) -> bool {
        self.node.is_own(addr)
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

    fn at(&self, addr: PeerAddr) -> Vec<Recipient> {
        self.node.at(addr)
    }

    fn pin_of(&self, id: Recipient) -> Option<Pin> {
        self.node.pin_of(id)
    }

    fn pins_named(&self, word: &str) -> Vec<Pin> {
        self.node.pins_for(word)
    }

    fn offers_for(&self, word: &str) -> Vec<Offer> {
        self.node.offers_for(word)
    }

    fn code_with(&self, key: PublicKey) -> String {
        self.node.code_with(key)
    }

    fn queued(&self, id: Recipient) -> usize {
        self.node.queued(id)
    }

    fn address(&self, word: &str) -> Result<PeerAddr, AddrError> {
        net::parse_addr(word)
    }
}

impl App {
    fn new(
        cli: &Cli,
        node: Node,
        contacts: ContactBook,
        history: Box<dyn Store>,
        queue: Queue,
        terminal: bool,
    ) -> Self {
        // A person at a terminal may type on while a command is under way; a script must not run ahead of itself.
        let busy = (!io::stdin().is_terminal()).then(|| node.start_op());
        let palette = looks::palette(cli.color, cli.plain);
        let screen = if terminal { Screen::cooked(palette, !cli.plain) } else { Screen::lines(palette) };
        let mut app = Self {
            queue,
            screen,
            menu: Menu::new(false),
            wishes: Wishes { plain: cli.plain, status: cli.status, advertise: cli.advertise },
            labels: Labels::new(profile::aliases(&contacts.file)),
            contacts,
            clock: Clock::new(cli.time_format.clone()),
            history,
            own: Own::default(),
            shown: Vec::new(),
            outbox: Vec::new(),
            attention: Attention::new(cli.bell, looks::osc(cli.notify), cli.notify_text),
            began: Instant::now(),
            muted: BTreeMap::new(),
            unread: BTreeMap::new(),
            named_unproven: BTreeSet::new(),
            texts: HashMap::new(),
            adding: BTreeSet::new(),
            undelivered: leave::Undelivered::default(),
            outcome: None,
            own_addr: greeting::own_addr(&node, cli.advertise),
            here: 0,
            with: None,
            stale: true,
            continued: 0,
            asked_to_leave: false,
            next_line: None,
            listens: false,
            away: false,
            busy,
            rest: VecDeque::new(),
            out: Vec::new(),
            calls: String::new(),
            node,
        };
        app.name_everybody();
        app.mute_contacts();
        app
    }

    /// Begins to take what is typed.
    fn listen(&mut self) -> anyhow::Result<()> {
        let input = Arc::clone(&self.queue);
        let take = move |what| input.put(Happening::Input(what));
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if self.screen.is_terminal() && !dumb && !self.wishes.plain {
            self.screen
                .take_over(self.attention.is_wanted())
                .context("Cannot take over the terminal; --plain does without.")?;
            if let Some(editor) = self.screen.editor() {
                for line in self.own.recalled.drain(..) {
                    editor.remember(&line);
                }
            }
            self.menu.set_can_edit();
            ui::read_keys(take)?;
        } else {
            self.next_line = Some(ui::read_lines(take)?);
        }
        self.listens = true;
        Ok(())
    }

    /// The program was stopped, or in the background, and goes on: in the foreground it takes the terminal over, in the
    /// background it stops.
    fn resume(&mut self) -> io::Result<()> {
        self.away = !ui::is_in_foreground() && !stop_in_background();
        if self.away {
            // The news that it goes on, or is to end, comes as a happening, after whatever else has happened.
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

    /// Shows the first lines. `contacts` is how many there are, or `None` if no peer is known at all.
    fn greet(
        &mut self,
        name: &Name,
        kept: &Kept,
        contacts: Option<usize>,
        told: Vec<String>,
    ) -> io::Result<()> {
        let (advertise, is_terminal) = (self.wishes.advertise, self.screen.is_terminal());
        let lines = greeting::lines(name, kept, &self.node, advertise, is_terminal, contacts);
        self.out.extend(lines.into_iter().chain(told).map(Line::from));
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

    /// Asks what the menu asks now.
    fn ask(&mut self) {
        let ink = match self.menu.conversation() {
            Some(with) if self.menu.is_at_choice() => {
                with.peer().and_then(|id| self.labels.name(id)).map_or(Ink::Strong, ui::ink_of)
            }
            _ => Ink::Plain,
        };
        self.screen.ask(Line::of(ink, self.menu.prompt()));
    }

    fn say(&mut self, line: impl Into<Line>) {
        self.out.push(line.into());
    }

    /// Shows what there is to show, above the current prompt.
    fn show(&mut self) -> io::Result<()> {
        if self.away {
            return Ok(());
        }
        if self.screen.edits() {
            let status = self.wishes.status.then(|| self.status());
            self.screen.set_status(status);
        }
        let lines = std::mem::take(&mut self.out);
        let calls = std::mem::take(&mut self.calls);
        // What could not be printed is not shown, whatever is printed after it.
        let shown = std::mem::take(&mut self.shown);
        self.screen.show(&lines, &calls)?;
        self.node.shown(shown);
        Ok(())
    }

    /// Lets the next line be read, if nothing has to be waited for.
    fn want_line(&self) {
        if let (Some(next), None) = (&self.next_line, self.busy) {
            // A wish that is still standing is enough.
            let _ = next.try_send(());
        }
    }

    /// Lives from the queue until something ends it, then says goodbye. `shown` is what became of the first lines.
    fn run(mut self, shown: io::Result<()>) -> anyhow::Result<ExitCode> {
        let ending = shown.and_then(|()| {
            loop {
                if let Some(ending) = self.batch()? {
                    return Ok(ending);
                }
            }
        });
        // Where a terminal does not take what is printed, it has vanished.
        let ending = if self.screen.is_terminal() { ending.or(Ok(Ending::Signal(HANG_UP))) } else { ending };
        self.leave();
        Ok(match ending.context(OutputGone)? {
            Ending::Exit => ExitCode::SUCCESS,
            // As a shell says it of a program that a signal ended.
            Ending::Signal(signal) => ExitCode::from(128 + u8::try_from(signal).unwrap_or(0)),
        })
    }

    /// Takes everything that has happened, and shows it at once.
    fn batch(&mut self) -> io::Result<Option<Ending>> {
        let mut happenings = self.queue.take(Some(self.contacts.due()));
        let is_idle = happenings.is_empty();
        while let Some(happening) = happenings.pop_front() {
            let ending = match happening {
                Happening::Chat(event) => {
                    self.event(&event);
                    None
                }
                Happening::Input(input) => self.input(input)?,
                Happening::Continued(times) => {
                    if times > self.continued {
                        self.resume()?;
                    }
                    None
                }
                Happening::Signal(signal) => Some(Ending::Signal(signal)),
            };
            if ending.is_some() {
                // The rest is taken while leaving.
                self.rest = happenings;
                return Ok(ending);
            }
        }
        self.tend_contacts();
        // Nothing is drawn again only because it was time to look at contacts.toml.
        if !is_idle || !self.out.is_empty() || self.stale {
            self.show()?;
        }
        Ok(None)
    }
}
