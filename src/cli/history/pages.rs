//! Rows from the store, page by page, the oldest first, so that a million of them take the memory
//! of a page.
//!
//! A store gives the last rows before a row. So a walk to the beginning notes where the pages
//! begin, and a second one reads them in their order. What is stored meanwhile is not among
//! them, and what is forgotten meanwhile is missing.

use std::io;

use crate::model::stored::{Direction, Query, RowId, Selection, StoredMessage};
use crate::store::StoreError;
use crate::tui::history_view::are_one;

/// Rows of a page. Each has a text of 65,536 bytes at most, so a page has 16 MB at most, and
/// usually some 50 KB.
const PAGE: usize = 256;

/// Why reading ended before the end.
#[derive(Debug)]
pub(super) enum Stopped {
    /// They cannot be read.
    Store(StoreError),
    /// They cannot be written where they are to go.
    Output(io::Error),
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Reads the messages that a query asks for, oldest first.
pub(super) type ReadPage<'a> = dyn FnMut(&Query) -> Result<Vec<StoredMessage>, StoreError> + 'a;

/// Where the rows are that were asked for.
pub(super) struct Pages {
    query: Query,
    /// The first row of each page but the newest, the oldest page first.
    begin: Vec<RowId>,
    newest: Vec<StoredMessage>,
    /// There are earlier ones than was asked for.
    pub(super) more: bool,
}

/// The last messages that a query asks for, at most `most`; its own limit does not count. Rows of
/// which `folds` is true count as one message if they are one text.
pub(super) fn find(
    read: &mut ReadPage<'_>,
    which: Selection,
    words: Option<String>,
    most: Option<usize>,
    folds: bool,
) -> Result<Pages, StoreError> {
    let query = Query { which, words, before: None, limit: PAGE };
    let mut pages = Pages { query, begin: Vec::new(), newest: Vec::new(), more: false };
    let (mut count, mut later): (usize, Option<StoredMessage>) = (0, None);
    let mut is_newest = true;
    loop {
        let mut rows = read(&Query { before: later.as_ref().map(|row| row.row), ..pages.query.clone() })?;
        let count_read = rows.len();
        let mut from = 0;
        for (at, row) in rows.iter().enumerate().rev() {
            let continues = folds && later.as_ref().is_some_and(|later| are_one(row, later));
            if !continues && most == Some(count) {
                (pages.more, from) = (true, at + 1);
                break;
            }
            count += usize::from(!continues);
            later = Some(row.clone());
        }
        rows.drain(..from);
        match rows.first() {
            None => {}
            Some(_) if is_newest => pages.newest = rows,
            Some(first) => pages.begin.push(first.row),
        }
        is_newest = false;
        if count_read < PAGE || pages.more {
            pages.begin.reverse();
            return Ok(pages);
        }
    }
}

impl Pages {
    /// Whether nothing fits.
    pub(super) fn is_empty(&self) -> bool {
        self.newest.is_empty()
    }

