//! The person's side: what they type, what they read.
//!
//! In scope: the menu, the edited line, the words for every event, the screen. Out of scope: what follows from a choice;
//! that is the node's, by way of the application. `menu`, `people`, `editor`, `words` and `list` are pure.

mod editor;
mod input;
mod list;
mod menu;
mod people;
mod screen;
mod words;

pub use editor::{Editor, Key, MAX_LINE_BYTES, Typed};
pub use input::{Input, read_keys, read_lines};
pub use list::peer_list;
pub use menu::{Act, Menu, Turn};
pub use people::Directory;
pub use screen::{Screen, abandon_terminal, is_in_foreground, restore_terminal};
pub use words::{fate_words, lines, named};
