//! The commands of the prompt: their names, arguments and descriptions. Pure. The help, the
//! completion and the manual page all use this table.

/// A command and its description.
#[derive(Clone, Copy, Debug)]
pub struct CommandHelp {
    /// The name, with its slash.
    pub name: &'static str,
    /// The arguments, optional ones in brackets.
    pub arguments: &'static str,
    /// What the command does, in one line.
    pub short: &'static str,
    /// The details, in whole sentences.
    pub long: &'static str,
}

/// The command to leave.
const QUIT: &str = "/quit";

/// All commands, in the order of the help.
pub const COMMANDS: &[CommandHelp] = &[
    CommandHelp {
        name: "/help",
        arguments: "[COMMAND]",
        short: "show this, or all there is to know about a command",
        long: "Without a command it lists them all. `/help chat` and `/help /chat` are the same.",
    },
    CommandHelp {
        name: "/peers",
        arguments: "",
        short: "ask who is there, and show the list",
        long: "Every peer is asked first whether it is there, which takes two seconds at most. Online peers come first, \
               then offline contacts with the time they were last seen. The number of a peer in the list can be used \
               wherever a name can.",
    },
    CommandHelp {
        name: "/connect",
        arguments: "[WHOM]",
        short: "ask somebody, or all, to list you",
        long: "WHOM may be an ip:port that is not in the list yet. Without WHOM you are asked.",
    },
    CommandHelp {
        name: "/disconnect",
        arguments: "[WHOM]",
        short: "say goodbye to somebody, or to all",
        long: "They are not dialed until one of you writes or connects again. Without WHOM you are asked.",
    },
    CommandHelp {
        name: "/chat",
        arguments: "[WHOM]",
        short: "talk with somebody: every line goes there until /back",
        long: "The prompt says to whom the lines go. Commands and @WHOM work as before; a line that is to begin with / or @ \
               begins with // or @@. Without WHOM you are asked.",
    },
    CommandHelp {
        name: "/back",
        arguments: "",
        short: "end the conversation and go back to the menu",
        long: "So does Escape on an empty line.",
    },
    CommandHelp {
        name: "/reply",
        arguments: "[TEXT]",
        short: "answer the last message",
        long: "It goes to whoever wrote last when you began to type it, not to who writes meanwhile. Without TEXT you are \
               asked for it.",
    },
    CommandHelp {
        name: "/history",
        arguments: "[WHOM] [WORDS]",
        short: "show what was said, with all or with one",
        long: "With WORDS it shows the messages that have all of them in them, each at least as the beginning of a word; `/history all lunch` \
               looks everywhere. What came from muted peers is in it too. `p2p-chat history` shows, exports and forgets more, also while \
               the program runs. With --no-history it is gone when the program ends.",
    },
    CommandHelp {
        name: "/show",
        arguments: "NUMBER",
        short: "show a long message whole",
        long: "Of a message of more than 100 lines a terminal shows the first 100, and the number to type here. \
               The last 20 of this run can be shown.",
    },
    CommandHelp {
        name: "/copy",
        arguments: "",
        short: "copy the last message that came to the clipboard",
        long: "It asks the terminal to do so (OSC 52). Some terminals do not, or only if their settings allow it. It \
               does not work on a pipe, with --plain or with TERM=dumb.",
    },
    CommandHelp {
        name: "/outbox",
        arguments: "[cancel|again N]",
        short: "show what waits to be delivered, and why",
        long: "A text waits until it is delivered, also while the program does not run, or until it expires (--expire). `/outbox cancel 2` takes \
               the second of the list back, `/outbox again 2` sends it again at once; `all` stands for all of them.",
    },
    CommandHelp {
        name: "/me",
        arguments: "TEXT",
        short: "say what you do: /me waves is shown as ** Alice waves",
        long: "In a conversation it goes there, else you are asked to whom. Programs that do not know it show the line as \
               it was typed.",
    },
    CommandHelp {
        name: "/all-plain",
        arguments: "TEXT",
        short: "send to all, unencrypted strangers included",
        long: "`@all` reaches online contacts and, under accept-new, online strangers that have proven a key. It leaves out strangers that can only \
               be written to unencrypted, because others on the network can read that. /all-plain reaches them, too.",
    },
    CommandHelp {
        name: "/name",
        arguments: "[NEW]",
        short: "change your name",
        long: "Encrypted peers see it at once, others with your next message. Your key, contacts and history stay, and \
               later runs use the new name.",
    },
    CommandHelp {
        name: "/mute",
        arguments: "[WHOM]",
        short: "do not show somebody's messages",
        long: "Notices about them, such as that they have left, are not shown either. Messages are still taken and acknowledged, and are in the history. Without WHOM it lists who is muted. A contact \
               stays muted until /unmute, another peer until the program ends.",
    },
    CommandHelp {
        name: "/unmute",
        arguments: "WHOM",
        short: "show somebody's messages again",
        long: "It says how many messages came meanwhile; /history shows them.",
    },
    CommandHelp {
        name: "/alias",
        arguments: "[WHOM] [NAME]",
        short: "give somebody a nickname of your own",
        long: "The nickname belongs to the peer's key, or to the address of a legacy peer, and is saved in contacts.toml. It \
               makes the peer a contact, and is refused if another contact has that name or you have it yourself. \
               `/alias WHOM -` removes it. Without arguments it lists them.",
    },
    CommandHelp {
        name: "/key",
        arguments: "[WHOM]",
        short: "show your key, or what is known of another's",
        long: "The key is what a peer is known by, whatever it calls itself and wherever it is. `p2p-chat id` shows yours too, with a QR \
               code.",
    },
    CommandHelp {
        name: "/verify",
        arguments: "WHOM",
        short: "compare codes with somebody, to be sure who it is",
        long: "Both of you type it and see the same 30 digits, if nobody is in between. Compare them where you know each other's voice or \
               face, not in this chat. With yes the peer is verified, and a sign behind its name says so.",
    },
    CommandHelp {
        name: "/requests",
        arguments: "",
        short: "show the key changes and message requests that wait",
        long: "A new key with the name of a contact or of a blocked peer waits for your decision, and so does each stranger with \
               `/policy ask`. Nothing is sent to it and nothing of it is shown until /trust or /accept. Messages for a contact still go to its old key.",
    },
    CommandHelp {
        name: "/trust",
        arguments: "WHOM",
        short: "move a contact to its new key",
        long: "WHOM is the name of the contact, or at least four characters of the beginning of the new key. Type it if the contact has \
               a new device. The contact is not verified then, and /verify compares the new key.",
    },
    CommandHelp {
        name: "/accept",
        arguments: "WHOM",
        short: "accept a message request, or another contact",
        long: "WHOM is the name of the newcomer, at least four characters of the beginning of its key, or its ip:port if it has no key. Type \
               it if two people have one name, and to answer a message request. Two contacts of one name both have the beginning of their keys behind it, for good.",
    },
    CommandHelp {
        name: "/block",
        arguments: "WHOM",
        short: "refuse a new key, or block a peer or an IP",
        long: "Nothing is sent to the peer or shown from it. If a new key waits with the name of a contact, the new key is blocked, not the \
               contact. WHOM may also be an IP without a port. Then strangers there are neither answered nor shown; an IPv6 \
               address stands for its /64 network. /unblock undoes it.",
    },
    CommandHelp {
        name: "/blocked",
        arguments: "",
        short: "list whom you have blocked",
        long: "A block covers a peer, and unencrypted messages under its name or from its address; or all strangers at an IP. An \
               unknown key with a blocked name waits for /accept. A block never covers another contact.",
    },
    CommandHelp {
        name: "/unblock",
        arguments: "WHOM",
        short: "unblock a peer or an IP",
        long: "A contact is a contact again, but not verified; /verify compares the key again. A stranger stays a stranger. Blocked \
               contacts are at the end of the peer list.",
    },
    CommandHelp {
        name: "/contacts",
        arguments: "",
        short: "list your contacts",
        long: "It shows which are verified, muted or blocked, and when each was last seen. They are in contacts.toml in the \
               directory of your profile, which you can edit while p2p-chat runs.",
    },
    CommandHelp {
        name: "/add",
        arguments: "WHOM",
        short: "add a contact",
        long: "WHOM is a name or a number in the list, an ip:port, a whole key, or the beginning of a known one. Contacts are dialed at each start, and no other peer \
               can take their names. A peer that you write to becomes a contact automatically.",
    },
    CommandHelp {
        name: "/forget",
        arguments: "WHOM",
        short: "remove a contact",
        long: "Queued messages for them are not sent, and the next key with their name is new to you, unless another contact has \
               that name. A blocked \
               contact is no longer blocked. WHOM may also be an ip:port where no peer has answered. Messages stay \
               in the history. You are asked to confirm.",
    },
    CommandHelp {
        name: "/policy",
        arguments: "HOW",
        short: "what strangers may do: accept-new, ask or strict",
        long: "accept-new shows what they write and remembers new keys, ask has them wait for /accept, strict refuses them. This holds \
               until the program ends, and for strangers that are not listed yet. A new key with the name of a contact always waits.",
    },
    CommandHelp {
        name: QUIT,
        arguments: "",
        short: "say goodbye to everybody and end",
        long: "It works at every question too, where it is never taken as an answer. So does Ctrl-D on an empty line, and 0 \
               in the menu.",
    },
];

