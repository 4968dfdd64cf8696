//! The terminal interface: what the person types and reads.
//!
//! [`app`] is the loop of the main thread. The rest is the prompt with its menu and commands, the
//! line editor, and the words, colours and screen for each event. All but `app`, `input`,
//! `terminal`, `screen` and `dock` are free of I/O.

pub mod app;
mod attention;
mod clipboard;
mod commands;
mod complete;
mod dock;
mod editor;
mod history;
mod input;
mod invite;
mod labels;
mod layout;
mod list;
mod menu;
mod message;
mod notices;
pub(crate) mod past;
mod people;
mod printed;
mod qr;
mod screen;
mod status;
mod style;
mod terminal;
mod words;

pub use attention::{Attention, Osc, osc_of};
pub use clipboard::{MAX_COPIED_BYTES, to_clipboard};
pub use commands::{COMMANDS, CommandHelp, KEYS, is_quit};
pub use complete::{Completed, Place, complete, in_columns};
pub use dock::{Dock, Drawn};
pub use editor::{Editor, Key, MAX_LINE_BYTES, TooLong, Typed};
pub use input::{Input, TERMINAL_LINE_BYTES, key_of, read_keys, read_lines};
pub use invite::{invitation_lines, inviter, own_invitation};
pub use labels::{Labels, Renamed, Standing};
pub use layout::{Further, Layout, PromptRow, lay_out, rows_of};
pub use list::{PeerList, ago, peer_list, refusal};
pub use menu::{Act, HistoryOf, Menu, Outbox, Turn};
pub use message::typed_lines;
pub(crate) use message::{Shown, TO};
pub use notices::{About, NoticeKind, Notices, Subject};
pub(crate) use past::state;
pub use past::{Past, People, day_line};
pub use people::{Chosen, Directory, contact_called};
pub use qr::{Foreground, qr};
pub use screen::{LINE_END, RAW_LINE_END, Screen, write_lines};
pub use status::{Partner, Status};
pub use style::{Ink, Line, Palette, ink_of};
pub use terminal::{abandon_terminal, columns, is_in_foreground, restore_terminal};
pub use words::{
    DELIVERED, VERIFIED, Voice, hold_words, is_good, later, lines, lines_of_request, pin_lines, policy_words,
    quoted, requests_lines, status_words, untrusted_words,
};
pub(crate) use words::{beginning, place};
