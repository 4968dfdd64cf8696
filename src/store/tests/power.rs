//! A power cut, as far as it can be had without one: what the disk has got of the log ends
//! anywhere.

use super::*;

/// Bytes of the header of a log, of the header of one of its frames, and of a page
/// (sqlite.org/fileformat2.html, section 4.1).
const LOG_HEADER: usize = 32;
const FRAME: usize = 24 + 4_096;

/// Messages; each is a commit of its own.
const MANY: u32 = 12;

/// What is there of a file whose log is this: a prefix of what was written, whole and in order; its
/// length.
fn survived(file_bytes: &[u8], log: &[u8]) -> usize {
    let dir = dir();
    let path = file(dir.path());
    fs::write(&path, file_bytes).unwrap();
    fs::write(beside(&path, "-wal"), log).unwrap();
    let (mut store, told) = open_or_set_aside(&path).unwrap();
    assert_eq!(told, None);
    store.check().unwrap();
    let ids: Vec<_> = entries(&mut store).iter().map(|entry| entry.id).collect();
    let expected: Vec<_> = (0..MANY).map(|number| Some(id(number))).collect();
    assert_eq!(ids, expected[..ids.len()]);
    // It goes on from there.
    apply(&mut store, &[incoming(1, &[MANY])]);
    assert_eq!(entries(&mut store).len(), ids.len() + 1);
    ids.len()
}

#[test]
fn torn_log_keeps_a_prefix_of_the_commits() {
    let dir = dir();
    let path = file(dir.path());
    drop(opened(&dir));
    let mut store = opened(&dir);
    let empty = fs::read(&path).unwrap();
    let log = || fs::read(beside(&path, "-wal")).unwrap();
    let mut ends = vec![0];
    for number in 0..MANY {
        apply(&mut store, &[incoming(1, &[number])]);
        ends.push(log().len());
    }
    let (whole, log) = (fs::read(&path).unwrap(), log());
    assert!(whole == empty, "everything is in the log");
    let durable = |length: usize| ends.iter().rposition(|end| *end <= length).unwrap();
    let boundaries = (0..=(log.len() - LOG_HEADER) / FRAME).map(|frame| LOG_HEADER + frame * FRAME);
    // Anywhere between the boundaries, too; the steps have no divisor in common with the size of a
    // frame.
    for length in boundaries.chain((0..log.len()).step_by(4_999)) {
        assert_eq!(survived(&whole, &log[..length]), durable(length), "of {length} bytes");
    }
    for at in (LOG_HEADER..log.len()).step_by(19_997) {
        let mut flipped = log.clone();
        flipped[at] ^= 0x10;
        // What comes before the frame with the wrong bit.
        let good = LOG_HEADER + (at - LOG_HEADER) / FRAME * FRAME;
        assert_eq!(survived(&whole, &flipped), durable(good), "with a wrong bit at {at}");
    }
    assert_eq!(survived(&whole, &log), MANY as usize);
}
