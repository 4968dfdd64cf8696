use std::fs::{self, File};
use std::time::{Duration, Instant, SystemTime};

use proptest::prelude::*;
use tempfile::TempDir;

use super::parse::MAX_VERIFIED;
use super::*;
use crate::core::MAX_HINTS;
use crate::model::address::PeerAddr;
use crate::model::key::{KEY_BYTES, PublicKey};
use crate::model::name::PeerName;
use crate::model::peer_id::{LegacyId, Recipient};
use crate::settings::ConfigError;

fn key(byte: u8) -> PeerId {
    PeerId::Key(PublicKey::new([byte; KEY_BYTES]))
}

fn numbered(number: usize) -> PeerId {
    let mut bytes = [0; KEY_BYTES];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    PeerId::Key(PublicKey::new(bytes))
}

fn legacy(address: &str) -> PeerId {
    PeerId::Legacy(LegacyId::saved_as(address.parse::<PeerAddr>().unwrap().plain().unwrap()))
}

fn set_many(contacts: &mut Contacts, set: Vec<Contact>) {
    let edits = set.into_iter().map(|contact| (contact.id, Some(contact))).collect();
    contacts.change_many(edits, BTreeMap::new()).unwrap();
}

fn remove(contacts: &mut Contacts, id: PeerId) -> Result<(), ContactsError> {
    contacts.change_many(BTreeMap::from([(id, None)]), BTreeMap::new())
}

fn alias(text: &str) -> Option<Name> {
    Some(text.parse().unwrap())
}

fn name(text: &str) -> Option<PeerName> {
    Some(PeerName::new(text))
}

fn bob() -> Contact {
    Contact {
        name: name("Bob"),
        alias: alias("Boss"),
        verified: Some(1_795_339_800),
        addrs: vec!["192.0.2.7:5000".parse().unwrap()],
        ..Contact::new(key(1))
    }
}

fn blocked(byte: u8) -> Contact {
    Contact { blocked: true, ..Contact::new(key(byte)) }
}

fn printer() -> Contact {
    Contact { alias: alias("Printer"), muted: true, ..Contact::new(legacy("192.0.2.9:5000")) }
}

/// The file of a profile, as the user's editor sees it.
struct Editor {
    folder: TempDir,
}

impl Editor {
    fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    fn with(text: &str) -> Self {
        let editor = Self::new();
        editor.save(text);
        editor
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join(CONTACTS_FILE)
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path()).unwrap()
    }

    /// Saves a text, with an old modification time.
    fn save(&self, text: &str) {
        fs::write(self.path(), text).unwrap();
        let file = File::options().write(true).open(self.path()).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
    }

    fn replace(&self, old: &str, new: &str) {
        let text = self.text();
        assert!(text.contains(old), "{text}");
        self.save(&text.replacen(old, new, 1));
    }

    fn open(&self) -> Contacts {
        self.try_open().unwrap()
    }

    fn try_open(&self) -> Result<Contacts, ContactsError> {
        Contacts::open(Some(self.folder.path()), alias("Alice").as_ref())
    }

    fn saved(&self) -> Vec<Contact> {
        self.open().all().cloned().collect()
    }
}

fn entry(contact: &Contact) -> String {
    edit::new_entry(contact, "\n")
}

fn file_of<'a>(contacts: impl IntoIterator<Item = &'a Contact>) -> String {
    let entries: Vec<String> = contacts.into_iter().map(entry).collect();
    entries.join("\n")
}

/// Returns the text after these edits.
fn edited<const N: usize>(text: &str, edits: [(PeerId, Option<Contact>); N]) -> String {
    edit::edited(&parse::parse(text, None).unwrap(), &BTreeMap::from(edits), &BTreeMap::new(), false)
}

