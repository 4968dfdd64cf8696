//! The application: one loop over one queue of happenings, between the node and the person.

mod begin;
mod signals;

use std::collections::{HashMap, VecDeque};
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use anyhow::Context;
use begin::start;
use signals::{stop_in_background, watch_signals};

use crate::chat::{ANSWER_WITHIN, Command, Event, OpId, Row, State, Target, Unsendable, Who};
use crate::cli::{Cli, Misused};
use crate::config;
use crate::mailbox::Mailbox;
use crate::message::Fate;
use crate::node::Node;
use crate::peer::{Name, PeerAddr};
use crate::ui::{self, Act, Directory, Input, Menu, Screen, Turn, Typed};
use crate::wire;

/// Time for threads to end after the goodbyes are said, so that Exit takes at most two seconds in all.
const STOP_WITHIN: Duration = Duration::from_millis(100);

/// Recipients that a prompt names.
const MAX_LABELLED: usize = 3;

/// The time of day as it is shown.
const CLOCK: &str = "%H:%M:%S";

/// Something that the application reacts to.
enum Happening {
    Chat(Event),
    Input(Input),
    /// The program was stopped and goes on.
    #[cfg_attr(not(unix), allow(dead_code))]
    Continued,
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
    let queue = Queue::default();
    let (name, node) = start(cli, peers, terminal, &queue)?;
    let mut app = App::new(node, Arc::clone(&queue), terminal)?;
    let shown = app.greet(&name);
    app.run(shown)
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
    /// Texts under way, and to whom each could not be sent.
    texts: HashMap<OpId, (String, Vec<Who>)>,
    /// Asks for the next line, where lines are read one by one.
    next_line: Option<SyncSender<()>>,
    /// Whether what is typed is taken: not as long as the program is in the background of a terminal.
    listens: bool,
    /// What has to be settled before the next line is read.
    busy: Option<OpId>,
    /// What was taken from the queue together with what ended the program.
    rest: VecDeque<Happening>,
    out: Vec<String>,
}

/// What the menu looks people up in.
struct People<'a>(&'a Node);

impl Directory for People<'_> {
    fn rows(&self) -> Vec<Row> {
        self.0.rows()
    }

    fn is_own(&self, addr: PeerAddr) -> bool {
        self.0.is_own(addr)
    }
}

impl App {
    fn new(node: Node, queue: Queue, terminal: bool) -> anyhow::Result<Self> {
        watch_signals(&queue)?;
        // A person at a terminal may type on while a command is under way; a script must not run ahead of itself.
        let busy = (!io::stdin().is_terminal()).then(|| node.start_op());
        let screen = if terminal { Screen::cooked() } else { Screen::lines() };
        let (menu, texts, out) = (Menu::new(), HashMap::new(), Vec::new());
        let rest = VecDeque::new();
        let mut app =
            Self { node, queue, screen, menu, texts, next_line: None, listens: false, busy, rest, out };
        if !terminal || ui::is_in_foreground() {
            app.listen()?;
        }
        Ok(app)
    }

    /// Begins to take what is typed.
    fn listen(&mut self) -> anyhow::Result<()> {
        let input = Arc::clone(&self.queue);
        let take = move |what| input.put(Happening::Input(what));
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if self.screen.is_terminal() && !dumb {
            let raw = Screen::raw().context("Cannot take over the terminal; TERM=dumb does without.")?;
            self.screen = raw;
            ui::read_keys(take)?;
        } else {
            self.next_line = Some(ui::read_lines(take)?);
        }
        self.listens = true;
        Ok(())
    }

    /// The program was stopped, or in the background, and goes on in the foreground.
    fn resume(&mut self) -> io::Result<()> {
        if self.listens {
            return self.screen.resume();
        }
        if ui::is_in_foreground() {
            self.listen().map_err(io::Error::other)?;
            self.screen.ask(self.menu.prompt());
            self.want_line();
            return Ok(());
        }
        stop_in_background();
        Ok(())
    }

