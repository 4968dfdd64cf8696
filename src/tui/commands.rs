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

/// All commands, in the order of the manual page.
pub const COMMANDS: &[CommandHelp] = &[
    CommandHelp {
        name: "/help",
        arguments: "[COMMAND]",
        short: "list the commands, or explain one",
        long: "`/help chat` and `/help /chat` are the same.",
    },
    CommandHelp {
        name: "/peers",
        arguments: "",
        short: "list the peers and check who is online",
        long: "p2p-chat asks every peer whether it is online, which takes at most two seconds. \
               Online peers come first, then offline contacts with the time they were last seen. \
               A peer's number in the list works wherever a name does.",
    },
    CommandHelp {
        name: "/connect",
        arguments: "[WHOM]",
        short: "connect to a peer, or to all known peers",
        long: "WHOM may be an ip:port that is not in the list yet. Without WHOM, p2p-chat asks.",
    },
    CommandHelp {
        name: "/disconnect",
        arguments: "[WHOM]",
        short: "disconnect from a peer, or from all",
        long: "p2p-chat says goodbye and does not dial the peer again until one of you sends a \
               message or connects. Without WHOM, p2p-chat asks.",
    },
    CommandHelp {
        name: "/msg",
        arguments: "WHOM MESSAGE",
        short: "the same as @WHOM MESSAGE; so is /dm",
        long: "Without MESSAGE you are asked for it.",
    },
    CommandHelp {
        name: "/chat",
        arguments: "[WHOM]",
        short: "start a conversation: every line goes to that peer until /back",
        long: "The prompt shows who gets the lines. Commands and @WHOM still work. To send a line \
               that starts with / or @, type // or @@. Without WHOM, p2p-chat asks.",
    },
    CommandHelp {
        name: "/back",
        arguments: "",
        short: "end the conversation and return to the menu",
        long: "Escape on an empty line does the same.",
    },
    CommandHelp {
        name: "/reply",
        arguments: "[MESSAGE]",
        short: "answer the last message",
        long: "The reply goes to the peer that had written last when you started to type, even if \
               another message arrives meanwhile. Without MESSAGE, p2p-chat asks for it.",
    },
    CommandHelp {
        name: "/history",
        arguments: "[WHOM] [WORDS]",
        short: "show or search old messages",
        long: "With WORDS, it shows the messages that contain all of them. A word also matches \
               the beginning of a longer word. `/history all lunch` searches all conversations. \
               Messages from muted peers are included. `p2p-chat history` can also export and \
               delete messages, even while p2p-chat runs. With --no-history, messages are gone \
               when p2p-chat ends.",
    },
    CommandHelp {
        name: "/show",
        arguments: "NUMBER",
        short: "show a long message whole",
        long: "A terminal shows the first 100 lines of a longer message, and the number to type here. \
               p2p-chat keeps the last 20 of them until it ends.",
    },
    CommandHelp {
        name: "/copy",
        arguments: "",
        short: "copy the last received message to the clipboard",
        long: "p2p-chat asks the terminal to do it (OSC 52). Some terminals refuse, or need a setting. \
               It does not work on a pipe, with --plain or with TERM=dumb.",
    },
    CommandHelp {
        name: "/outbox",
        arguments: "[cancel|again N]",
        short: "list queued messages, cancel them or try again",
        long: "A message stays queued until it is delivered or expires (--expire), even while \
               p2p-chat is not running. `/outbox cancel 2` cancels the second message of the list, \
               and `/outbox again 2` tries it again at once. `all` instead of a number means all \
               of them.",
    },
    CommandHelp {
        name: "/me",
        arguments: "ACTION",
        short: "send an action: /me waves is shown as ** Alice waves",
        long: "In a conversation it goes to that peer; otherwise p2p-chat asks for the recipient. \
               Programs without this command show the line as you typed it.",
    },
    CommandHelp {
        name: "/all-plain",
        arguments: "MESSAGE",
        short: "send to all, including unencrypted strangers",
        long: "`@all` reaches online contacts and, with the policy accept-new, online strangers \
               that have proven a key. It leaves out unencrypted strangers, because others on the \
               network can read what they get. /all-plain reaches them too.",
    },
    CommandHelp {
        name: "/name",
        arguments: "[NEW]",
        short: "change your name",
        long: "Encrypted peers see the new name at once, others with your next message. Your key, \
               contacts and history stay, and later runs use the new name.",
    },
    CommandHelp {
        name: "/mute",
        arguments: "[WHOM]",
        short: "hide a peer's messages",
        long: "Notices about the peer are hidden too. Its messages are still received and \
               acknowledged, and are in the history. Without WHOM, it lists the muted peers. A \
               contact stays muted until /unmute, any other peer until p2p-chat ends.",
    },
    CommandHelp {
        name: "/unmute",
        arguments: "WHOM",
        short: "show a peer's messages again",
        long: "/history shows the messages that arrived meanwhile.",
    },
    CommandHelp {
        name: "/alias",
        arguments: "[WHOM] [NAME]",
        short: "give a peer an alias that only you see",
        long: "The alias belongs to the peer's key, or to the address of a legacy peer, and is \
               saved in contacts.toml. It makes the peer a contact. An alias cannot be your own \
               name or that of another contact. `/alias WHOM -` removes it. Without arguments, it \
               lists the aliases.",
    },
    CommandHelp {
        name: "/key",
        arguments: "[WHOM]",
        short: "show your key, or what is known about a peer",
        long: "Peers recognize each other by key, whatever their name and address. `p2p-chat id` \
               shows your key too.",
    },
    CommandHelp {
        name: "/invite",
        arguments: "",
        short: "show your invitation, for another p2p-chat",
        long: "An invitation is a line with your key, your name and the addresses at which you can \
               be reached. The other side passes it to `p2p-chat add` or /add, or pastes it at the \
               menu. `p2p-chat id` shows it too.",
    },
    CommandHelp {
        name: "/verify",
        arguments: "WHOM",
        short: "compare safety numbers with a peer",
        long: "Both of you type this command and see the same 30 digits, unless someone \
               intercepts the connection. Compare them in person or on the phone, not in this \
               chat. After a yes, a ✓ follows the peer's name.",
    },
    CommandHelp {
        name: "/requests",
        arguments: "",
        short: "list key changes and message requests",
        long: "A new key with the name of a contact or of a blocked peer waits for your decision, \
               and so does each stranger with `/policy ask`. Until /trust or /accept, nothing is \
               sent to it and its messages are not shown. Messages for the contact still go to \
               the old key.",
    },
    CommandHelp {
        name: "/trust",
        arguments: "WHOM",
        short: "move a contact to its new key",
        long: "WHOM is the name of the contact, or at least the first four characters of the new \
               key. Use it if the contact has a new device. The contact is not verified then; \
               compare keys again with /verify.",
    },
    CommandHelp {
        name: "/accept",
        arguments: "WHOM",
        short: "accept a message request, or a namesake as another contact",
        long: "WHOM is the name of the new peer, at least the first four characters of its key, \
               or its ip:port if it has no key. Use it to answer a message request, or if two \
               people have the same name. p2p-chat then shows the first characters of the key \
               after each of the two names. It also accepts an introduction: the other side gets \
               a signed contact card with your key, your name and your addresses, or those that you type \
               after WHOM (`-` for none).",
    },
    CommandHelp {
        name: "/introduce",
        arguments: "WHOM WHOM",
        short: "introduce two contacts to each other",
        long: "p2p-chat asks each of them. When one accepts, the other gets a contact card through \
               you. Nothing is exchanged before that. A contact gets at most 20 introductions a \
               day from you.",
    },
    CommandHelp {
        name: "/ignore",
        arguments: "WHOM",
        short: "ignore an introduction",
        long: "Nothing is sent, and no introduction of the same key is shown again.",
    },
    CommandHelp {
        name: "/block",
        arguments: "WHOM",
        short: "block a contact, a new key or an IP",
        long: "Nothing is sent to a blocked peer, and nothing from it is shown. If a new key has \
               the name of a contact, /block with that name blocks the new key and not the \
               contact. WHOM may also be an IP without a port: then strangers at that IP get no \
               answer and are not shown. An IPv6 address stands for its /64 network. /unblock \
               undoes it.",
    },
    CommandHelp {
        name: "/blocked",
        arguments: "",
        short: "list blocked peers and IPs",
        long: "A block covers a peer, and unencrypted messages under its name or from its \
               address. A blocked IP covers all strangers there. An unknown key with a blocked \
               name waits for /accept. A block never covers another contact.",
    },
    CommandHelp {
        name: "/unblock",
        arguments: "WHOM",
        short: "unblock a peer or an IP",
        long: "A contact is a contact again, but not verified; compare keys again with /verify. A \
               stranger stays a stranger. Blocked contacts are at the end of the peer list.",
    },
    CommandHelp {
        name: "/contacts",
        arguments: "",
        short: "list your contacts",
        long: "It shows which contacts are verified, muted or blocked, and when each was last \
               seen. They are saved in contacts.toml in the directory of your profile, which you \
               can edit while p2p-chat runs.",
    },
    CommandHelp {
        name: "/add",
        arguments: "WHOM",
        short: "add a contact",
        long: "WHOM is a name or a number in the list, an ip:port, a whole key, the beginning of a \
               known key, or an invitation, which /invite shows. p2p-chat dials contacts at each \
               start, and no other peer can take their names. A peer that you write to becomes a contact automatically.",
    },
    CommandHelp {
        name: "/forget",
        arguments: "WHOM",
        short: "remove a contact",
        long: "Queued messages for the contact are not sent. The next key with the same name is \
               new to you, unless another contact has that name. A blocked contact is no longer \
               blocked. WHOM may also be an ip:port where no peer has answered. Messages stay in \
               the history. You are asked to confirm.",
    },
    CommandHelp {
        name: "/policy",
        arguments: "HOW",
        short: "how to treat strangers: accept-new, ask, strict",
        long: "accept-new shows their messages and remembers new keys. ask makes them wait for \
               /accept. strict refuses them. The policy applies until p2p-chat ends, to strangers \
               that are not in the list yet. A new key with the name of a contact always waits.",
    },
    CommandHelp {
        name: "/discover",
        arguments: "[WHO]",
        short: "who can discover you: on, contacts, off",
        long: "on announces your name and key on the local network, and connects those who do the \
               same; with the policies ask and strict, p2p-chat only tells you of strangers, and \
               /connect accepts one. contacts announces you so that only those who know your key \
               recognize you, and connects only contacts. off neither announces you nor looks for \
               peers. The choice applies until p2p-chat ends; --discover sets it for each start. \
               Without WHO, it shows who can discover you.",
    },
    CommandHelp {
        name: QUIT,
        arguments: "",
        short: "say goodbye to all peers and exit",
        long: "It works at every question too and is never taken as an answer. Ctrl-D on an empty \
               line and 0 in the menu do the same.",
    },
];

