//! Checks whether the clock of this machine can be right, by what the file has recorded of it.
//!
//! The table `meta` has the last recorded clock. A clock that is far from it may be wrong, and a
//! wrong clock would make every message look old. Until a contact's message or the user confirms
//! the clock, it is not recorded, and what is stored meanwhile is no evidence for it.

use rusqlite::{Connection, OptionalExtension, Result, params};

/// The name of the recorded clock in the table `meta`.
const NAME: &str = "clock";

const HOUR: u64 = 3_600_000;

/// How often the clock is recorded.
pub(super) const NOTED_EVERY: u64 = HOUR;

/// How far the clock may be from the recorded one before it is doubtful. Wrong clocks are usually
/// off by more, and few people leave the program off for longer.
pub(super) const DOUBTFUL_AFTER: u64 = 30 * 24 * HOUR;

/// How near to now a contact's message must have been typed, by the contact's clock, to confirm our
/// clock. Time zones and slow deliveries stay within a day.
pub(super) const AGREES_WITHIN: u64 = 24 * HOUR;

/// Returns the recorded clock, in milliseconds since 1970.
pub(super) fn noted(conn: &Connection) -> Result<Option<u64>> {
    let noted: Option<i64> = conn
        .prepare_cached("SELECT value FROM meta WHERE name = ?")?
        .query_row([NAME], |row| row.get(0))
        .optional()?;
    Ok(noted.map(i64::cast_unsigned))
}

/// Returns evidence of an earlier clock in a file without a recorded one: the time of the last
/// message, or when a peer was last seen, whichever is nearer to `clock`.
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

/// Records a clock.
pub(super) fn note(conn: &Connection, clock: u64) -> Result<()> {
    conn.prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)")?
        .execute(params![NAME, clock.cast_signed()])
        .map(drop)
}

/// Sets when the messages expire that were queued while the clock was doubtful. Until now, their
/// column `expires` has the waiting time as a negative number.
pub(super) fn start_waiting(conn: &Connection, clock: u64) -> Result<()> {
    conn.prepare_cached("UPDATE message SET expires = ? - expires WHERE status = 0 AND expires < 0")?
        .execute([clock.cast_signed()])
        .map(drop)
}
