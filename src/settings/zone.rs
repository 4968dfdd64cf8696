//! The time zone of times on screen, and of dates that the user types.

use std::env;

use jiff::tz::TimeZone;

use crate::model::name::quoted;

/// Returns why times are in UTC instead of the time zone in `TZ`, as sentences. `None` if they are
/// not.
pub(crate) fn zone_warning() -> Option<String> {
    // Without TZ and without a zone of the system, as in many containers, UTC is right.
    let zone = env::var_os("TZ").filter(|zone| !zone.is_empty())?;
    TimeZone::try_system().err()?;
    Some(format!(
        "This system has no time zone TZ={}; times are in UTC. Write one like Europe/Berlin, and check that \
         tzdata is installed.",
        quoted(&zone.to_string_lossy())
    ))
}