    /// Hands over each row.
    pub(super) fn each(
        self,
        read: &mut ReadPage<'_>,
        mut take: impl FnMut(StoredMessage) -> io::Result<()>,
    ) -> Result<(), Stopped> {
        let ends = self.begin.iter().skip(1).copied().chain(self.newest.first().map(|first| first.row));
        for (begin, end) in self.begin.iter().zip(ends) {
            let page = read(&Query { before: Some(end), ..self.query.clone() })?;
            // Where some of them have been forgotten, the page reaches back to those before them.
            page.into_iter()
                .filter(|row| row.row >= *begin)
                .try_for_each(&mut take)
                .map_err(Stopped::Output)?;
        }
        self.newest.into_iter().try_for_each(take).map_err(Stopped::Output)
    }
}

/// How many messages would go if those chosen were forgotten, and how many would stay because they
/// wait.
pub(super) fn count(read: &mut ReadPage<'_>, which: &Selection) -> Result<(u64, u64), StoreError> {
    let mut query = Query { which: which.clone(), limit: PAGE, ..Query::default() };
    let (mut gone, mut stay) = (0, 0);
    loop {
        let page = read(&query)?;
        for row in &page {
            let waits = matches!(&row.direction, Direction::Outgoing { status, .. } if !status.is_final());
            *(if waits { &mut stay } else { &mut gone }) += 1;
        }
        query.before = page.first().map(|first| first.row);
        if page.len() < PAGE {
            return Ok((gone, stay));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::delivery::DeliveryStatus;
    use crate::tui::history_view::examples::{QUEUED, from_bob, to};

    /// Rows in memory, and the most that were ever asked for.
    struct Fake(Vec<StoredMessage>, usize);

    impl Fake {
        fn messages(&mut self, query: &Query) -> Result<Vec<StoredMessage>, StoreError> {
            self.1 = self.1.max(query.limit);
            let fits = |row: &&StoredMessage| query.before.is_none_or(|before| row.row < before);
            let fitting: Vec<StoredMessage> = self.0.iter().filter(fits).cloned().collect();
            Ok(fitting[fitting.len().saturating_sub(query.limit)..].to_vec())
        }
    }

    fn rows(count: i64) -> Fake {
        Fake((1..=count).map(|row| from_bob(row, "hi")).collect(), 0)
    }

    fn read(store: &mut Fake, most: Option<usize>, folds: bool) -> (Vec<i64>, bool) {
        let pages =
            find(&mut |query| store.messages(query), Selection::default(), None, most, folds).unwrap();
        let (mut seen, more) = (Vec::new(), pages.more);
        assert_eq!(pages.is_empty(), store.0.is_empty());
        pages
            .each(&mut |query| store.messages(query), |row| {
                seen.push(row.row.0);
                Ok(())
            })
            .unwrap();
        assert!(store.1 <= PAGE);
        (seen, more)
    }

    #[test]
    fn all_rows_come_once_in_order() {
        for count in [0, 1, 255, 256, 257, 512, 513, 2_000] {
            assert_eq!(read(&mut rows(count), None, true), ((1..=count).collect(), false), "{count}");
        }
    }

    #[test]
    fn last_rows_are_as_many_as_asked() {
        for (most, first, more) in [
            (1, 600, true),
            (256, 345, true),
            (257, 344, true),
            (599, 2, true),
            (600, 1, false),
            (601, 1, false),
        ] {
            assert_eq!(read(&mut rows(600), Some(most), true), ((first..=600).collect(), more), "{most}");
        }
    }

    #[test]
    fn message_to_many_is_one_across_pages() {
        // Rows 1 to 10 are Bob's, then 700 rows are one text, then two are Bob's.
        let mut all = rows(712);
        for row in &mut all.0[10..710] {
            *row = to(row.row.0, 1, DeliveryStatus::Delivered);
        }
        assert_eq!(read(&mut all, Some(3), true), ((11..=712).collect(), true));
        assert_eq!(read(&mut all, Some(4), true), ((10..=712).collect(), true));
        assert_eq!(read(&mut all, Some(3), false), ((710..=712).collect(), true));
    }

    #[test]
    fn concurrent_changes_disturb_no_order() {
        let mut store = rows(1_000);
        let pages =
            find(&mut |query| store.messages(query), Selection::default(), None, Some(700), true).unwrap();
        store.0.retain(|row| !(400..500).contains(&row.row.0));
        store.0.push(from_bob(1_001, "new"));
        let mut seen = Vec::new();
        pages
            .each(&mut |query| store.messages(query), |row| {
                seen.push(row.row.0);
                Ok(())
            })
            .unwrap();
        assert_eq!(seen, (301..400).chain(500..=1_000).collect::<Vec<_>>());
    }

    #[test]
    fn those_that_wait_are_counted_as_staying() {
        let mut store = rows(600);
        store.0[3] = to(4, 1, QUEUED);
        store.0[500] = to(501, 2, QUEUED);
        store.0[501] = to(502, 3, DeliveryStatus::Expired);
        assert_eq!(count(&mut |query| store.messages(query), &Selection::default()), Ok((598, 2)));
        assert_eq!(count(&mut |query| rows(0).messages(query), &Selection::default()), Ok((0, 0)));
    }
}
