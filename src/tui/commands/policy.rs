//! `/policy`.

use super::{COMMAND, Spec};
use crate::core::{Command, Policy};
use crate::tui::complete::Argument;
use crate::tui::menu::{perform, refused};
use crate::tui::policy_words;

pub(super) static POLICY: Spec = Spec {
    name: "/policy",
    arguments: "HOW",
    short: "how to treat strangers: accept-new, ask, strict",
    long: "accept-new shows their messages and remembers new keys. ask makes them wait for \
           /accept. strict refuses them. The policy applies until p2p-chat ends, to strangers \
           that are not in the list yet. A new key with the name of a contact always waits.",
    row: Some((&["/policy", "/discover"], "how to treat strangers; who can discover you")),
    completes: Argument::Words(&[&["accept-new", "ask", "strict"]]),
    read: |_, typed| match typed.rest {
        "" => typed.to_app(),
        "accept-new" => perform(Command::SetPolicy(Policy::AcceptNew)),
        "ask" => perform(Command::SetPolicy(Policy::Ask)),
        "strict" => perform(Command::SetPolicy(Policy::Strict)),
        _ => refused("Type accept-new, ask or strict after /policy."),
    },
    run: |app, _| {
        let words = policy_words(app.node.policy());
        app.say(format!("{words} /policy accept-new, ask or strict changes it."));
    },
    ..COMMAND
};