/// The keys of the line, and what each does.
pub const KEYS: &[(&str, &str)] = &[
    ("Left, Right, Ctrl-B, Ctrl-F", "Go one character back or on."),
    ("Ctrl-Left, Ctrl-Right, Alt-B, Alt-F", "Go one word back or on."),
    (
        "Home, End, Ctrl-A, Ctrl-E",
        "Go to the beginning or the end of the line; once more, of the whole text.",
    ),
    ("Up, Down, Ctrl-P, Ctrl-N", "Go through the lines of the text, and then through those typed before."),
    ("Ctrl-R, Ctrl-S", "Search in the lines typed before, towards older or newer ones; Ctrl-G gives up."),
    ("Backspace, Delete, Ctrl-H, Ctrl-D", "Delete a character. Ctrl-D on an empty line leaves."),
    ("Ctrl-W, Alt-Backspace, Alt-D", "Delete to the blank before, the word before, the word behind."),
    ("Ctrl-U, Ctrl-K", "Delete to the beginning or the end of the line."),
    ("Ctrl-Y, Ctrl-T, Ctrl-_", "Put back what was deleted, exchange two characters, undo."),
    ("Tab", "Complete a command, a name or an address, or show what there is to choose from."),
    ("Alt-Enter", "Begin a new line in the text."),
    ("Escape", "Go back to the menu, or end a conversation; what is half typed is kept."),
    ("Ctrl-C", "Clear the line, which Up brings back; on an empty one, twice, leave."),
    ("Ctrl-L, Ctrl-Z", "Empty the screen; stop until the shell lets the program go on."),
];

