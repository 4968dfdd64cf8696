//! Shows an invitation as text, as a QR code, and as the command for the other side. Pure.

use std::net::IpAddr;

use super::qr::{Foreground, qr};
use super::style::{Ink, Line, Palette};
use crate::model::address::PeerAddr;
use crate::model::invitation::{Invitation, MAX_INVITED_ADDRS};
use crate::model::key::PublicKey;
use crate::model::name::{Name, PeerName};

/// The command that adds the contact of an invitation, which follows it.
const COMMAND: &str = "p2p-chat add";

/// The line after an invitation without an address.
pub(crate) const NO_ADDRESS: &str =
    "The invitation has no address: this machine has none that others can reach.";

/// Returns the invitation of a user who can be reached at these IPs. Without a port it has no
/// address.
pub(crate) fn own_invitation(key: PublicKey, name: &Name, ips: &[IpAddr], port: Option<u16>) -> Invitation {
    let addrs = port.map_or_else(Vec::new, |port| {
        ips.iter().filter_map(|ip| PeerAddr::new(*ip, port)).take(MAX_INVITED_ADDRS).collect()
    });
    Invitation { key, name: Some(PeerName::new(name.as_str())), addrs }
}

/// Returns the lines about our invitation. With `code`, they include the QR code if it fits into
/// this number of columns. The code comes first, because it may be taller than the window, and the
/// lines to copy come last.
pub(crate) fn invitation_lines(invitation: &Invitation, palette: Palette, code: Option<usize>) -> Vec<Line> {
    let text = invitation.to_string();
    let mut lines = code.and_then(|columns| code_lines(&text, palette, columns)).unwrap_or_default();
    let argument = format!("'{text}'");
    lines.extend(["Your invitation:".into(), Line::from(text)]);
    lines.push("The other side adds you with:".into());
    // A row that ends before the quote would be a command of its own for the shell that it is
    // copied to. Within the quotes, a row may end anywhere.
    let ends_before_quote =
        |columns| argument.len() <= columns && COMMAND.len() + 1 + argument.len() > columns;
    match code.is_some_and(ends_before_quote) {
        true => lines.extend([format!("{COMMAND} \\").into(), Line::from(argument)]),
        false => lines.push(format!("{COMMAND} {argument}").into()),
    }
    lines
}

/// Returns the name and key in an invitation, for a sentence.
pub(crate) fn inviter(invitation: &Invitation) -> String {
    let key = invitation.key.short();
    match &invitation.name {
        Some(name) => format!("{name} (key {key})"),
        None => format!("the key {key}"),
    }
}

/// Returns the QR code of a text, or `None` if it needs more columns. Without colours, it is made
/// for a dark background, which is usual.
fn code_lines(text: &str, palette: Palette, columns: usize) -> Option<Vec<Line>> {
    let (foreground, ink) = match palette {
        Palette::None => (Foreground::Light, Ink::Plain),
        Palette::Eight | Palette::Many => (Foreground::Dark, Ink::Code),
    };
    let lines = qr(text, foreground)?;
    let width = lines.first().map_or(0, |line| line.chars().count());
    (width <= columns).then(|| lines.into_iter().map(|line| Line::of(ink, line)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::key::KEY_BYTES;

    fn alice(ips: &[&str], port: Option<u16>) -> String {
        let ips: Vec<IpAddr> = ips.iter().map(|ip| ip.parse().unwrap()).collect();
        let invitation =
            own_invitation(PublicKey::new([1; KEY_BYTES]), &"Alice".parse().unwrap(), &ips, port);
        invitation.to_string()[61..].to_owned()
    }

    #[test]
    fn invitation_has_each_reachable_address() {
        let ips = ["192.168.1.20", "fd00::2", "fe80::1"];
        assert_eq!(alice(&ips, Some(5000)), "?n=Alice&a=192.168.1.20:5000&a=[fd00::2]:5000");
        assert_eq!(alice(&["127.0.0.1"], Some(5000)), "?n=Alice&a=127.0.0.1:5000");
        assert_eq!(alice(&[], Some(5000)), "?n=Alice");
        assert_eq!(alice(&ips, None), "?n=Alice");
    }

    #[test]
    fn code_is_shown_only_if_it_fits() {
        let invitation: Invitation =
            "p2p-chat:aeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaq".parse().unwrap();
        let lines = |code| invitation_lines(&invitation, Palette::None, code);
        assert_eq!(lines(None).len(), 4);
        assert_eq!(lines(Some(20)), lines(None));
        let shown = lines(Some(80));
        let width = shown[0].to_string().chars().count();
        assert_eq!(shown[shown.len() - 4..], lines(None));
        assert_eq!(lines(Some(width)), shown);
        assert_eq!(lines(Some(width - 1)), lines(None));
    }

    #[test]
    fn copied_command_is_one_command_of_a_shell() {
        let text = "p2p-chat:aeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaq?n=Alice";
        let invitation: Invitation = text.parse().unwrap();
        let command = |columns| {
            let lines = invitation_lines(&invitation, Palette::None, Some(columns));
            let at = lines.iter().position(|line| line.to_string().ends_with(" you with:")).unwrap();
            lines[at + 1..].iter().map(Line::to_string).collect::<Vec<String>>()
        };
        let whole = vec![format!("p2p-chat add '{text}'")];
        let in_two = vec!["p2p-chat add \\".to_owned(), format!("'{text}'")];
        assert_eq!((command(84), command(83)), (whole.clone(), in_two.clone()));
        assert_eq!((command(71), command(70)), (in_two, whole));
    }
}
