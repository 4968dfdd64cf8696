//! The time zone of times on screen, and of dates that the user types.

use std::env;

use jiff::tz::TimeZone;

use crate::model::name::quoted;

/// Returns a warning that times are in UTC because the time zone in `TZ` is unknown. `None` if it
/// is known or not set.
pub(crate) fn zone_warning() -> Option<String> {
    // Without TZ, there is nothing to report: in many containers the system has no time zone, and
    // UTC is right.
    let zone = env::var_os("TZ").filter(|zone| !zone.is_empty())?;
    TimeZone::try_system().err()?;
    Some(format!(
        "This system has no time zone TZ={}; times are in UTC. Use one like Europe/Berlin, and check that \
         tzdata is installed.",
        quoted(&zone.to_string_lossy())
    ))
}