/// Names from other programs, and the command that each one means.
const SYNONYMS: [(&str, &str); 9] = [
    ("/?", "/help"),
    ("/h", "/help"),
    ("/list", "/peers"),
    ("/who", "/peers"),
    ("/r", "/reply"),
    ("/nick", "/name"),
    ("/q", "/quit"),
    ("/exit", "/quit"),
    ("/bye", "/quit"),
];

/// Returns the command with this name or alternative name, ignoring case.
pub(super) fn named(word: &str) -> Option<&'static CommandHelp> {
    let word = word.to_lowercase();
    let word = SYNONYMS.iter().find(|(other, _)| *other == word).map_or(word.as_str(), |(_, name)| name);
    COMMANDS.iter().find(|command| command.name == word)
}

/// Whether a line is the command to leave, by any of its names. Every question accepts it.
pub fn is_quit(line: &str) -> bool {
    named(line.trim()).is_some_and(|command| command.name == QUIT)
}

/// How similar two words have to be (1 is equal) for a suggestion.
const ALIKE: f64 = 0.75;

/// Returns the command to suggest for an unknown one: one that begins with it, or a similar one.
pub(super) fn nearest(word: &str) -> Option<&'static CommandHelp> {
    if word.len() <= 1 {
        return None;
    }
    let word = word.to_lowercase();
    let by_beginning = COMMANDS.iter().find(|command| command.name.starts_with(&word));
    by_beginning.or_else(|| {
        let alike = |command: &CommandHelp| strsim::jaro_winkler(command.name, &word);
        let nearest = COMMANDS.iter().max_by(|a, b| alike(a).total_cmp(&alike(b)))?;
        (alike(nearest) >= ALIKE && strsim::damerau_levenshtein(nearest.name, &word) <= 3).then_some(nearest)
    })
}