    fn greet(&mut self, name: &Name) -> io::Result<()> {
        let addr = self.node.addr();
        let at = if addr.ip().is_unspecified() { String::new() } else { format!(" of {}", addr.ip()) };
        self.out.push(format!("You are {name}, listening at port {}{at}.", addr.port()));
        self.out.extend(Menu::lines());
        if self.busy.is_none() {
            self.screen.ask(self.menu.prompt());
        }
        self.show()?;
        self.want_line();
        if !self.listens {
            stop_in_background();
        }
        Ok(())
    }

    /// Shows what there is to show, above the current prompt.
    fn show(&mut self) -> io::Result<()> {
        let lines = std::mem::take(&mut self.out);
        self.screen.show(&lines)
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
        self.leave();
        Ok(match ending.context("Standard output is gone")? {
            Ending::Exit => ExitCode::SUCCESS,
            // As a shell says it of a program that a signal ended.
            Ending::Signal(signal) => ExitCode::from(128 + u8::try_from(signal).unwrap_or(0)),
        })
    }

    /// Takes everything that has happened, and shows it at once.
    fn batch(&mut self) -> io::Result<Option<Ending>> {
        let mut happenings = self.queue.take(None);
        while let Some(happening) = happenings.pop_front() {
            let ending = match happening {
                Happening::Chat(event) => {
                    self.event(&event);
                    None
                }
                Happening::Input(input) => self.input(input)?,
                Happening::Continued => {
                    self.resume()?;
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
        self.show()?;
        Ok(None)
    }

    fn event(&mut self, event: &Event) {
        let clock = jiff::Zoned::now().strftime(CLOCK).to_string();
        let lines = ui::lines(event, &clock);
        lines.iter().for_each(|line| log::info!("{line}"));
        self.out.extend(lines);
        match event {
            Event::Done { op, who, fate: Fate::Failed(_), parts: (0, _), .. } => self.failed(*op, who),
            Event::NotSent { op, why: Unsendable::CommandWord(word), .. }
                if self.texts.get(op).is_some_and(|(text, _)| text.trim() == *word) => {}
            Event::NotSent { op, who, .. } => self.failed(*op, who),
            Event::Settled(op) => {
                self.keep_what_failed(*op);
                if self.busy == Some(*op) {
                    self.busy = None;
                    self.screen.ask(self.menu.prompt());
                    self.want_line();
                }
            }
            _ => {}
        }
    }

    fn failed(&mut self, op: OpId, who: &Who) {
        if let Some((_, failed)) = self.texts.get_mut(&op) {
            failed.push(who.clone());
        }
    }

    /// Keeps the text of a command for sending it again to those who could not have it, and says how.
    fn keep_what_failed(&mut self, op: OpId) {
        let Some((text, failed)) = self.texts.remove(&op) else { return };
        if failed.is_empty() {
            return;
        }
        let names: Vec<String> = failed.iter().take(MAX_LABELLED).map(ui::named).collect();
        let more = failed.len() - names.len();
        let label = names.join(", ") + &if more > 0 { format!(" and {more} more") } else { String::new() };
        let say = self.menu.keep(Target::These(failed.iter().map(|who| who.addr).collect()), label, text);
        self.out.extend(say);
    }

    fn input(&mut self, input: Input) -> io::Result<Option<Ending>> {
        match input {
            Input::Key(key) => {
                let Some(editor) = self.screen.editor() else {
                    return Ok(None);
                };
                match editor.key(key) {
                    Typed::Edited => {}
                    Typed::Line(line) => {
                        self.show()?;
                        self.screen.finish_line(&line)?;
                        return Ok(self.line(&line));
                    }
                    Typed::Escape => {
                        let typed = editor.take();
                        let say = self.menu.escape(typed);
                        self.out.extend(say);
                        self.screen.ask(self.menu.prompt());
                    }
                    Typed::Leave => return Ok(Some(Ending::Exit)),
                    Typed::Interrupt => return Ok(Some(Ending::Signal(INTERRUPT))),
                }
            }
            Input::Paste(text) => {
                if let Some(editor) = self.screen.editor() {
                    editor.paste(&text);
                }
            }
            Input::Resized => self.screen.resized()?,
            Input::Line(line) => {
                self.screen.finish_line(&line)?;
                return Ok(self.line(&line));
            }
            Input::LineTooLong => {
                let limit = ui::MAX_LINE_BYTES;
                self.out
                    .push(format!("That line has more than {limit} bytes and was passed over; divide it."));
                self.want_line();
            }
            Input::End => return Ok(Some(Ending::Exit)),
            Input::HangUp => return Ok(Some(Ending::Signal(HANG_UP))),
        }
        Ok(None)
    }

    /// Takes a finished line to the menu, and does what comes of it.
    fn line(&mut self, line: &str) -> Option<Ending> {
        #[cfg(debug_assertions)]
        if std::env::var("P2P_CHAT_TEST_PANIC").is_ok_and(|word| word == line) {
            panic!("asked to panic by a test");
        }
        let Turn { say, act, refill } = self.menu.line(line, &People(&self.node));
        self.out.extend(say);
        if let (Some(refill), Some(editor)) = (refill, self.screen.editor()) {
            editor.offer(&refill);
        }
        let op = match act {
            None => None,
            Some(Act::Exit) => return Some(Ending::Exit),
            Some(Act::Send(to, text)) => self.send(to, text),
            Some(Act::List) => Some(self.node.command(Command::List)),
            Some(Act::Connect(to)) => Some(self.node.command(Command::Connect(to))),
            Some(Act::Disconnect(to)) => Some(self.node.command(Command::Disconnect(to))),
        };
        if !io::stdin().is_terminal() {
            self.busy = op;
        }
        // A script is asked for the next line when it is read, so that its transcript reads in order.
        if self.busy.is_none() {
            self.screen.ask(self.menu.prompt());
            self.want_line();
        }
        None
    }

    fn send(&mut self, to: Target, text: String) -> Option<OpId> {
        match wire::messages_for(&text, self.node.name()) {
            Ok(parts) => {
                let op = self.node.command(Command::Send { to, parts: parts.into() });
                self.texts.insert(op, (text, Vec::new()));
                Some(op)
            }
            Err(error) => {
                self.out.push(error.to_string());
                // Whoever types can change it; a script goes on with the menu.
                if let Some(editor) = self.screen.editor() {
                    editor.set(&text);
                    self.menu.ask_text_again();
                }
                None
            }
        }
    }

    /// Says goodbye to everybody and ends, within two seconds, or at once if asked a second time.
    fn leave(mut self) {
        let deadline = Instant::now() + ANSWER_WITHIN;
        let there = self.node.rows().iter().filter(|row| row.state != State::Gone).count();
        let mut lines = std::mem::take(&mut self.out);
        if there > 0 {
            lines.push(format!("Saying goodbye to {there} {}.", if there == 1 { "peer" } else { "peers" }));
        }
        // Standard output may be gone, which is no reason not to say goodbye.
        let _ = self.screen.close(&lines);
        let goodbye = self.node.command(Command::Leave);
        let rest = std::mem::take(&mut self.rest);
        self.last_happenings(rest, goodbye);
        loop {
            let happenings = self.queue.take(Some(deadline));
            if happenings.is_empty() || Instant::now() >= deadline {
                self.rest = happenings;
                break;
            }
            let over = self.last_happenings(happenings, goodbye);
            let _ = self.show();
            if over {
                break;
            }
        }
        let late = std::mem::take(&mut self.rest);
        self.last_happenings(late, goodbye);
        // What was acknowledged until now is shown; what comes later is not acknowledged.
        self.node.close();
        let rest = self.queue.take(Some(Instant::now()));
        self.last_happenings(rest, goodbye);
        let _ = self.show();
        self.node.stop(Instant::now() + STOP_WITHIN);
        // What could not be sent any more has failed.
        let rest = self.queue.take(Some(Instant::now()));
        self.last_happenings(rest, goodbye);
        let _ = self.show();
    }

    /// Takes what happens while leaving; says whether it is time to go.
    fn last_happenings(&mut self, happenings: VecDeque<Happening>, goodbye: OpId) -> bool {
        let mut over = false;
        for happening in happenings {
            match happening {
                Happening::Chat(Event::Settled(op)) if op == goodbye => over = true,
                Happening::Chat(event) => self.event(&event),
                Happening::Signal(_) => over = true,
                Happening::Input(_) | Happening::Continued => {}
            }
        }
        over
    }
}
