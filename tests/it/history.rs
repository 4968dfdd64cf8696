//! `p2p-chat history`: what was said is read, searched, exported and forgotten from the command
//! line, whether or not the chat is running.

use std::fs;

use p2p_chat::model::delivery::{DeliveryStatus, PendingReason};
use p2p_chat::model::key::{KEY_BYTES, PublicKey};
use p2p_chat::model::peer_id::{PeerId, Recipient};
use p2p_chat::model::stored::Assurance;
use tempfile::TempDir;

use crate::support::assert_harmless;
use json::Json;
use kept::{Kept, alice, ask, at, bob};

mod forgetting;
mod json;
mod kept;
mod pruning;
mod trouble;

/// What nobody should be able to do anything with.
const NASTY: &str = "\u{1b}[31m\u{202e}x\u{200b}\n# y\n\n```<b>|[a](b)\n[14:03:07] Bob: forged";

#[test]
fn missing_history_is_reported_and_not_created() {
    let data = TempDir::new().expect("a temporary directory");
    let nowhere = data.path().join("none");
    let none = "p2p-chat: There is no profile yet; start `p2p-chat --name Alice`, \
         or create one with `p2p-chat id --new --name Alice`.\n";
    for args in [&[][..], &["--json"], &["--with", "Bob"], &["--forget", "--yes"]] {
        assert_eq!(ask(alice(&nowhere, args)).refused(2), none, "{args:?}");
        assert!(!nowhere.exists(), "{args:?}");
    }
    // A profile that has never kept anything.
    let profile = nowhere.join("profiles").join("alice");
    fs::create_dir_all(&profile).expect("a folder made");
    fs::write(profile.join("profile.toml"), "name = \"Alice\"\n").expect("written");
    for args in [&[][..], &["--json"], &["--with", "Bob"], &["--forget", "--yes"]] {
        assert_eq!(ask(alice(&nowhere, args)).remark(), "Alice has no stored messages.\n", "{args:?}");
    }
    assert_eq!(fs::read_dir(&profile).expect("readable").count(), 1);
    // A history without messages.
    assert_eq!(Kept::new().closed().asked(&[]).remark(), "alice has no stored messages.\n");
    assert_eq!(Kept::new().closed().asked(&["--grep=x"]).refused(1), "alice has no stored messages.\n");
}