/// The keys of the line editor, and what each does.
pub const KEYS: &[(&str, &str)] = &[
    ("Left, Right, Ctrl-B, Ctrl-F", "Move one character back or forward."),
    ("Ctrl-Left, Ctrl-Right, Alt-B, Alt-F", "Move one word back or forward."),
    (
        "Home, End, Ctrl-A, Ctrl-E",
        "Move to the start or the end of the line; pressed again, of the whole message.",
    ),
    ("Up, Down, Ctrl-P, Ctrl-N", "Move through the lines of the message, then through earlier input."),
    ("Ctrl-R, Ctrl-S", "Search earlier input, backward or forward; Ctrl-G cancels."),
    ("Backspace, Delete, Ctrl-H, Ctrl-D", "Delete a character. Ctrl-D on an empty line exits."),
    ("Ctrl-W, Alt-Backspace, Alt-D", "Delete back to a blank, the word before, the word after."),
    ("Ctrl-U, Ctrl-K", "Delete to the start or the end of the line."),
    ("Ctrl-Y, Ctrl-T, Ctrl-_", "Paste the deleted text, swap two characters, undo."),
    ("Tab", "Complete a command, a name or an address, or list the choices."),
    ("Alt-Enter", "Start a new line in the message."),
    ("Escape", "Clear the line, which Up brings back; on an empty line, go back."),
    ("Ctrl-C", "Clear the line, which Up brings back; twice on an empty line, exit."),
    ("Ctrl-L, Ctrl-Z", "Clear the screen; suspend p2p-chat until the shell resumes it."),
];