/// Columns for a command with its arguments in the help, and a space behind them.
const NAME_COLUMNS: usize = 25;

/// Returns the help: everything that can be typed at the prompt.
pub(super) fn overview() -> Vec<String> {
    let mut lines = vec![
        "The numbers of the menu always work. Besides, at the same prompt:".to_owned(),
        format!("  {:NAME_COLUMNS$}{}", "@WHOM TEXT", "send; @all: online contacts and encrypted strangers"),
    ];
    for command in COMMANDS {
        let usage = usage(command);
        lines.push(format!("  {usage:NAME_COLUMNS$}{}", command.short));
    }
    lines.push("WHOM is a name, its number in the list, an ip:port, or all. Tab completes.".into());
    lines
}

/// Returns the full description of a command.
pub(super) fn explained(command: &CommandHelp) -> Vec<String> {
    vec![format!("{}: {}.", usage(command), command.short), command.long.to_owned()]
}

/// Returns a command with its arguments.
pub(super) fn usage(command: &CommandHelp) -> String {
    format!("{} {}", command.name, command.arguments).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_is_found_by_any_of_its_names() {
        for (word, name) in [("/quit", "/quit"), ("/QUIT", "/quit"), ("/exit", "/quit"), ("/?", "/help")] {
            assert_eq!(named(word).map(|command| command.name), Some(name), "{word}");
        }
        assert!(named("/qu").is_none() && named("quit").is_none() && named("/").is_none());
    }

    #[test]
    fn leaving_has_several_words() {
        for word in ["/quit", " /QUIT ", "/q", "/exit", "/bye\n"] {
            assert!(is_quit(word), "{word:?}");
        }
        for word in ["quit", "/quit now", "//quit", "/quti", "/", "", "/back"] {
            assert!(!is_quit(word), "{word:?}");
        }
    }

    #[test]
    fn similar_command_is_suggested() {
        for (word, name) in
            [("/pers", "/peers"), ("/conect", "/connect"), ("/his", "/history"), ("/quti", "/quit")]
        {
            assert_eq!(nearest(word).map(|command| command.name), Some(name), "{word}");
        }
        for word in ["/", "/xyzzy", "/etc/hosts", "/usr/bin/env"] {
            assert!(nearest(word).is_none(), "{word}");
        }
    }

    #[test]
    fn the_help_fits_a_usual_terminal() {
        for line in overview() {
            assert!(line.len() <= 80, "{line}");
        }
        for command in COMMANDS {
            assert!(usage(command).len() < NAME_COLUMNS, "no space behind {}", usage(command));
        }
        for (other, name) in SYNONYMS {
            assert!(COMMANDS.iter().any(|command| command.name == name), "{other}");
        }
    }
}
