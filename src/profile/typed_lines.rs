//! `typed_lines`: the lines that the user typed in earlier runs, for Up and Ctrl-R.
//!
//! After a title, each line of the file is the time in milliseconds since 1970, a space, and the
//! typed line, in which `\\`, `\n` and `\u{...}` stand for a backslash, a line end and other
//! control characters. A line is appended in one write, so a crash loses at most the last one.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::files;

/// The name of the file, in the directory of the profile.
const FILE: &str = "typed_lines";

/// The first line, which names the format.
const TITLE: &str = "p2p-chat typed lines 1";

/// Lines in the file, at most: as many as the editor remembers during a run.
const MAX_LINES: usize = 500;

/// Bytes of the lines in the file, at most: as many as the editor remembers during a run.
const MAX_BYTES: usize = 1024 * 1024;

/// How many times over a limit the file may grow before it is shortened, so that this is rare.
const SLACK: usize = 2;

/// Bytes that are read, at most: what the slack allows, and one line in which every byte is
/// escaped.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// The typed lines of a profile, for the one process that adds to them.
#[derive(Debug)]
pub(crate) struct TypedLines {
    path: PathBuf,
    /// Lines and bytes in the file.
    lines: usize,
    bytes: usize,
    /// Whether the file is damaged, so that the next line replaces it.
    damaged: bool,
}

/// What is in the file.
#[derive(Default)]
struct TypedLinesFile {
    /// Times and lines, the oldest first.
    lines: VecDeque<(u64, String)>,
    /// Whether the file ends within a line, which is not in `lines`.
    torn: bool,
}

/// Why the file cannot be used.
#[derive(thiserror::Error, Debug)]
enum ReadError {
    #[error("{0}")]
    Io(io::Error),
    #[error("it has more than {MAX_FILE_BYTES} bytes")]
    TooLarge,
    /// This line is damaged. The first line is 1.
    #[error("line {0} is damaged")]
    Line(usize),
}

impl TypedLines {
    /// Opens the file in this directory and removes the lines older than `since` (in milliseconds
    /// since 1970). Returns the other lines, oldest first, and a sentence if the file cannot be
    /// read.
    pub(crate) fn open(folder: &Path, since: Option<u64>) -> (Self, Vec<String>, Option<String>) {
        let path = folder.join(FILE);
        let mut typed = Self { path, lines: 0, bytes: 0, damaged: false };
        match typed.shortened(since) {
            Ok(lines) => (typed, lines, None),
            Err(fault) => {
                typed.damaged = true;
                let path = typed.path.display();
                let sentence = format!(
                    "Cannot use {path}: {fault}. Lines of earlier runs are not available, and your next line replaces the file."
                );
                (typed, Vec::new(), Some(sentence))
            }
        }
    }

    /// Adds a line, and shortens the file if it has become too long.
    pub(crate) fn add(&mut self, line: &str, millis: u64) -> io::Result<()> {
        let written = written_line(line, millis);
        if self.damaged {
            files::replace(&self.path, format!("{TITLE}\n{written}").as_bytes())?;
            (self.lines, self.bytes, self.damaged) = (1, written.len(), false);
            return Ok(());
        }
        let mut file = files::private().append(true).create(true).open(&self.path)?;
        // `history --forget` may have removed it meanwhile.
        let title = if file.metadata()?.len() == 0 { format!("{TITLE}\n") } else { String::new() };
        file.write_all((title + &written).as_bytes())?;
        self.lines += 1;
        self.bytes += written.len();
        if self.lines > SLACK * MAX_LINES || self.bytes > SLACK * MAX_BYTES {
            self.damaged = self.shortened(None).is_err();
        }
        Ok(())
    }

    /// Returns the lines within the limits. Rewrites the file if it has others.
    fn shortened(&mut self, since: Option<u64>) -> Result<Vec<String>, ReadError> {
        let TypedLinesFile { mut lines, torn } = read(&self.path)?;
        let before = lines.len();
        lines.retain(|(time, _)| since.is_none_or(|since| *time >= since));
        let mut written: VecDeque<String> =
            lines.iter().map(|(time, line)| written_line(line, *time)).collect();
        let mut bytes: usize = written.iter().map(String::len).sum();
        while written.len() > MAX_LINES || (bytes > MAX_BYTES && written.len() > 1) {
            bytes -= written.pop_front().map_or(0, |oldest| oldest.len());
            lines.pop_front();
        }
        if torn || lines.len() < before {
            write(&self.path, &written).map_err(ReadError::Io)?;
        }
        (self.lines, self.bytes) = (lines.len(), bytes);
        Ok(lines.into_iter().map(|(_, line)| line).collect())
    }
}

/// The lines typed in a range of time, which the user may remove.
#[derive(Clone, Debug)]
pub(crate) struct TypedRange {
    path: PathBuf,
    since: Option<u64>,
    until: Option<u64>,
}

impl TypedRange {
    /// Returns the range from `since` to just before `until`, in milliseconds since 1970, for the
    /// profile in this directory.
    pub(crate) fn new(folder: &Path, since: Option<u64>, until: Option<u64>) -> Self {
        Self { path: folder.join(FILE), since, until }
    }

