//! `/discover`.

use super::{COMMAND, Spec};
use crate::core::DiscoveryMode;
use crate::tui::app::App;
use crate::tui::complete::Argument;
use crate::tui::menu::refused;

pub(super) static DISCOVER: Spec = Spec {
    name: "/discover",
    arguments: "[WHO]",
    short: "who can discover you: on, contacts, off",
    long: "on announces your name and key on the local network, and connects you to peers that \
           do the same; with the policies ask and strict, p2p-chat only tells you about \
           strangers, and /connect accepts one. contacts announces you so that only peers that \
           know your key recognize you, and connects you only to contacts. off neither announces \
           you nor looks for peers. The choice applies until p2p-chat ends; --discover sets it for each start. \
           Without WHO, it shows who can discover you.",
    completes: Argument::Words(&[&["on", "contacts", "off"]]),
    read: |_, typed| match typed.rest {
        "" | "on" | "contacts" | "off" => typed.to_app(),
        _ => refused("Type on, contacts or off after /discover."),
    },
    run: discover,
    ..COMMAND
};

fn discover(app: &mut App, who: &str) {
    match who {
        "on" => app.node.set_discovery_mode(DiscoveryMode::On),
        "contacts" => app.node.set_discovery_mode(DiscoveryMode::Contacts),
        "off" => app.node.set_discovery_mode(DiscoveryMode::Off),
        _ => app.node.follow_networks(),
    }
    let words = app.who_discovers(who.is_empty());
    app.say(words);
}