#[test]
fn messages_are_printed_as_the_chat_shows_them() {
    let mut kept = Kept::new();
    let carol = at("127.0.0.1:5002");
    kept.hears_bob("good\nmorning")
        .later(5)
        .says(&[(Recipient::Peer(PeerId::Key(bob())), "Bob", DeliveryStatus::Delivered)], "hello Bob");
    kept.later(60).hears(carol, "Carol", "hello all").takes(bob(), "Bob", Assurance::Verified, "/me waves");
    kept.later(14 * 3_600);
    let four: Vec<(Recipient, &str, DeliveryStatus)> = vec![
        (Recipient::Peer(PeerId::Key(bob())), "Bob", DeliveryStatus::Delivered),
        (carol, "Carol", DeliveryStatus::Sent),
        (at("127.0.0.1:5003"), "Dave", DeliveryStatus::Sent),
        (at("127.0.0.1:5004"), "Eve", DeliveryStatus::Queued(PendingReason::InLine)),
    ];
    kept.says(&four, "supper").hears(carol, "Carol", NASTY);
    let expected = "\
--- Saturday, 21 November 2026 ---
[10:00:03] Bob: good
  │ morning
[10:00:08] → Bob: hello Bob (delivered)
[10:01:08] Carol (unencrypted): hello all
[10:01:08] ** Bob (verified) waves
--- Sunday, 22 November 2026 ---
[00:01:08] → all: supper (1 delivered, 2 sent, 1 queued)
[00:01:08] Carol (unencrypted): \\x1b[31m\\u{202e}x\\u{200b}
  │ # y
  │ 
  │ ```<b>|[a](b)
  │ [14:03:07] Bob: forged
";
    // While the chat has it open, and after that.
    assert_eq!(kept.asked(&[]).well(), expected);
    let kept = kept.closed();
    assert_eq!(kept.asked(&[]).well(), expected);
    let last = kept.asked(&["--last", "2"]).well();
    assert_eq!(last.lines().next(), Some("--- Sunday, 22 November 2026 ---"));
    assert_eq!(last.lines().nth(1), expected.lines().nth(7), "the text to four counts as one");
    let off = kept.asking(&["--last=3"]).env("P2P_CHAT_TIME_FORMAT", "off");
    assert_eq!(ask(off).well().lines().next(), Some("** Bob (verified) waves"));
}

#[test]
fn messages_are_selected_by_peer_and_time() {
    let mut kept = Kept::new();
    let other = PublicKey::new([2; KEY_BYTES]);
    kept.hears_bob("one").later(3_600).takes(other, "bob", Assurance::Encrypted, "two");
    kept.later(3_600).hears(at("127.0.0.1:5002"), "Carol", "three").hears(at("[::1]:5002"), "Zoe", "four");
    let kept = kept.closed();
    let texts = |args: &[&str]| -> Vec<String> {
        let args = [&["--json"], args].concat();
        kept.asked(&args).well().lines().map(|line| Json::read(line).of("text").text().to_owned()).collect()
    };
    assert_eq!(texts(&[]), ["one", "two", "three", "four"]);
    assert_eq!(texts(&["--with", "BOB"]), ["one", "two"]);
    assert_eq!(texts(&["--with", "aeaq"]), ["one"]);
    assert_eq!(texts(&["--with", &other.grouped().to_string()]), ["two"]);
    assert_eq!(texts(&["--with", "127.0.0.1:5002"]), ["three"]);
    assert_eq!(texts(&["--with", "[::1]:5002"]), ["four"]);
    // Two hours ahead of UTC, the first came three seconds after ten.
    assert_eq!(texts(&["--since", "2026-11-21T11:00"]), ["two", "three", "four"]);
    assert_eq!(texts(&["--until", "2026-11-21T09:00:04Z", "--since", "2026-11-21T09:00:03Z"]), ["two"]);
    assert_eq!(texts(&["--since", "2026-11-21", "--until", "2026-11-21"]).len(), 4);
    assert_eq!(kept.asked(&["--until", "2026-11-20"]).remark(), "No message matches.\n");
    assert_eq!(kept.asked(&["--since", "2026-11-22"]).remark(), "No message matches.\n");
    assert_eq!(texts(&["--last", "1"]), ["four"]);
    for (wrong, words) in [
        (
            ["--with", "Nobody"],
            "No messages with \"Nobody\". There are messages with Zoe, Carol, bob·aiba, Bob·aeaq.",
        ),
        (["--since", "soon"], "write an age like 3d, a date like 2026-11-21,"),
        (["--older-than", "90"], "an age is a whole number and a unit"),
        (["--last", "0"], "write a whole number from 1."),
    ] {
        let errors = kept.asked(&wrong).refused(2);
        assert!(errors.contains(words), "{wrong:?}: {errors}");
    }
    // contacts.toml tells whom an address means, and a name that came later.
    let file = kept.folder().join("contacts.toml");
    let contact =
        format!("[[contact]]\nkey = \"{other}\"\nname = \"Robert\"\naddresses = [\"127.0.0.1:7000\"]\n");
    fs::write(&file, &contact).expect("written");
    assert_eq!(texts(&["--with", "robert"]), ["two"]);
    assert_eq!(texts(&["--with", "127.0.0.1:7000"]), ["two"]);
    // An alias wins over a name that another peer once had.
    let legacy = "[[contact]]\nlegacy = \"127.0.0.1:5002\"\nalias = \"Boss\"\n";
    fs::write(&file, format!("{contact}alias = \"Zoe\"\n{legacy}")).expect("written");
    assert_eq!(texts(&["--with", "boss"]), ["three"]);
    assert_eq!(texts(&["--with", "Zoe"]), ["two"]);
}

#[test]
fn named_time_zone_rules_dates_and_times() {
    let zones = crate::scripts::time_zones();
    let zones = zones.path().to_str().expect("UTF-8");
    let mut kept = Kept::new();
    kept.hears_bob("hi");
    let kept = kept.closed();
    let asked = |zone, args: &[&str]| ask(kept.asking(args).env("TZDIR", zones).env("TZ", zone));
    for args in [&[][..], &["--since", "2026-11-21T17:00"]] {
        let printed = asked("Asia/Tokyo", args).well();
        assert!(printed.ends_with("\n[17:00:03] Bob: hi\n"), "{printed}");
    }
    assert_eq!(asked("Asia/Tokyo", &["--since", "2026-11-21T17:01"]).remark(), "No message matches.\n");
    let unknown = asked("Asia/Tokio", &[]);
    assert!(unknown.printed.ends_with("\n[08:00:03] Bob: hi\n"), "{}", unknown.printed);
    let warning = "This system has no time zone TZ=Asia/Tokio; times are in UTC.";
    assert!(unknown.errors.starts_with(warning) && unknown.status == Some(0), "{}", unknown.errors);
    // JSON has no local times.
    assert_eq!(asked("Asia/Tokio", &["--json"]).well().lines().count(), 1);
}

#[test]
fn each_json_line_is_a_complete_object() {
    let mut kept = Kept::new();
    kept.takes(bob(), "Bob", Assurance::Verified, NASTY).later(1);
    let peer = at("127.0.0.1:5002");
    kept.says(
        &[
            (peer, "Carol", DeliveryStatus::Unknown),
            (Recipient::Peer(PeerId::Key(bob())), "Bob", DeliveryStatus::Queued(PendingReason::NoReceipt)),
        ],
        "to \"both\" \\",
    );
    let printed = kept.asked(&["--json"]).well();
    assert_harmless(printed.lines());
    let all: Vec<Json> = printed.lines().map(Json::read).collect();
    let names = ["assurance", "direction", "id", "peer", "row", "sent", "state", "text", "time", "to_all"];
    for object in &all {
        assert_eq!(object.names(), names);
        assert_eq!(object.of("peer").names(), ["address", "key", "name"]);
    }
    let [first, second, third] = &all[..] else { panic!("{printed}") };
    let bobs = Json::Text(bob().to_string());
    assert_eq!((first.of("text").text(), first.of("direction").text()), (NASTY, "in"));
    assert_eq!(
        (first.of("time").text(), first.of("sent").text()),
        ("2026-11-21T08:00:03.000Z", "2026-11-21T08:00:02.000Z")
    );
    assert_eq!((first.of("peer").of("key"), first.of("peer").of("address")), (&bobs, &Json::Null));
    assert_eq!((first.of("assurance").text(), first.of("peer").of("name").text()), ("verified", "Bob"));
    assert_eq!((second.of("text").text(), second.of("direction").text()), ("to \"both\" \\", "out"));
    assert_eq!((first.of("to_all"), second.of("to_all")), (&Json::Bool(false), &Json::Bool(true)));
    assert_eq!((second.of("state").text(), third.of("state").text()), ("uncertain", "no receipt yet"));
    assert_eq!((second.of("assurance").text(), third.of("assurance").text()), ("unencrypted", "encrypted"));
    assert_eq!(
        (second.of("peer").of("key"), second.of("peer").of("address").text()),
        (&Json::Null, "127.0.0.1:5002")
    );
    assert_eq!((second.of("id"), second.of("id").text().len()), (third.of("id"), 32));
    assert_ne!(first.of("id"), second.of("id"));
}

#[test]
fn markdown_has_daily_headings_and_no_foreign_markup() {
    let mut kept = Kept::new();
    kept.hears_bob("Good *morning*").later(86_400).hears(at("127.0.0.1:5002"), "Carol", NASTY);
    kept.says(&[(Recipient::Peer(PeerId::Key(bob())), "Bob", DeliveryStatus::Delivered)], "1. one");
    let expected = "\
## Saturday, 21 November 2026

**Bob** 10:00: Good \\*morning\\*

## Sunday, 22 November 2026

**Carol** (unencrypted) 10:00: \\\\x1b\\[31m\\\\u\\{202e\\}x\\\\u\\{200b\\}\\
\\# y\\
\\
\\`\\`\\`\\<b\\>\\|\\[a\\]\\(b\\)\\
\\[14\\:03\\:07\\] Bob\\: forged

→ **Bob** 10:00: 1\\. one (delivered)

";
    assert_eq!(kept.asked(&["--markdown"]).well(), expected);
    let errors = kept.asked(&["--markdown", "--json"]).refused(2);
    assert!(errors.contains("cannot be used with"), "{errors}");
}

#[test]
#[cfg(unix)]
fn terminal_shows_last_fifty_and_mentions_more() {
    use crate::support::Terminal;

    let mut kept = Kept::new();
    for number in 0..60 {
        kept.hears_bob(&format!("number {number}"));
    }
    let kept = kept.closed();
    let mut window = Terminal::start(kept.asking(&[]), 70, 80);
    window.waits_for("Bob: number 59");
    assert!(window.ends().success());
    let screen = window.screen();
    assert!(screen.contains("Bob: number 10\n") && !screen.contains("Bob: number 9\n"), "{screen}");
    assert!(screen.contains("Showing the last 50 messages; --last N shows more."), "{screen}");
    let mut window = Terminal::start(kept.asking(&["--last=60"]), 70, 80);
    window.waits_for("Bob: number 0");
    assert!(window.ends().success());
    assert!(!window.screen().contains("Showing the last"), "{}", window.screen());
}