    /// Counts the lines. A damaged file counts as one line in every range.
    pub(crate) fn count(&self) -> u64 {
        let count = match read(&self.path) {
            Ok(content) => {
                content.lines.iter().filter(|(time, _)| self.has(*time)).count() + usize::from(content.torn)
            }
            Err(ReadError::Io(error)) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(_) => 1,
        };
        count as u64
    }

    /// Removes the lines. Removes the whole file if it is damaged.
    pub(crate) fn forget(&self) -> io::Result<()> {
        let rest: VecDeque<String> = match read(&self.path) {
            Ok(content) => {
                let rest = content.lines.iter().filter(|(time, _)| !self.has(*time));
                rest.map(|(time, line)| written_line(line, *time)).collect()
            }
            Err(_) => VecDeque::new(),
        };
        if !rest.is_empty() {
            return write(&self.path, &rest);
        }
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    fn has(&self, time: u64) -> bool {
        self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time < until)
    }
}

/// Reads the file. A missing file is an empty one.
fn read(path: &Path) -> Result<TypedLinesFile, ReadError> {
    let mut bytes = Vec::new();
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(TypedLinesFile::default()),
        file => file.map_err(ReadError::Io)?,
    };
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(ReadError::Io)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(ReadError::TooLarge);
    }
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Result<TypedLinesFile, ReadError> {
    // A crash during a write can leave half a character at the end.
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let torn = whole < bytes.len();
    let mut lines = bytes[..whole].split_inclusive(|byte| *byte == b'\n');
    match lines.next() {
        None if TITLE.as_bytes().starts_with(bytes) => {
            return Ok(TypedLinesFile { torn, ..TypedLinesFile::default() });
        }
        Some(title) if title.strip_suffix(b"\n") == Some(TITLE.as_bytes()) => {}
        _ => return Err(ReadError::Line(1)),
    }
    let lines = lines.zip(2..).map(|(line, number)| {
        let line = line.strip_suffix(b"\n").and_then(|line| std::str::from_utf8(line).ok());
        line.and_then(read_line).ok_or(ReadError::Line(number))
    });
    Ok(TypedLinesFile { lines: lines.collect::<Result<_, _>>()?, torn })
}

/// Replaces the file with these lines, which are escaped.
fn write(path: &Path, lines: &VecDeque<String>) -> io::Result<()> {
    let lines: String = lines.iter().map(String::as_str).collect();
    files::replace(path, format!("{TITLE}\n{lines}").as_bytes())
}

/// Returns a typed line as the file has it.
fn written_line(line: &str, millis: u64) -> String {
    let mut written = format!("{millis} ");
    for c in line.chars() {
        match c {
            '\\' => written.push_str("\\\\"),
            '\n' => written.push_str("\\n"),
            c if c.is_control() => written.extend(c.escape_unicode()),
            c => written.push(c),
        }
    }
    written.push('\n');
    written
}

