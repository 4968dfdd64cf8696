//! Input from a pipe: which lines are carried out, and the exit status.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use tempfile::TempDir;

use crate::support::{Builder, Peer, nobody, send_raw};

/// A script that has ended.
struct Ran {
    status: Option<i32>,
    printed: String,
    errors: String,
}

fn ran(peer: Builder, input: &[u8]) -> Ran {
    let (mut command, _dir) = peer.arg("--bind=127.0.0.1").command();
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    child.stdin.take().expect("piped").write_all(input).expect("it reads its input");
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ran { status: output.status.code(), printed: text(output.stdout), errors: text(output.stderr) }
}

#[test]
fn refused_line_ends_in_status_one() {
    let long = "x".repeat(102_000);
    let refused = format!("/connect {}", nobody());
    for (line, reason) in [
        (&b"@nobody hi"[..], "No contact matches \"nobody\"."),
        (b"/xyzzy", "There is no command /xyzzy."),
        (b"99", "\"99\" is not in the menu."),
        (b"hi", "Not sent: a message needs a recipient, like @bob hello."),
        (b"@all hi", "No peer is online."),
        (b"/name two words", "A name is one word"),
        (b"/outbox cancel 7", "There is no queued message 7."),
        (b"caf\xe9", "The line was dropped: it is not UTF-8."),
        (long.as_bytes(), "The line of 102000 bytes was dropped: a line has at most 32768 bytes."),
        (refused.as_bytes(), "connection refused."),
    ] {
        let Ran { status, printed, errors } = ran(Peer::named("Alice"), &[line, b"\n/quit\n"].concat());
        let shown = String::from_utf8_lossy(&line[..line.len().min(50)]).into_owned();
        assert_eq!(status, Some(1), "{shown}: {errors}");
        assert!(errors.starts_with("p2p-chat: ") && errors.contains(reason), "{shown}: {errors}");
        assert_eq!(errors.lines().count(), 1, "{shown}: {errors}");
        // The transcript has it too.
        assert!(printed.contains(reason), "{shown}: {printed}");
    }
}

#[test]
fn lines_carried_out_end_in_status_zero() {
    let queued = format!("@{} later\n/disconnect {}\n", nobody(), nobody());
    for input in ["", "\n", "/policy\n/peers", "1\n0\n/outbox\n", "2\n0\n", &queued] {
        let Ran { status, errors, .. } = ran(Peer::named("Alice"), input.as_bytes());
        assert_eq!((status, &*errors), (Some(0), ""), "{input:?}");
    }
}

#[test]
fn input_ending_at_question_is_a_failure() {
    let input = format!("1\n{}\n", nobody());
    let Ran { status, errors, .. } = ran(Peer::named("Alice"), input.as_bytes());
    let reason = "p2p-chat: The input ended at a question, so nothing was done.\n";
    assert_eq!((status, &*errors), (Some(1), reason));
}

#[test]
fn message_lost_at_the_end_is_a_failure() {
    let input = format!("@{} later\n", nobody());
    let Ran { status, errors, .. } = ran(Peer::named("Alice").arg("--no-history"), input.as_bytes());
    assert_eq!(status, Some(1), "{errors}");
    assert!(errors.starts_with("p2p-chat: Not delivered to "), "{errors}");
    // Standard error may be the log.
    assert!(!errors.contains("later"), "{errors}");
}

#[test]
fn byte_order_mark_of_input_is_skipped() {
    let Ran { status, printed, errors } = ran(Peer::named("Alice"), "\u{feff}/policy\n".as_bytes());
    assert_eq!((status, &*errors), (Some(0), ""));
    assert!(printed.contains("/policy accept-new, ask or strict changes it."), "{printed}");
    // Anywhere else it is text.
    let Ran { status, .. } = ran(Peer::named("Alice"), "\n\u{feff}/policy\n".as_bytes());
    assert_eq!(status, Some(1));
}

/// A directory of time zones with one that is nine hours ahead of UTC, as tzfile(5) describes it.
pub(super) fn time_zones() -> TempDir {
    let mut block = b"TZif2".to_vec();
    block.extend([0; 15]);
    // One type, and a name of four bytes.
    [0_u32, 0, 0, 0, 1, 4].iter().for_each(|count| block.extend(count.to_be_bytes()));
    block.extend((9 * 3_600_i32).to_be_bytes());
    block.extend(b"\0\0JST\0");
    let dir = TempDir::new().expect("a temporary directory");
    fs::create_dir(dir.path().join("Asia")).expect("a folder made");
    let file = [&block[..], &block, b"\nJST-9\n"].concat();
    fs::write(dir.path().join("Asia/Tokyo"), file).expect("written");
    dir
}

#[test]
fn named_time_zone_is_used_for_times() {
    let zones = time_zones();
    let zones = zones.path().to_str().expect("UTF-8");
    let alice =
        |zone| Peer::named("Alice").env("TZDIR", zones).env("TZ", zone).arg("--time-format=%H %z").start();
    let stamp = |alice: &mut Peer| {
        send_raw(alice.addr(), b"127.0.0.1:9 Bob what time is it?");
        alice.sees("what time is it?").split_once(']').expect("a time").0[3..].to_owned()
    };
    assert_eq!(stamp(&mut alice("Asia/Tokyo")), " +0900");
    let mut unknown = alice("Asia/Tokio");
    unknown.has_seen("This system has no time zone TZ=Asia/Tokio; times are in UTC.");
    assert_eq!(stamp(&mut unknown), " +0000");
}
