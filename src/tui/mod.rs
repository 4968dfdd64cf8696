//! The terminal interface: everything that the user types and reads.
//!
//! `app` is the loop of the main thread. The other modules are the prompt with its menu and
//! commands, the line editor, and the words, colours and screen for each event. Only `app`,
//! `input`, `terminal`, `screen` and `footer` do I/O.

pub(crate) mod app;
mod attention;
mod clipboard;
mod commands;
mod complete;
mod editor;
#[cfg(test)]
mod examples;
mod footer;
pub(crate) mod history_view;
mod input;
mod input_history;
mod invite;
mod labels;
mod layout;
mod list;
mod menu;
mod message;
mod notices;
mod people;
mod printed;
mod qr;
mod render;
mod screen;
mod status;
mod style;
mod terminal;

pub(crate) use attention::osc_of;
pub use attention::{Attention, Osc};
pub(crate) use clipboard::{MAX_COPIED_BYTES, to_clipboard};
pub(crate) use commands::is_quit;
pub use commands::{COMMANDS, KEYS};
pub use complete::{Place, complete, in_columns};
pub use editor::{Editor, Key, MAX_LINE_BYTES, TooLong, Typed};
pub use footer::Footer;
pub use history_view::{HistoryView, People};
pub(crate) use history_view::{day_line, state};
pub use input::key_of;
#[cfg(unix)]
pub(crate) use input::watch_for_hangup;
pub(crate) use input::{Input, next_input, read_keys, read_lines};
pub(crate) use invite::{NO_ADDRESS, invitation_lines, inviter, own_invitation};
pub use labels::{Labels, Renamed, Standing};
pub(crate) use layout::Further;
pub use layout::{lay_out, rows_of};
pub use list::{PeerList, USUAL_COLUMNS, ago, peer_list, refusal};
pub use menu::{Act, Menu, Turn};
pub(crate) use menu::{HistoryOf, Outbox};
pub use message::typed_lines;
pub(crate) use message::{ALL, Shown, TO, counted, sent_mark};
pub use notices::Notices;
pub(crate) use notices::{NoticeKind, Subject};
pub(crate) use people::contact_called;
pub use people::{Chosen, Directory};
pub use qr::{Foreground, qr};
pub(crate) use render::{
    DELIVERED, awaited_line, hold_words, is_good, lines_of_request, made_line, pin_lines, policy_words,
    requests_lines, status_words, untrusted_words,
};
pub use render::{Renderer, later, lines, quoted};
pub(crate) use render::{beginning, place};
pub use screen::{LINE_END, RAW_LINE_END, Screen, write_lines};
pub use status::{Partner, Status};
pub(crate) use style::ink_of;
pub use style::{Ink, Line, Palette};
pub use terminal::columns;
pub(crate) use terminal::{abandon_terminal, is_dumb, is_in_foreground, restore_terminal};