/// Returns the time and the typed line in a line of the file, or `None` if it is damaged.
fn read_line(written: &str) -> Option<(u64, String)> {
    let (millis, escaped) = written.split_once(' ')?;
    let mut line = String::with_capacity(escaped.len());
    let mut chars = escaped.chars();
    while let Some(c) = chars.next() {
        line.push(match c {
            '\\' => match chars.next()? {
                '\\' => '\\',
                'n' => '\n',
                'u' => {
                    let (digits, rest) = chars.as_str().strip_prefix('{')?.split_once('}')?;
                    chars = rest.chars();
                    char::from_u32(u32::from_str_radix(digits, 16).ok()?)?
                }
                _ => return None,
            },
            c if c.is_control() => return None,
            c => c,
        });
    }
    Some((millis.parse().ok()?, line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tempfile::TempDir;

    fn typed(folder: &Path) -> Vec<String> {
        let (_, lines, sentence) = TypedLines::open(folder, None);
        assert_eq!(sentence, None);
        lines
    }

    fn with_lines(lines: &[&str]) -> TempDir {
        let dir = TempDir::new().unwrap();
        let (mut typed, _, _) = TypedLines::open(dir.path(), None);
        lines.iter().zip(1..).for_each(|(line, time)| typed.add(line, time * 1_000).unwrap());
        dir
    }

    proptest! {
        #[test]
        fn any_line_is_read_back(line in "(\\PC|[\\\\\\n\\t\\x1b\\x7f\u{85}\u{2028}{}un]){0,40}") {
            let written = written_line(&line, 7);
            prop_assert_eq!(written.find('\n'), Some(written.len() - 1));
            prop_assert!(!written.trim_end_matches('\n').contains(char::is_control));
            prop_assert_eq!(read_line(written.trim_end_matches('\n')), Some((7, line)));
        }
    }

    #[test]
    fn typed_lines_survive_a_restart() {
        let dir = with_lines(&["one", "two\nlines", "a\\b"]);
        assert_eq!(typed(dir.path()), ["one", "two\nlines", "a\\b"]);
        let text = fs::read_to_string(dir.path().join(FILE)).unwrap();
        assert_eq!(text, "p2p-chat typed lines 1\n1000 one\n2000 two\\nlines\n3000 a\\\\b\n");
    }

    #[test]
    #[cfg(unix)]
    fn only_the_user_can_read_them() {
        use std::os::unix::fs::PermissionsExt;

        let dir = with_lines(&["one"]);
        let mode = fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn torn_write_loses_only_the_last_line() {
        let dir = with_lines(&["one", "zw\u{f6}lf"]);
        let path = dir.path().join(FILE);
        let whole = fs::read(&path).unwrap();
        let second = whole.len() - written_line("zw\u{f6}lf", 2_000).len();
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let expected: &[&str] = if length >= second { &["one"] } else { &[] };
            assert_eq!(typed(dir.path()), expected, "{length}");
            let (mut again, _, _) = TypedLines::open(dir.path(), None);
            again.add("next", 3_000).unwrap();
            assert_eq!(typed(dir.path()), [expected, &["next"]].concat(), "{length}");
        }
    }

    #[test]
    fn damaged_file_is_reported_and_replaced() {
        let dir = with_lines(&["one", "two"]);
        let path = dir.path().join(FILE);
        for (damaged, words) in [
            (&b"something else\n"[..], "line 1 is damaged"),
            (b"p2p-chat typed lines 1\nnot a time\n", "line 2 is damaged"),
            (b"p2p-chat typed lines 1\n1 a\n2 \xff\n", "line 3 is damaged"),
            (b"p2p-chat typed lines 1\n1 \\x\n", "line 2 is damaged"),
            (&vec![b'x'; MAX_FILE_BYTES as usize + 1], "more than 4194304 bytes"),
        ] {
            fs::write(&path, damaged).unwrap();
            let (mut lines, offered, sentence) = TypedLines::open(dir.path(), None);
            assert!(offered.is_empty());
            assert!(sentence.as_deref().is_some_and(|sentence| sentence.contains(words)), "{sentence:?}");
            assert_eq!(fs::read(&path).unwrap(), damaged, "unchanged until a line is typed");
            lines.add("next", 1).unwrap();
            lines.add("after", 2).unwrap();
            assert_eq!(typed(dir.path()), ["next", "after"]);
        }
    }

    #[test]
    fn file_is_bounded_in_lines_and_bytes() {
        let dir = TempDir::new().unwrap();
        let (mut lines, _, _) = TypedLines::open(dir.path(), None);
        for number in 0..SLACK * MAX_LINES + 2 {
            lines.add(&number.to_string(), 0).unwrap();
        }
        let count = || fs::read_to_string(dir.path().join(FILE)).unwrap().lines().count() - 1;
        assert_eq!(count(), MAX_LINES + 1);
        assert_eq!(typed(dir.path()).last().map(String::as_str), Some("1001"));
        assert_eq!(count(), MAX_LINES);
        let long = "x".repeat(32 * 1024);
        for _ in 0..100 {
            lines.add(&long, 0).unwrap();
            let size = fs::metadata(dir.path().join(FILE)).unwrap().len();
            assert!(size <= (SLACK * MAX_BYTES + TITLE.len() + 1) as u64, "{size}");
        }
        assert_eq!(typed(dir.path()).len(), MAX_BYTES / (long.len() + 3));
    }

    #[test]
    fn older_lines_are_dropped() {
        let dir = with_lines(&["one", "two", "three"]);
        assert_eq!(TypedLines::open(dir.path(), Some(2_000)).1, ["two", "three"]);
        assert_eq!(typed(dir.path()), ["two", "three"]);
    }

    #[test]
    fn lines_in_a_range_are_removed() {
        let dir = with_lines(&["one", "two", "three"]);
        let range = TypedRange::new(dir.path(), Some(2_000), Some(3_000));
        assert_eq!(range.count(), 1);
        range.forget().unwrap();
        assert_eq!((range.count(), typed(dir.path())), (0, vec!["one".to_owned(), "three".to_owned()]));
        let all = TypedRange::new(dir.path(), None, None);
        assert_eq!(all.count(), 2);
        all.forget().unwrap();
        all.forget().unwrap();
        assert_eq!((all.count(), fs::read_dir(dir.path()).unwrap().count()), (0, 0));
    }

    #[test]
    fn removed_lines_stay_removed() {
        let dir = with_lines(&["one", "two"]);
        let (mut running, _, _) = TypedLines::open(dir.path(), None);
        TypedRange::new(dir.path(), None, None).forget().unwrap();
        running.add("three", 3_000).unwrap();
        assert_eq!(typed(dir.path()), ["three"]);
    }

    #[test]
    fn damaged_file_is_removed_as_a_whole() {
        let dir = with_lines(&["one"]);
        fs::write(dir.path().join(FILE), "what is this\n").unwrap();
        let range = TypedRange::new(dir.path(), Some(5), None);
        assert_eq!(range.count(), 1);
        range.forget().unwrap();
        assert_eq!((range.count(), fs::read_dir(dir.path()).unwrap().count()), (0, 0));
    }
}
