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

/// Returns our invitation.
pub(super) fn invitation(node: &Node, advertise: Option<Ipv4Addr>) -> Invitation {
    let ips = reachable(node, advertise);
    tui::own_invitation(node.own_key(), &node.name(), &ips, Some(node.addr().port()))
}

/// Returns our address for others, for the status line.
pub(super) fn own_addr(node: &Node, advertise: Option<Ipv4Addr>) -> String {
    let ip = reachable(node, advertise).first().copied().unwrap_or(Ipv4Addr::LOCALHOST.into());
    SocketAddr::new(ip, node.addr().port()).to_string()
}

/// What `/discover` prints if discovery is off or there is no network.
pub(in crate::tui) const NOT_VISIBLE: &str = "No peer on the local network can discover you";

/// Returns who can discover us and on which networks, or why no one can although discovery is on;
/// `None` if discovery is off or there is no network.
pub(in crate::tui) fn visible(node: &Node) -> Option<Result<String, String>> {
    let who = match node.discovery_mode() {
        DiscoveryMode::Off => return None,
        DiscoveryMode::On => format!("as {}", node.name()),
        DiscoveryMode::Contacts => "to your contacts".to_owned(),
    };
    let networks = match node.visible_networks() {
        Ok(networks) => networks,
        Err(why) => return Some(Err(format!("{NOT_VISIBLE}: {why}"))),
    };
    let shown = networks.iter().take(MAX_NAMED).map(String::as_str).collect::<Vec<&str>>().join(" and ");
    (!shown.is_empty()).then(|| Ok(format!("Visible {who} on {shown}")))
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
    let mut addrs: Vec<String> = reachable(node, advertise)
        .iter()
        .take(MAX_NAMED)
        .map(|ip| SocketAddr::new(*ip, addr.port()).to_string())
        .collect();
    if addrs.is_empty() {
        addrs.push(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), addr.port()).to_string());
    }
    let mut lines = vec![format!("{name}, listening on {}", addrs.join(" or "))];
    let visible = visible(node);
    lines.extend(visible.iter().map(|visible| match visible {
        Ok(visible) => format!("{visible} (/discover off hides you)"),
        Err(hidden) => format!("{hidden}."),
    }));
    if let Some(why) = not_stored {
        lines.push(format!(
            "{why} Your key is for this run only: in the next run you are a stranger to your peers."
        ));
    }
    if !terminal {
        lines.extend(Menu::lines());
        return lines;
    }
    lines.extend(Menu::lines());
    lines.push("Or type @NAME MESSAGE to send at once, /help for all commands.".into());
    match contacts {
        Some(0) => {}
        Some(1) => lines.push("You have 1 contact; dialing now.".into()),
        Some(count) => lines.push(format!("You have {count} contacts; dialing them now.")),
        None if matches!(visible, Some(Ok(_))) && node.discovery_mode() == DiscoveryMode::On => {
            lines.push("No peers yet. Others on this network appear by themselves. To try it alone,".into());
            lines.push("start p2p-chat in another terminal. To reach a peer elsewhere, choose 3 and".into());
            lines.push("enter its ip:port.".into());
        }
        None => {
            let here = if addr.ip().is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { addr.ip() };
            lines.push("No peers yet. Choose 3 and enter the ip:port that another p2p-chat shows.".into());
            lines.push("To try it alone, start p2p-chat in another terminal, choose 3 there, and".into());
            lines.push(format!("enter {}.", SocketAddr::new(here, addr.port())));
        }
    }
    lines
}