/// Names from other programs, and the command that each one means.
const SYNONYMS: [(&str, &str); 10] = [
    ("/?", "/help"),
    ("/h", "/help"),
    ("/list", "/peers"),
    ("/who", "/peers"),
    ("/dm", "/msg"),
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
pub(crate) fn is_quit(line: &str) -> bool {
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

/// Commands that share a row of the help, and what the row says. The others have one each.
const SHARED_ROWS: &[(&[&str], &str)] = &[
    (&["@WHOM MESSAGE", "/msg"], "send a message; @all means all online peers"),
    (&["/help", "/quit"], "list the commands or explain one; exit"),
    (&["/connect", "/disconnect"], "connect to or disconnect from a peer, or all"),
    (&["/chat", "/back"], "send every line to a peer; return to the menu"),
    (&["/reply", "/me"], "answer the last message; send an action"),
    (&["/show", "/copy"], "show a cut message whole; copy the last message"),
    (&["/mute", "/unmute"], "hide a peer's messages; show them again"),
    (&["/requests", "/trust", "/accept"], "list or accept changed and new keys"),
    (&["/introduce", "/ignore"], "introduce two contacts; ignore an introduction"),
    (&["/key", "/invite", "/verify"], "show a key or your invitation; compare keys"),
    (&["/block", "/unblock", "/blocked"], "block a contact, a key or an IP; list them"),
    (&["/policy", "/discover"], "how to treat strangers; who can discover you"),
    (&["/contacts", "/add", "/forget"], "list, add or remove contacts"),
];

/// Columns of the help: those of the narrowest usual terminal.
const COLUMNS: usize = 80;

/// Columns for the commands of a row in the help, with the space after them.
const NAME_COLUMNS: usize = 29;

/// Returns the help: everything that can be typed at the prompt. It fits a terminal of 80 columns
/// and 24 rows, with the prompt and the status line.
pub(super) fn overview() -> Vec<String> {
    let row = |left: &str, right: &str| format!("  {left:NAME_COLUMNS$}{right}");
    let mut lines = vec![
        "Type the number of a menu entry, or one of these (/help COMMAND explains one):".to_owned(),
        row(&SHARED_ROWS[0].0.join(", "), SHARED_ROWS[0].1),
    ];
    for command in COMMANDS {
        match SHARED_ROWS.iter().find(|(names, _)| names.contains(&command.name)) {
            None => lines.push(row(&usage(command), command.short)),
            Some((names, words)) if names[0] == command.name => {
                lines.push(row(&names.join(", "), words));
            }
            Some(_) => {}
        }
    }
    lines.push("WHOM is a name, a number in the peer list, an ip:port, or all. Tab completes.".into());
    lines
}

/// Returns the full description of a command, in lines of at most [`COLUMNS`].
pub(super) fn explained(command: &CommandHelp) -> Vec<String> {
    let mut lines = vec![format!("{}: {}.", usage(command), command.short), String::new()];
    for word in command.long.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= COLUMNS => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
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

    /// Rows of a terminal without the prompt, the status line and the command `/help` itself.
    const ROWS: usize = 24 - 3;

    #[test]
    fn help_fits_24_rows_and_80_columns() {
        let lines = overview();
        assert!(lines.len() <= ROWS, "{} rows", lines.len());
        for line in &lines {
            // The last column stays free.
            assert!(line.chars().count() < COLUMNS, "{line}");
        }
        for line in &lines[1..lines.len() - 1] {
            let (left, right) = line.split_at(2 + NAME_COLUMNS);
            assert!(left.ends_with(' ') && !right.starts_with(' '), "not aligned: {line}");
        }
    }

    #[test]
    fn explanation_wraps_between_words() {
        for command in COMMANDS {
            let lines = explained(command);
            assert!(lines.iter().all(|line| line.chars().count() <= COLUMNS), "{lines:?}");
            assert_eq!(lines[1..].join(" "), command.long);
        }
    }

    #[test]
    fn help_names_every_command_once() {
        let lines = overview();
        for command in COMMANDS {
            let names = |line: &&String| {
                let left = line.get(2..2 + NAME_COLUMNS).unwrap_or_default();
                left.split([' ', ',']).any(|word| word == command.name)
            };
            assert_eq!(lines[1..].iter().filter(names).count(), 1, "{}", command.name);
        }
    }

    #[test]
    fn shared_rows_and_synonyms_name_existing_commands() {
        let shared = SHARED_ROWS.iter().flat_map(|(names, _)| names.iter()).skip(1);
        let synonyms = SYNONYMS.iter().map(|(_, name)| name);
        for name in shared.chain(synonyms) {
            assert!(COMMANDS.iter().any(|command| command.name == *name), "{name}");
        }
    }
}