#[test]
fn documented_example_is_read_and_written() {
    let document = include_str!("../../../docs/SECURITY.md");
    let (_, section) = document.split_once("\n### contacts.toml\n").unwrap();
    let (_, rest) = section.split_once("```toml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let contacts = [bob(), blocked(2), printer()];
    assert_eq!(Editor::with(example).saved(), contacts);
    assert_eq!(file_of(&contacts), example);
}

#[test]
fn legacy_contact_may_be_blocked_but_not_verified() {
    let with = |line| format!("[[contact]]\nlegacy = \"192.0.2.9:5000\"\n{line}\n");
    let editor = Editor::with(&with("verified = 2026-11-22T09:30:00Z"));
    let sentence = Contacts::open(Some(editor.folder.path()), None).unwrap_err().to_string();
    let expected = "contacts.toml, line 3: `verified` needs a key, and a legacy program has none.";
    assert!(sentence.ends_with(expected), "{sentence}");
    assert!(Editor::with(&with("blocked = true")).saved()[0].blocked);
}

#[test]
fn blocked_sources_are_saved_beside_the_contacts() {
    let source = |text: &str| text.parse::<SourcePrefix>().unwrap();
    let (v4, v6) = (source("192.0.2.66"), source("2001:db8::66"));
    let by_hand = "# mine\n[[blocked]] # spam\nip = \"192.0.2.66\"\nsince = 2026\n";
    let editor = Editor::with(&format!("{}\n{by_hand}", entry(&bob())));
    let mut contacts = editor.open();
    assert_eq!(contacts.blocked_sources(), &BTreeSet::from([v4]));
    contacts.change_many(BTreeMap::new(), BTreeMap::from([(v6, true)])).unwrap();
    let added = "[[blocked]]\nip = \"2001:db8::/64\"\n";
    assert_eq!(editor.text(), format!("{}\n{by_hand}\n{added}", entry(&bob())));
    contacts.set(printer()).unwrap();
    let edits = (BTreeMap::from([(bob().id, None)]), BTreeMap::from([(v4, false)]));
    contacts.change_many(edits.0, edits.1).unwrap();
    assert_eq!(editor.text().trim_start(), format!("{added}\n{}", entry(&printer())));
    assert_eq!(editor.open().blocked_sources(), &BTreeSet::from([v6]));
    // By hand.
    editor.save(&file_of([&printer()]));
    assert_eq!(changes_of(&mut contacts), [Change::Source(v6, false)]);
    assert!(contacts.blocked_sources().is_empty());
}

#[test]
fn mistake_in_a_blocked_source_is_shown() {
    for (text, what) in [
        ("[blocked]\nip = \"192.0.2.66\"", "blocked IPs are written as [[blocked]]"),
        ("[[blockd]]\nip = \"192.0.2.66\"", "did you mean [[blocked]]?"),
        ("[[blocked]]\naddress = \"192.0.2.66\"", "followed by its `ip`."),
        ("[[blocked]]\nip = \"192.0.2.66:5000\"", "is not an IP"),
        ("[[blocked]]\nip = \"192.0.2.6\"\n[[blocked]]\nip = \"192.0.2.6\"", "is blocked twice"),
    ] {
        let (_, mistake) = parse::parse(text, None).err().unwrap();
        assert!(mistake.contains(what), "{text}: {mistake}");
    }
}

#[test]
fn contacts_survive_restart() {
    let editor = Editor::new();
    let mut contacts = editor.open();
    set_many(&mut contacts, vec![printer(), blocked(2)]);
    contacts.set(bob()).unwrap();
    assert_eq!(editor.saved(), [bob(), blocked(2), printer()]);
    let renamed = Contact { name: name("\"B\\b"), alias: alias("'\"\\"), verified: None, ..bob() };
    contacts.set(renamed.clone()).unwrap();
    (0..2).for_each(|_| remove(&mut contacts, key(2)).unwrap());
    assert_eq!(editor.saved(), [renamed.clone(), printer()]);
    assert_eq!(contacts.all().cloned().collect::<Vec<_>>(), [renamed.clone(), printer()]);
    assert_eq!((contacts.get(key(1)), contacts.get(key(2))), (Some(&renamed), None));
    assert_eq!(contacts.reload().unwrap(), [], "the caller knows");
    assert_eq!(fs::read_dir(editor.folder.path()).unwrap().count(), 1, "no temporary file is left");
}

#[test]
#[cfg(unix)]
fn only_the_user_can_read_the_file() {
    use std::os::unix::fs::PermissionsExt;

    let editor = Editor::with(&entry(&bob()));
    fs::set_permissions(editor.path(), fs::Permissions::from_mode(0o644)).unwrap();
    editor.open().set(printer()).unwrap();
    assert_eq!(fs::metadata(editor.path()).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn file_is_written_only_if_something_changes() {
    let editor = Editor::new();
    let mut contacts = editor.open();
    remove(&mut contacts, key(1)).unwrap();
    assert!(!editor.path().exists());
    contacts.set(bob()).unwrap();
    assert!(editor.text().starts_with("# The contacts"));
    let before = Stat::of(&editor.path());
    contacts.set(bob()).unwrap();
    set_many(&mut contacts, vec![]);
    remove(&mut contacts, key(9)).unwrap();
    assert_eq!(Stat::of(&editor.path()), before);
}

#[test]
fn without_a_folder_contacts_last_for_the_run() {
    let mut contacts = Contacts::open(None, None).unwrap();
    set_many(&mut contacts, vec![bob(), printer()]);
    let taken = Contact { alias: alias("boss"), ..printer() };
    assert!(matches!(contacts.set(taken), Err(ContactsError::Taken(..))));
    remove(&mut contacts, printer().id).unwrap();
    assert_eq!((contacts.all().count(), contacts.reload().unwrap()), (1, vec![]));
}

/// A file edited by hand: with comments, unknown fields and unusual spaces.
const BY_HAND: &str = r#"# My people
version = 3

# Work

# Bob, from the office
[[contact]] # the first
  note = '''
# not a comment'''
  key = 'aeaqcaib aeaqcaib aeaqcaib aeaqcaib aeaqcaib aeaqcaib aeaq' # as he wrote it
  "name"   =   "Bob"
  # His joke.
  alias = "Boss" # not really
  verified = "2026-11-22T10:30:00+01:00"
  addresses = [
    "192.0.2.7:5000", # at home
  ]
  card.phone = 1
# no more of Bob

# Home

[contact.more]
birthday = 1990-01-01
[[contact]]
legacy = "192.0.2.9:5000"
muted = true
alias = "Printer"

[mine]
x = 1
"#;

#[test]
fn comments_and_unknown_fields_survive_a_change() {
    let changed =
        Contact { name: name("Bobby"), alias: None, blocked: true, muted: true, addrs: vec![], ..bob() };
    let text = edited(BY_HAND, [(key(1), Some(changed.clone()))]);
    let expected = BY_HAND
        .replace("\"Bob\"", "\"Bobby\"")
        .replace("  alias = \"Boss\" # not really\n", "")
        .replace("+01:00\"\n", "+01:00\"\n  blocked = true\n  muted = true\n")
        .replace("  addresses = [\n    \"192.0.2.7:5000\", # at home\n  ]\n", "");
    assert_eq!(text, expected);
    assert_eq!(Editor::with(&text).saved(), [changed, printer()]);
    assert_eq!(edited(BY_HAND, [(key(1), Some(bob())), (printer().id, Some(printer()))]), BY_HAND);
}

#[test]
fn new_contact_is_added_at_the_end() {
    let text = edited(BY_HAND, [(key(2), Some(blocked(2)))]);
    assert_eq!(text, format!("{BY_HAND}\n{}", entry(&blocked(2))));
}

#[test]
fn removed_contact_takes_its_comment_along() {
    let text = edited(BY_HAND, [(key(1), None)]);
    let (before, rest) = BY_HAND.split_once("\n# Bob, from").unwrap();
    let (_, rest) = rest.split_once("no more of Bob\n").unwrap();
    let (home, rest) = rest.split_once("[contact.more]\nbirthday = 1990-01-01\n").unwrap();
    assert_eq!(text, format!("{before}{home}{rest}"));
    let text = edited(BY_HAND, [(key(1), None), (printer().id, None)]);
    assert_eq!(text, "# My people\nversion = 3\n\n# Work\n\n# Home\n\n[mine]\nx = 1\n");
}

#[test]
fn entries_next_to_a_removed_one_stay() {
    let all = [bob(), blocked(2), printer()];
    let text = file_of(&all);
    for gone in &all {
        let rest = all.iter().filter(|contact| contact.id != gone.id);
        let left = edited(&text, [(gone.id, None)]);
        assert_eq!(left.trim_start(), file_of(rest));
    }
    let glued = format!("{}# Two\n{}# P\n{}", entry(&all[0]), entry(&all[1]), entry(&all[2]));
    let left = edited(&glued, [(all[1].id, None)]);
    assert_eq!(left, format!("{}# P\n{}", entry(&all[0]), entry(&all[2])));
}

#[test]
fn removed_entry_takes_all_its_tables_along() {
    let text = format!("{}[mine]\nx = 1\n\n# of Bob\n[contact.a.b]\ny = 2\n\n[z]\n", entry(&bob()));
    assert_eq!(edited(&text, [(bob().id, None)]), "[mine]\nx = 1\n\n[z]\n");
}

#[test]
fn line_ends_stay_as_they_are() {
    let windows = BY_HAND.replace('\n', "\r\n");
    let changed = Contact { blocked: true, ..bob() };
    let edits = || [(key(1), Some(changed.clone())), (key(2), Some(blocked(2))), (printer().id, None)];
    assert_eq!(edited(&windows, edits()), edited(BY_HAND, edits()).replace('\n', "\r\n"));
    let bom = format!("\u{feff}{BY_HAND}");
    assert_eq!(edited(&bom, edits()), format!("\u{feff}{}", edited(BY_HAND, edits())));
    let cut = entry(&printer()).trim_end().to_owned();
    let found = Contact { addrs: bob().addrs, ..printer() };
    let text = edited(&cut, [(key(2), Some(blocked(2))), (printer().id, Some(found.clone()))]);
    assert_eq!(text, format!("{}\n{}", entry(&found), entry(&blocked(2))));
}

#[test]
fn each_mistake_is_found_at_its_line() {
    let good = file_of([&Contact { muted: true, ..bob() }, &printer()]);
    for (old, new, line, words) in [
        ("[[contact]]", "[[contacts]]", 1, "did you mean [[contact]]?"),
        ("[[contact]]", "[contact]", 9, "`contact` is set twice"),
        ("[[contact]]", "contact = []\n[[contact]]", 2, "`contact` is set twice"),
        ("key = \"aeaq", "key = \"aea1", 2, "Character 4 of the key is invalid"),
        ("key = \"aeaq", "key = \"", 2, "A key has 52 characters; this one has 48."),
        ("key = \"aeaq", "keys = \"aeaq", 2, "did you mean `key`?"),
        ("key = \"aeaq", "cle = \"aeaq", 1, "this one has neither"),
        ("name = ", "legacy = \"192.0.2.1:1\"\nname = ", 3, "not both"),
        ("\"Bob\"", "\" \"", 3, "a name cannot be empty"),
        ("\"Bob\"", "3", 3, "a name is written in quotation marks"),
        ("\"Boss\"", "\"the boss\"", 4, "Try the_boss."),
        ("\"Boss\"", "\"/boss\"", 4, "An alias cannot begin with / or @"),
        ("\"Boss\"", "\"@boss\"", 4, "Try boss."),
        ("\"Boss\"", "\"ALICE\"", 4, "ALICE is your own name; choose another alias."),
        ("2026-11-22T", "22.11.2026T", 5, "TOML"),
        ("2026-11-22T09:30:00Z", "2026-11-22", 5, "write one like"),
        ("2026-11-22T09:30:00Z", "2026-11-22T09:30:00", 5, "write one like"),
        ("2026-11-22T", "1969-11-22T", 5, "write one like"),
        ("2026-11-22T09:30:00Z", "true", 5, "write one like"),
        ("muted = true", "muted = \"true\"", 6, "`muted` is true or false"),
        ("muted = true", "blokced = true", 6, "did you mean `blocked`?"),
        ("muted = true", "Blocked = true", 6, "did you mean `blocked`?"),
        ("muted = true", "block = true", 6, "did you mean `blocked`?"),
        ("muted = true", "mute = true", 6, "did you mean `muted`?"),
        ("192.0.2.7:5000", "192.0.2.7", 7, "write IP:PORT"),
        ("[\"192.0.2.7:5000\"]", "\"192.0.2.7:5000\"", 7, "`addresses` is a list"),
        ("\"192.0.2.7:5000\"", &["\"192.0.2.7:5000\""; 9].join(","), 7, "more than 8 addresses"),
        ("legacy = \"192.0.2.9", "legacy = \"[::1]", 10, "has an IPv4 address"),
        ("\"Printer\"", "\"bOSS\"", 11, "is called bOSS already; choose another alias"),
        ("\"Printer\"", "\"bob\"", 11, "is called bob already; choose another alias"),
        ("alias = \"Printer\"", "name = \"boss\"", 4, "192.0.2.9:5000 is called Boss already"),
        ("alias = ", "alias = \"x\"\nalias = ", 5, "`alias` is set twice"),
    ] {
        let text = good.replacen(old, new, 1);
        assert_ne!(text, good, "{old}");
        let error = Editor::with(&text).try_open().unwrap_err();
        let ContactsError::File(ConfigError::Mistake { line: found, what, .. }) = &error else {
            panic!("{text}: {error}");
        };
        assert_eq!(*found, line, "{text}: {what}");
        assert!(what.contains(words) && what.ends_with(['.', '?']), "{text}: {what}");
    }
    let twice = format!("{good}\n{}", entry(&bob()).replace("aeaqcaib", "AEAQ CAIB"));
    let (at, what) = parse::parse(&twice, None).err().unwrap();
    assert!(at > good.len() && what.contains("is listed twice"), "{what}");
    for other in ["contact = []", "contact = [{ key = \"x\" }]", "contact = 1", "[contact]", "contact.x = 1"]
    {
        let (_, what) = parse::parse(other, None).err().unwrap();
        assert!(what.contains("[[contact]], with two brackets"), "{other}: {what}");
    }
}

#[test]
fn unknown_field_without_similar_name_is_allowed() {
    let text = format!("note = 1\n{}note = \"x\"\nemail = 2\ncolour = 3\n", entry(&bob()));
    assert_eq!(Editor::with(&text).saved(), [bob()]);
}

#[test]
fn error_is_short_even_for_long_values() {
    let long = "x".repeat(100_000);
    for field in ["key", "legacy", "alias", "verified", "addresses", "blocked", &long] {
        for value in [format!("\"{long}\""), format!("[\"{long}\"]"), long.clone()] {
            let text = format!("[[contact]]\nname = \"{long}\"\n{field} = {value}\n");
            let (_, what) = parse::parse(&text, None).err().unwrap();
            assert!(what.len() < 600 && what.ends_with('.'), "{what}");
        }
    }
}

#[test]
fn damaged_file_is_refused() {
    let editor = Editor::new();
    fs::write(editor.path(), b"[[contact]]\n\xff").unwrap();
    let sentence = editor.try_open().unwrap_err().to_string();
    assert!(sentence.contains("contacts.toml, line 2: this is not UTF-8"), "{sentence}");
    File::create(editor.path()).unwrap().set_len(MAX_CONTACTS_BYTES + 1).unwrap();
    let sentence = editor.try_open().unwrap_err().to_string();
    assert!(sentence.contains("more than 16000000 bytes"), "{sentence}");
    fs::remove_file(editor.path()).unwrap();
    fs::create_dir(editor.path()).unwrap();
    let sentence = editor.try_open().unwrap_err().to_string();
    assert!(sentence.starts_with("Cannot read "), "{sentence}");
}

/// Reloads until there are changes.
fn changes_of(contacts: &mut Contacts) -> Vec<Change> {
    let start = Instant::now();
    loop {
        let changes = contacts.reload().unwrap();
        if !changes.is_empty() {
            return changes;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "the edit is never reloaded");
        thread::yield_now();
    }
}

#[test]
fn edits_are_reloaded() {
    let editor = Editor::with(&file_of([&bob(), &printer()]));
    let mut contacts = editor.open();
    assert_eq!(contacts.reload().unwrap(), []);
    editor.replace("\"Boss\"", "\"Chief\"");
    let chief = Contact { alias: alias("Chief"), ..bob() };
    assert_eq!(contacts.reload().unwrap(), [Change::Set(chief.clone())]);
    assert_eq!(contacts.reload().unwrap(), []);
    editor.save(&file_of([&chief, &blocked(2)]));
    assert_eq!(contacts.reload().unwrap(), [Change::Set(blocked(2)), Change::Removed(printer())]);
    assert_eq!(contacts.all().cloned().collect::<Vec<_>>(), [chief.clone(), blocked(2)]);
    // An editor that replaces the file by another.
    let new = editor.folder.path().join("new");
    fs::write(&new, file_of([&blocked(2), &blocked(3)])).unwrap();
    fs::rename(new, editor.path()).unwrap();
    assert_eq!(changes_of(&mut contacts), [Change::Removed(chief), Change::Set(blocked(3))]);
    assert_eq!(contacts.all().cloned().collect::<Vec<_>>(), [blocked(2), blocked(3)]);
}

#[test]
fn edit_of_same_size_and_time_is_noticed() {
    let editor = Editor::with(&entry(&bob()));
    let mut contacts = editor.open();
    contacts.set(Contact { muted: true, ..bob() }).unwrap();
    let time = fs::metadata(editor.path()).unwrap().modified().unwrap();
    fs::write(editor.path(), editor.text().replace("\"Boss\"", "\"Chef\"")).unwrap();
    File::options().write(true).open(editor.path()).unwrap().set_modified(time).unwrap();
    // As on a file system with coarse times.
    contacts.version.stat = Stat::of(&editor.path());
    let chef = Contact { muted: true, alias: alias("Chef"), ..bob() };
    assert_eq!(changes_of(&mut contacts), [Change::Set(chef)]);
}

#[test]
fn mistake_is_reported_once_and_nothing_is_written() {
    let editor = Editor::with(&file_of([&bob(), &printer()]));
    let mut contacts = editor.open();
    editor.replace("verified", "verifed");
    let bad = editor.text();
    let sentence = contacts.reload().unwrap_err().to_string();
    assert!(sentence.contains("line 5") && sentence.contains("did you mean `verified`?"), "{sentence}");
    assert_eq!(contacts.reload().unwrap(), []);
    for _ in 0..2 {
        assert!(matches!(contacts.set(blocked(2)), Err(ContactsError::File(_))));
        assert!(matches!(remove(&mut contacts, key(1)), Err(ContactsError::File(_))));
    }
    assert_eq!((editor.text(), contacts.all().count()), (bad.clone(), 2));
    assert_eq!(contacts.reload().unwrap(), []);
    editor.save(&format!("{bad}\n"));
    assert!(contacts.reload().is_err(), "another version");
    editor.replace("verifed", "verified");
    // The write reads the corrected version.
    contacts.set(blocked(2)).unwrap();
    assert_eq!(editor.saved(), [bob(), blocked(2), printer()]);
    assert_eq!(contacts.reload().unwrap(), []);
}

#[test]
fn unreadable_file_is_reported_once() {
    let editor = Editor::with(&entry(&bob()));
    let mut contacts = editor.open();
    fs::remove_file(editor.path()).unwrap();
    fs::create_dir(editor.path()).unwrap();
    assert!(matches!(contacts.reload(), Err(ContactsError::File(ConfigError::Unreadable(..)))));
    assert_eq!(contacts.reload().unwrap(), []);
    assert!(contacts.set(printer()).is_err());
    fs::remove_dir(editor.path()).unwrap();
    editor.save(&file_of([&bob(), &blocked(2)]));
    assert_eq!(contacts.reload().unwrap(), [Change::Set(blocked(2))]);
}

#[test]
fn empty_file_counts_at_the_second_check() {
    for empty in [Some(""), Some("# No contacts\n"), None] {
        let editor = Editor::with(&entry(&bob()));
        let mut contacts = editor.open();
        match empty {
            Some(text) => editor.save(text),
            None => fs::remove_file(editor.path()).unwrap(),
        }
        assert!(matches!(contacts.set(printer()), Err(ContactsError::Gone(_))));
        assert_eq!((contacts.reload().unwrap(), contacts.all().count()), (vec![], 1));
        assert!(matches!(remove(&mut contacts, key(1)), Err(ContactsError::Gone(_))));
        assert_eq!(contacts.reload().unwrap(), [Change::Removed(bob())], "{empty:?}");
        contacts.set(printer()).unwrap();
        assert_eq!(editor.saved(), [printer()]);
    }
}

#[test]
fn file_that_comes_back_was_never_empty() {
    let editor = Editor::with(&entry(&bob()));
    let mut contacts = editor.open();
    for _ in 0..3 {
        editor.save("");
        assert_eq!(contacts.reload().unwrap(), []);
        editor.save(&entry(&bob()));
        assert_eq!(contacts.reload().unwrap(), []);
        fs::remove_file(editor.path()).unwrap();
        assert_eq!(contacts.reload().unwrap(), []);
        editor.save(&entry(&bob()));
        assert_eq!(contacts.reload().unwrap(), []);
    }
}

#[test]
fn file_being_written_is_left_alone() {
    let editor = Editor::with(&file_of([&bob(), &printer()]));
    let mut contacts = editor.open();
    let save_until = |text: &str, time: SystemTime| {
        fs::write(editor.path(), text).unwrap();
        File::options().write(true).open(editor.path()).unwrap().set_modified(time).unwrap();
    };
    // In the future, so that the file counts as being written during the whole test.
    let busy = SystemTime::now() + Duration::from_secs(60);
    save_until(&entry(&bob()), busy);
    assert!(!Stat::of(&editor.path()).is_settled_at(busy));
    assert!(Stat::of(&editor.path()).is_settled_at(busy + SETTLE));
    // A write waits for the other program.
    let whole = file_of([&bob(), &blocked(2), &printer()]);
    save_until(&whole, SystemTime::now() + SETTLE / 2);
    contacts.set(blocked(3)).unwrap();
    assert_eq!(editor.text(), format!("{whole}\n{}", entry(&blocked(3))));
    assert_eq!(contacts.reload().unwrap(), [Change::Set(blocked(2))]);
}

#[test]
fn edit_of_another_field_survives_a_write() {
    let editor = Editor::with(&file_of([&bob(), &printer()]));
    let mut contacts = editor.open();
    editor.replace("\"Boss\"", "\"Chief\"");
    editor.replace("\"Printer\"", "\"Plotter\"");
    contacts.set(Contact { blocked: true, ..bob() }).unwrap();
    let merged = Contact { blocked: true, alias: alias("Chief"), ..bob() };
    let plotter = Contact { alias: alias("Plotter"), ..printer() };
    assert_eq!(editor.saved(), [merged.clone(), plotter.clone()]);
    assert_eq!(contacts.reload().unwrap(), [Change::Set(merged), Change::Set(plotter)]);
    assert_eq!(contacts.reload().unwrap(), []);
}

#[test]
fn alias_that_another_contact_has_is_refused() {
    let editor = Editor::with(&file_of([&bob(), &printer()]));
    let mut contacts = editor.open();
    let before = editor.text();
    for taken in ["BOSS", "bob"] {
        let error = contacts.set(Contact { alias: alias(taken), ..printer() }).unwrap_err();
        let sentence =
            format!("{} is called {taken} already; choose another alias.", Recipient::from(key(1)));
        assert_eq!(error.to_string(), sentence);
    }
    let error = contacts.set(Contact { alias: alias("printer"), ..bob() }).unwrap_err();
    assert!(error.to_string().starts_with("192.0.2.9:5000 is called "), "{error}");
    assert_eq!((editor.text(), contacts.get(key(1))), (before, Some(&bob())));
    contacts.set(Contact { alias: alias("Bob"), ..bob() }).unwrap();
}

#[test]
fn own_name_is_refused_as_alias() {
    let editor = Editor::with(&file_of([&bob(), &printer()]));
    let mut contacts = editor.open();
    let before = editor.text();
    for own in ["Alice", "ALICE", "\u{ff21}lice"] {
        let error = contacts.set(Contact { alias: alias(own), ..printer() }).unwrap_err();
        assert_eq!(error.to_string(), format!("{own} is your own name; choose another alias."));
    }
    assert_eq!((editor.text(), contacts.get(printer().id)), (before, Some(&printer())));
    // After a rename the former name is free.
    contacts.set_own_name("Zoe".parse().unwrap());
    contacts.set(Contact { alias: alias("Alice"), ..printer() }).unwrap();
    assert_eq!(contacts.with_alias(&"alice".parse().unwrap()), Some(printer().id));
    // A name may be the user's own: peers choose their names.
    contacts.set(Contact { name: name("Zoe"), ..Contact::new(key(3)) }).unwrap();
}

#[test]
fn name_that_is_an_alias_is_not_saved() {
    let editor = Editor::with(&file_of([&bob()]));
    let mut contacts = editor.open();
    let impostor = |blocked| Contact { name: name("boss"), blocked, ..Contact::new(key(2)) };
    contacts.set(impostor(false)).unwrap();
    let nameless = Contact::new(key(2));
    assert_eq!(editor.saved(), [bob(), nameless.clone()]);
    assert_eq!(contacts.reload().unwrap(), [Change::Set(nameless.clone())]);
    // A blocked contact protects no name.
    contacts.set(impostor(true)).unwrap();
    assert_eq!(editor.saved(), [bob(), impostor(true)]);
    contacts.set(impostor(false)).unwrap();
    assert_eq!(editor.saved(), [bob(), nameless]);
}

#[test]
fn unstorable_values_are_dropped() {
    let editor = Editor::new();
    let mut contacts = editor.open();
    let addr: PeerAddr = "192.0.2.7:5000".parse().unwrap();
    let addrs = vec![addr; MAX_HINTS + 1];
    let odd = Contact { name: name(" "), verified: Some(u64::MAX), addrs, ..Contact::new(key(1)) };
    contacts.set(odd.clone()).unwrap();
    let stored = Contact { name: None, verified: Some(MAX_VERIFIED), addrs: vec![addr; MAX_HINTS], ..odd };
    assert_eq!(editor.saved(), [stored]);
}

#[test]
fn unwritable_file_changes_nothing() {
    let editor = Editor::new();
    let folder = editor.folder.path().join("not there yet");
    let mut contacts = Contacts::open(Some(&folder), None).unwrap();
    let sentence = contacts.set(bob()).unwrap_err().to_string();
    assert!(sentence.starts_with("Cannot write ") && sentence.ends_with('.'), "{sentence}");
    assert_eq!(contacts.all().count(), 0);
    fs::create_dir(&folder).unwrap();
    contacts.set(bob()).unwrap();
    assert_eq!(contacts.all().count(), 1);
    let long = format!("#{}\n", "x".repeat(usize::try_from(MAX_CONTACTS_BYTES).unwrap() - 100));
    editor.save(&long);
    let mut contacts = editor.open();
    let sentence = contacts.set(bob()).unwrap_err().to_string();
    assert!(sentence.contains("shorten its comments"), "{sentence}");
    assert!(contacts.all().count() == 0 && editor.text() == long);
}

#[test]
fn number_of_contacts_is_bounded() {
    let longest = Contact {
        name: name(&"\\".repeat(32)),
        alias: alias(&"\u{1f9d1}\u{1f3ff}\"\\".repeat(8)),
        blocked: true,
        muted: true,
        // In place of the longest address: [ffff:...%4294967295]:65535.
        addrs: vec!["255.255.255.254:65535".parse().unwrap(); MAX_HINTS],
        ..bob()
    };
    let more = MAX_HINTS * ("[]%4294967295".len() + 39 + ":65535".len() - "255.255.255.254:65535".len());
    assert!(((entry(&longest).len() + more) as u64) < MAX_ENTRY_BYTES);
    let contact = |number: usize| Contact {
        alias: number.is_multiple_of(3).then(|| format!("Boss{number}").parse().unwrap()),
        ..Contact { id: numbered(number), ..bob() }
    };
    let editor = Editor::new();
    let mut contacts = editor.open();
    let all: Vec<Contact> = (0..MAX_CONTACTS).map(contact).collect();
    set_many(&mut contacts, all.clone());
    assert!(editor.saved() == all);
    assert!(matches!(contacts.set(contact(MAX_CONTACTS)), Err(ContactsError::TooMany)));
    let muted = Contact { muted: true, ..contact(77) };
    contacts.set(muted.clone()).unwrap();
    assert_eq!(editor.open().get(muted.id), Some(&muted));
    let text = format!("{}\n{}", editor.text(), entry(&contact(MAX_CONTACTS)));
    let (_, what) = parse::parse(&text, None).err().unwrap();
    assert!(what.starts_with("more than 10000 contacts are listed"), "{what}");
}

/// A contact with one of a few ids.
fn contacts() -> impl Strategy<Value = Contact> {
    let addr = |port| PeerAddr::new(std::net::Ipv4Addr::LOCALHOST, port).unwrap();
    let addrs = proptest::collection::vec((1u16..).prop_map(addr), 0..=MAX_HINTS);
    let times = proptest::option::of(0..=MAX_VERIFIED);
    let parts = (0..8u8, any::<Option<String>>(), any::<[bool; 4]>(), times, addrs);
    parts.prop_map(|(id, called, [has_alias, blocked, stranger, muted], verified, addrs)| {
        let contact = Contact {
            id: if id < 6 { key(id) } else { legacy(&format!("192.0.2.{id}:5000")) },
            name: called.map(|called| PeerName::new(&called)),
            alias: if has_alias { alias(&format!("alias{id}")) } else { None },
            verified,
            blocked,
            stranger,
            muted,
            addrs,
        };
        contact.storable()
    })
}

/// The entry of a contact, edited by hand. `number` is unique to the entry.
fn by_hand(contact: &Contact, style: u8, number: usize) -> String {
    let plain = entry(contact);
    let header = |new: &str| plain.replacen("[[contact]]\n", new, 1);
    match style {
        0 => plain,
        1 => format!("# above {number}\n# and \"more\"\n{plain}# below {number}\n\n"),
        2 => header(&format!(" [[ contact ]] # {number}\n")).replace("= true", "=true # yes"),
        3 => format!("{plain}note = '''\n\n# {number}\n[[contact]]\n# end'''\n"),
        4 => header(&format!("[[contact]]\n\n  # {number}\n\n  own.number = {number}\n\n")),
        _ => format!(
            "{plain}[contact.own] # {number}\nkey = 1\n[[contact.own.list]]\nblocked = {{ a = [1] }}\n"
        ),
    }
}

/// Text that a user may type by mistake or on purpose.
fn fragments() -> impl Strategy<Value = &'static str> {
    let fragments = [
        "",
        "\n",
        "\r\n",
        " ",
        "#",
        "# \n",
        "\"",
        "'''",
        "\"\"\"",
        "[",
        "]",
        "[[contact]]\n",
        "[contact.x]\n",
        "[[x.contact]]\n",
        "x = [[1], {a.b = [2]}]\n",
        "blocked = false\n",
        "'muted' = true #\n",
        "x.y = 1\n",
    ];
    prop::sample::select(fragments.to_vec())
}

proptest! {
    #[test]
    fn other_entries_stay_byte_for_byte(
        first in proptest::collection::vec((contacts(), 0..6u8, any::<bool>()), 0..8),
        edits in proptest::collection::vec((contacts(), any::<bool>()), 1..6),
        windows: bool,
    ) {
        let lines = |text: String| if windows { text.replace('\n', "\r\n") } else { text };
        let mut parts = vec![(None, lines("# Title\n\nown = 1 # x\n".into()))];
        let mut model: BTreeMap<PeerId, Contact> = BTreeMap::new();
        for (number, (contact, style, apart)) in first.into_iter().enumerate() {
            if model.contains_key(&contact.id) {
                continue;
            }
            if apart {
                parts.push((None, lines(format!("\n# Section {number}\n\n"))));
            }
            parts.push((Some(contact.id), lines(by_hand(&contact, style, number))));
            model.insert(contact.id, contact);
        }
        let mut text: String = parts.iter().map(|(_, part)| part.as_str()).collect();
        prop_assert_eq!(parse::parse(&text, None).unwrap().contacts(), model.clone());
        for (contact, is_removed) in edits {
            let id = contact.id;
            text = edited(&text, [(id, (!is_removed).then(|| contact.clone()))]);
            match is_removed {
                true => drop(model.remove(&id)),
                false => drop(model.insert(id, contact)),
            }
            let document = parse::parse(&text, None);
            prop_assert!(document.is_ok(), "{}: {:?}", text, document.err());
            prop_assert_eq!(document.unwrap().contacts(), model.clone());
            parts.retain(|(of, _)| *of != Some(id));
            let mut rest = text.as_str();
            for (_, part) in &parts {
                let found = rest.find(part.trim());
                prop_assert!(found.is_some(), "{:?} is not in {:?}", part, text);
                rest = &rest[found.unwrap() + part.trim().len()..];
            }
        }
    }

    #[test]
    fn any_readable_file_can_be_edited(
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), 0..12usize, fragments()), 1..4),
        contact in contacts(),
    ) {
        let mut text = BY_HAND.to_owned();
        for (at, length, fragment) in cuts {
            let start = at.index(text.len());
            text.replace_range(start..text.len().min(start + length), fragment);
        }
        let contacts = |text: &str| parse::parse(text, None).map(|document| document.contacts());
        if let Ok(read) = contacts(&text) {
            let mut left = read.clone();
            left.insert(contact.id, contact.clone());
            let set = edited(&text, [(contact.id, Some(contact.clone()))]);
            prop_assert_eq!(contacts(&set), Ok(left.clone()));
            left.remove(&contact.id);
            for text in [&text, &set] {
                prop_assert_eq!(contacts(&edited(text, [(contact.id, None)])), Ok(left.clone()));
            }
            let none = edit::edited(&parse::parse(&text, None).unwrap(), &read.into_keys().map(|id| (id, None)).collect(), &BTreeMap::new(), false);
            prop_assert_eq!(contacts(&none), Ok(BTreeMap::new()));
        }
    }

    #[test]
    fn contacts_in_force_can_be_read_again(
        all in proptest::collection::vec((contacts(), 0..3u8, 0..3u8), 0..12),
    ) {
        let mut contacts = Contacts::open(None, None).unwrap();
        for (contact, called, own) in all {
            let contact = Contact {
                name: [contact.name, name("one"), name("TWO")][usize::from(called)].clone(),
                alias: [contact.alias, alias("One"), alias("two")][usize::from(own)].clone(),
                ..contact
            };
            if let Err(error) = contacts.set(contact) {
                prop_assert!(matches!(error, ContactsError::Taken(..)), "{}", error);
            }
            let text = file_of(contacts.all());
            let read = parse::parse(&text, None);
            prop_assert!(read.is_ok(), "{}: {:?}", text, read.err());
            prop_assert_eq!(&read.unwrap().contacts(), &contacts.all);
        }
    }
}
