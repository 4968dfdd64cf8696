//! The clock of the machine, as far as the file can tell whether it is right.
//!
//! The table `meta` has what the clock showed last. A clock that is far off that may be wrong, and
//! a wrong clock would make every message look old. Until a contact's message or the user says that
//! it is right, what it shows is not noted, and nothing that is stored counts as a sign for it.

use rusqlite::{Connection, OptionalExtension, Result, params};

/// The name of the noted clock in the table `meta`.
const NAME: &str = "clock";

const HOUR: u64 = 3_600_000;

/// How often the clock is noted.
pub(super) const NOTED_EVERY: u64 = HOUR;

/// A clock that is this far from the noted one is doubtful. Fewer people leave the program off for
/// longer than have a clock that is wrong by less.
pub(super) const DOUBTFUL_AFTER: u64 = 30 * 24 * HOUR;

/// A contact's message that was typed this near to now, by the contact's clock, shows that ours is
/// right: time zones and slow deliveries stay within a day.
pub(super) const AGREES_WITHIN: u64 = 24 * HOUR;

/// Returns the noted clock, in milliseconds since 1970.
pub(super) fn noted(conn: &Connection) -> Result<Option<u64>> {
    let noted: Option<i64> = conn
        .prepare_cached("SELECT value FROM meta WHERE name = ?")?
        .query_row([NAME], |row| row.get(0))
        .optional()?;
    Ok(noted.map(i64::cast_unsigned))
}

/// Returns the latest sign of the clock in a file that has no note: the time of the last message,
/// or when a peer was seen, whichever is nearer to `clock`.
pub(super) fn earlier_sign(conn: &Connection, clock: u64) -> Result<Option<u64>> {
    let sign: Option<i64> = conn
        .prepare_cached(
            "SELECT sign FROM ( \
               SELECT * FROM (SELECT time AS sign FROM message ORDER BY message DESC LIMIT 1) \
               UNION ALL SELECT last_seen FROM peer WHERE last_seen IS NOT NULL \
             ) ORDER BY abs(sign - ?) LIMIT 1",
        )?
        .query_row([clock.cast_signed()], |row| row.get(0))
        .optional()?;
    Ok(sign.map(|sign| u64::try_from(sign).unwrap_or(0)))
}

/// Notes a clock.
pub(super) fn note(conn: &Connection, clock: u64) -> Result<()> {
    conn.prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)")?
        .execute(params![NAME, clock.cast_signed()])
        .map(drop)
}

/// Lets the messages that were queued while the clock was doubtful wait from now on. Their column
/// `expires` says, negative, how long they wait.
pub(super) fn start_waiting(conn: &Connection, clock: u64) -> Result<()> {
    conn.prepare_cached("UPDATE message SET expires = ? - expires WHERE status = 0 AND expires < 0")?
        .execute([clock.cast_signed()])
        .map(drop)
}
