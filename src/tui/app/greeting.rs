//! The first lines: the user's name, the address for others, and the menu.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::core::DiscoveryMode;
use crate::interfaces;
use crate::model::invitation::Invitation;
use crate::model::name::Name;
use crate::runtime::Node;
use crate::tui::{self, Menu};

/// Addresses of this machine that are shown, at most: virtual networks can add many.
const MAX_NAMED: usize = 3;

/// Returns the IPs at which others can reach us, most likely first.
fn reachable(node: &Node, advertise: Option<Ipv4Addr>) -> Vec<IpAddr> {
    let ipv6 = node.addrs().iter().any(SocketAddr::is_ipv6);
    interfaces::reachable(node.addr().ip(), advertise, ipv6)
}

pub(super) fn invitation(node: &Node, advertise: Option<Ipv4Addr>) -> Invitation {
    let ips = reachable(node, advertise);
    tui::own_invitation(node.own_key(), &node.name(), &ips, Some(node.addr().port()))
}

/// Returns our addresses for others, or at least one for this machine.
fn own_addrs(node: &Node, advertise: Option<Ipv4Addr>) -> Vec<String> {
    let mut ips = reachable(node, advertise);
    if ips.is_empty() {
        ips.push(Ipv4Addr::LOCALHOST.into());
    }
    ips.iter().map(|ip| SocketAddr::new(*ip, node.addr().port()).to_string()).collect()
}

/// Returns our address for others, for the status line.
pub(super) fn own_addr(node: &Node, advertise: Option<Ipv4Addr>) -> String {
    own_addrs(node, advertise).swap_remove(0)
}

/// Who can discover us on the local network, in words without a full stop.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Visible {
    /// Others can discover us.
    At(String),
    /// No network is up.
    NoNetwork,
    /// No one can discover us, although a network is up.
    Hidden(String),
}

impl Visible {
    /// Returns who can discover us. `None` if discovery does not run.
    pub(super) fn of(node: &Node) -> Option<Self> {
        let who = match node.discovery_mode() {
            DiscoveryMode::Off => return None,
            DiscoveryMode::On => format!("as {}", node.name()),
            DiscoveryMode::Contacts => "to your contacts".to_owned(),
        };
        let networks = match node.visible_networks()? {
            Ok(networks) => networks,
            Err(why) => return Some(Self::Hidden(format!("{NOT_VISIBLE}: {why}"))),
        };
        if networks.is_empty() {
            return Some(Self::NoNetwork);
        }
        let shown = networks.iter().take(MAX_NAMED).map(String::as_str).collect::<Vec<&str>>().join(" and ");
        Some(Self::At(format!("Visible {who} on {shown}")))
    }

    pub(super) fn words(&self) -> &str {
        match self {
            Self::At(words) | Self::Hidden(words) => words,
            Self::NoNetwork => "No network yet: others can discover you when one is up",
        }
    }
}

/// The beginning of what `/discover` prints if no one can discover us.
const NOT_VISIBLE: &str = "No peer on the local network can discover you";

/// Returns who can discover us and who is connected, and how to change it if that can be changed.
pub(super) fn who_discovers(visible: Option<&Visible>, node: &Node, with_hint: bool) -> String {
    let (words, changes) = match visible {
        Some(visible @ Visible::At(_)) => (visible.words().to_owned(), Some("on, contacts or off")),
        Some(visible) => (visible.words().to_owned(), None),
        None if node.discovery_mode() == DiscoveryMode::Off => {
            (format!("{NOT_VISIBLE}, and you discover none"), Some("on"))
        }
        None => (format!("{NOT_VISIBLE}: p2p-chat listens at {} only", node.addr().ip()), None),
    };
    let is_limited =
        matches!(visible, Some(Visible::At(_))) && node.discovery_mode() == DiscoveryMode::Contacts;
    let only = if is_limited { " Only contacts are connected automatically." } else { "" };
    let hint = changes.filter(|_| with_hint).map(|modes| format!(" /discover {modes} changes it."));
    format!("{words}.{only}{}", hint.unwrap_or_default())
}

/// Returns the first lines: the name and the addresses for others, and the menu. On a terminal they
/// include the number of `contacts`, and, if no peer is known at all, how to find one. `not_stored`
/// says why the key is not stored, if so.
pub(super) fn lines(
    name: &Name,
    not_stored: Option<&str>,
    node: &Node,
    advertise: Option<Ipv4Addr>,
    terminal: bool,
    contacts: Option<usize>,
) -> Vec<String> {
    let addr = node.addr();
    let mut addrs = own_addrs(node, advertise);
    addrs.truncate(MAX_NAMED);
    let mut lines = vec![format!("{name}, listening on {}", addrs.join(" or "))];
    let visible = Visible::of(node);
    lines.extend(visible.iter().map(|visible| match visible {
        Visible::At(words) => format!("{words} (/discover off hides you)"),
        Visible::NoNetwork | Visible::Hidden(_) => format!("{}.", visible.words()),
    }));
    if let Some(why) = not_stored {
        lines.push(format!(
            "{why} Your key is for this run only: in the next run you are a stranger to your peers."
        ));
    }
    lines.extend(Menu::lines());
    if !terminal {
        return lines;
    }
    lines.push("Or type @NAME MESSAGE to send at once, /help for all commands.".into());
    match contacts {
        Some(0) => {}
        Some(1) => lines.push("You have 1 contact; dialing now.".into()),
        Some(count) => lines.push(format!("You have {count} contacts; dialing them now.")),
        None => lines.extend(ways_to_peers(visible.as_ref(), node.discovery_mode(), addr)),
    }
    lines
}

/// Returns how a user without contacts finds a peer.
fn ways_to_peers(visible: Option<&Visible>, mode: DiscoveryMode, addr: SocketAddr) -> Vec<String> {
    if matches!(visible, Some(Visible::At(_))) && mode == DiscoveryMode::On {
        return vec![
            "No peers yet. Others on this network appear by themselves. To try it alone,".into(),
            "start p2p-chat in another terminal. To reach a peer elsewhere, choose 3 and".into(),
            "enter its ip:port.".into(),
        ];
    }
    let here = if addr.ip().is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { addr.ip() };
    let alone = [
        "To try it alone, start p2p-chat in another terminal, choose 3 there, and".into(),
        format!("enter {}.", SocketAddr::new(here, addr.port())),
    ];
    // Without a network, no other machine can be reached, as a line above says.
    let elsewhere = (visible != Some(&Visible::NoNetwork))
        .then(|| "No peers yet. Choose 3 and enter the ip:port that another p2p-chat shows.".into());
    elsewhere.into_iter().chain(alone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hint_about_peers_depends_on_the_network() {
        let addr = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 5000);
        let first = |visible, mode| ways_to_peers(visible, mode, addr).swap_remove(0);
        let at = Visible::At("Visible".into());
        assert!(first(Some(&at), DiscoveryMode::On).starts_with("No peers yet. Others on this network"));
        for (visible, mode) in [(Some(&at), DiscoveryMode::Contacts), (None, DiscoveryMode::Off)] {
            assert!(first(visible, mode).starts_with("No peers yet. Choose 3"));
        }
        let alone = ways_to_peers(Some(&Visible::NoNetwork), DiscoveryMode::On, addr);
        assert!(alone[0].starts_with("To try it alone") && alone[1] == "enter 127.0.0.1:5000.", "{alone:?}");
    }
}
