//! Who is meant by what the user types. Pure.

use std::net::Ipv4Addr;

use crate::chat::{Row, State, Target};
use crate::escape::harmless;
use crate::peer::{PeerAddr, shortened};

/// Columns of a kept text or a mistaken entry that are shown again in a sentence.
const SHOWN_AGAIN: usize = 40;

/// What the menu looks people up in.
pub trait Directory {
    /// The peer list.
    fn rows(&self) -> Vec<Row>;
    /// Whether an address is our own.
    fn is_own(&self, addr: PeerAddr) -> bool;
}

/// Somebody chosen, and how to call them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Chosen {
    pub(super) target: Target,
    pub(super) label: String,
}

/// What a line of the user's names.
pub(super) enum Named {
    Chosen(Chosen),
    NeedsPort(Ipv4Addr),
}

/// A text of the user's own, as it is named in a sentence.
pub(super) fn shown(text: &str) -> String {
    shortened(&harmless(text), SHOWN_AGAIN)
}

/// All of them.
pub(super) fn everybody() -> Named {
    Named::Chosen(Chosen { target: Target::All, label: "all".into() })
}

fn one(addr: PeerAddr, rows: &[Row]) -> Named {
    let row = rows.iter().find(|row| row.addr == addr);
    let label = row.map_or_else(|| addr.to_string(), label);
    Named::Chosen(Chosen { target: Target::These(vec![addr]), label })
}

fn label(row: &Row) -> String {
    match &row.name {
        Some(name) => format!("{name} ({})", row.addr),
        None => row.addr.to_string(),
    }
}

/// Who is meant by `line`: `all`, a number of the list, an address, an IP, or the beginning of a name.
pub(super) fn find(line: &str, directory: &dyn Directory) -> Result<Named, String> {
    if line.eq_ignore_ascii_case("all") {
        return Ok(everybody());
    }
    let rows = directory.rows();
    if line.bytes().all(|byte| byte.is_ascii_digit()) {
        let row = rows.iter().find(|row| row.number.to_string() == line);
        return row.map(|row| one(row.addr, &rows)).ok_or_else(|| {
            format!("No peer has the number {}; choose 2 in the menu to see the list.", shown(line))
        });
    }
    if let Ok(ip) = line.parse::<Ipv4Addr>() {
        return Ok(Named::NeedsPort(ip));
    }
    let by_name = by_name(line, &rows);
    match line.parse::<PeerAddr>() {
        Ok(addr) if directory.is_own(addr) => {
            Err(format!("{addr} is our own address; choose somebody else."))
        }
        Ok(addr) => Ok(one(addr, &rows)),
        Err(error) if line.contains(':') && by_name.is_empty() => Err(error.to_string()),
        Err(_) => match by_name[..] {
            [row] => Ok(one(row.addr, &rows)),
            [] => Err(format!(
                "Nobody is called `{}`; give a number, a name, an ip:port or `all`, or 0 to go back.",
                shown(line)
            )),
            _ => Err(which(line, &by_name)),
        },
    }
}

/// The rows that `line` names: by their whole name, or else by its beginning, in any case; those that are there before
/// those that are gone.
fn by_name<'a>(line: &str, rows: &'a [Row]) -> Vec<&'a Row> {
    let wanted = line.to_lowercase();
    let matching = |fits: &dyn Fn(&str) -> bool| -> Vec<&'a Row> {
        let fitting = |row: &&Row| row.name.as_ref().is_some_and(|name| fits(&name.as_str().to_lowercase()));
        let all: Vec<_> = rows.iter().filter(fitting).collect();
        let there: Vec<_> = all.iter().copied().filter(|row| row.state != State::Gone).collect();
        if there.is_empty() { all } else { there }
    };
    let whole = matching(&|name| name == wanted);
    if whole.is_empty() { matching(&|name| name.starts_with(&wanted)) } else { whole }
}

/// Peers of a question that are named one by one.
const MAX_NAMED: usize = 8;

fn which(line: &str, rows: &[&Row]) -> String {
    let mut named: Vec<String> =
        rows.iter().take(MAX_NAMED).map(|row| format!("{} for {}", row.number, label(row))).collect();
    if rows.len() > MAX_NAMED {
        named.push(format!("and {} more in the list", rows.len() - MAX_NAMED));
    }
    format!("`{}` fits {} peers; give a number: {}.", shown(line), rows.len(), named.join(", "))
}
