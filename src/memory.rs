//! Keeps the memory of the process, which holds the secret key and messages, from being read.

use std::io;

/// Forbids core dumps. On Linux, only root can then attach a debugger or read `/proc/PID/mem`;
/// other files there, such as `stat` and `status`, can still be read.
///
/// # Errors
/// If the system refuses. Both steps are tried in any case.
#[cfg(unix)]
pub fn protect() -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};

    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let no_core = setrlimit(Resource::Core, none);
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    }
    Ok(no_core?)
}

/// Does nothing: Windows writes no core dumps by default.
#[cfg(not(unix))]
pub fn protect() -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::process::{DumpableBehavior, Resource, dumpable_behavior, getrlimit};

    use super::*;

    #[test]
    fn protected_process_is_not_dumpable() {
        protect().unwrap();
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
        let core = getrlimit(Resource::Core);
        assert_eq!((core.current, core.maximum), (Some(0), Some(0)));
        // What the tests and benchmarks read of a running program stays readable.
        for file in ["stat", "status"] {
            assert!(std::fs::read_to_string(format!("/proc/self/{file}")).is_ok());
        }
    }
}
