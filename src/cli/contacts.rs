//! `p2p-chat contacts`: prints the contacts of a profile, even while another process uses it.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::history::{note, now, rfc3339};
use super::json;
use crate::core::KnownContact;
use crate::model::address::PeerAddr;
use crate::model::name::{PeerName, folded};
use crate::model::peer_id::{PeerId, Recipient};
use crate::profile::contacts::Contact;
use crate::profile::{self, AddressBook, Profiles};
use crate::settings::{Misused, Settings};
use crate::store::{HISTORY_FILE, Sqlite, StoreError, in_memory};
use crate::tui::{self, Labels, Standing};

/// Print your contacts, one per line, even during a chat
#[derive(Args, Clone, Debug)]
pub struct Asked {
    /// Print JSON, one object per line
    #[arg(long)]
    json: bool,
}

/// Returns what the label of a contact depends on.
pub(super) fn of_contact(contact: KnownContact) -> (Recipient, Option<PeerName>, Standing) {
    let standing = if contact.blocked { Standing::Stranger } else { Standing::Contact };
    (contact.id.into(), contact.name, standing)
}

/// Prints the contacts of a profile to `out`, one on each line, sorted by label. Notes go to
/// standard error. The inner result is that of writing to `out`.
///
/// # Errors
/// If the profile does not exist, if there are several and the user named none, or if contacts.toml
/// cannot be read or contains a mistake.
pub fn print(settings: &Settings, asked: &Asked, out: &mut impl Write) -> anyhow::Result<io::Result<()>> {
    let found = Profiles::read(settings)?.existing(settings)?;
    let nothing = || note(format!("{} has no contacts.", found.name));
    let Some(folder) = profile::folder(settings, &found.profile) else {
        nothing();
        return Ok(Ok(()));
    };
    let now = now();
    let book = AddressBook::open(Some(&folder), &found.name, &mut store(&folder)?).map_err(Misused::new)?;
    let known = book.known_contacts(0).into_iter().map(of_contact);
    let labels = Labels::of_contacts(book.aliases(), known);
    let mut lines: Vec<(String, String)> = Vec::new();
    for contact in book.contacts.all() {
        let label = labels.label(contact.id.into(), contact.name.as_ref());
        let like = labels.looks_like(contact.id.into(), contact.name.as_ref());
        let listed = Listed { label: &label, like, contact, book: &book, now };
        let line = if asked.json { listed.json()? } else { listed.text() + "\n" };
        lines.push((folded(&label), line));
    }
    if lines.is_empty() {
        nothing();
    }
    lines.sort();
    Ok(lines.iter().try_for_each(|(_, line)| out.write_all(line.as_bytes())))
}

/// Opens the store of a profile for reading. Returns an empty store if there is none or it cannot
/// be read.
fn store(folder: &Path) -> Result<Sqlite, StoreError> {
    let path = folder.join(HISTORY_FILE);
    if path.exists() {
        match Sqlite::reader(&path) {
            Ok(store) => return Ok(store),
            Err(error) => {
                note(format!(
                    "Cannot read {}: {error}. When contacts were last seen is unknown.",
                    path.display()
                ));
            }
        }
    }
    in_memory()
}

/// A contact to print.
struct Listed<'a> {
    label: &'a str,
    /// The contact that its name looks like.
    like: Option<&'a str>,
    contact: &'a Contact,
    book: &'a AddressBook,
    /// In milliseconds since 1970.
    now: u64,
}

impl Listed<'_> {
    /// Returns when the peer was last seen, in milliseconds since 1970.
    fn last_seen(&self) -> Option<u64> {
        self.book.seen(self.contact.id).map(|seen| seen.last_seen)
    }

    /// Returns the learned addresses, latest first.
    fn learned(&self) -> impl Iterator<Item = PeerAddr> {
        let addrs = self.book.seen(self.contact.id).map(|seen| &*seen.addrs).unwrap_or_default();
        addrs.iter().copied().filter(|addr| !self.contact.addrs.contains(addr))
    }

    fn is_verified(&self) -> bool {
        self.contact.verified.is_some() && !self.contact.blocked
    }

    fn text(&self) -> String {
        let Contact { id, name, alias, blocked, muted, addrs, .. } = self.contact;
        let name = name.as_ref().filter(|_| alias.is_some()).map(|name| format!("named {name}"));
        let marks = [(self.is_verified(), "verified"), (*muted, "muted"), (*blocked, "blocked")];
        let marks = marks.into_iter().filter(|(is_so, _)| *is_so).map(|(_, mark)| mark.to_owned());
        let like = self.like.map(|other| format!("looks like {other}"));
        let marks: Vec<String> = like.into_iter().chain(name).chain(marks).collect();
        let marks = if marks.is_empty() { String::new() } else { format!(" ({})", marks.join(", ")) };
        let seen = self.last_seen().map_or_else(
            || "not seen yet".to_owned(),
            |at| format!("last seen {}", tui::ago(Duration::from_millis(self.now.saturating_sub(at)))),
        );
        let place = match id {
            PeerId::Key(key) => format!("key {}", key.grouped()),
            PeerId::Legacy(legacy) => format!("{}, unencrypted", legacy.addr()),
        };
        let addrs: Vec<String> =
            addrs.iter().copied().chain(self.learned()).map(|addr| addr.to_string()).collect();
        let addrs = if addrs.is_empty() { String::new() } else { format!(", at {}", addrs.join(" ")) };
        format!("{}{marks}: {seen}, {place}{addrs}", self.label)
    }

    /// Returns a JSON object with the end of its line. docs/SECURITY.md describes its members.
    fn json(&self) -> io::Result<String> {
        let Contact { id, name, alias, verified, blocked, muted, addrs, .. } = self.contact;
        let (key, address) = match id {
            PeerId::Key(key) => (Some(key.to_string()), None),
            PeerId::Legacy(legacy) => (None, Some(legacy.addr().to_string())),
        };
        let verified = verified.filter(|_| self.is_verified());
        json::line(&Line {
            label: self.label,
            name: name.as_ref().map(|name| name.as_str()),
            alias: alias.as_ref().map(|alias| alias.as_str()),
            key,
            address,
            verified: verified.map(|seconds| rfc3339(seconds.saturating_mul(1_000))),
            blocked: *blocked,
            muted: *muted,
            last_seen: self.last_seen().map(rfc3339),
            addresses: addrs.iter().map(ToString::to_string).collect(),
            learned: self.learned().map(|addr| addr.to_string()).collect(),
        })
    }
}

/// A contact in JSON. docs/SECURITY.md describes its members.
#[derive(Serialize)]
struct Line<'a> {
    label: &'a str,
    name: Option<&'a str>,
    alias: Option<&'a str>,
    key: Option<String>,
    address: Option<String>,
    verified: Option<String>,
    blocked: bool,
    muted: bool,
    last_seen: Option<String>,
    addresses: Vec<String>,
    learned: Vec<String>,
}
