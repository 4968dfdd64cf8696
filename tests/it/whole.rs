//! The whole program when things go wrong around it: killed, stopped, out of descriptors, without
//! its log, its clock or its terminal; and for so long that whatever it does not give back would
//! show.
//!
//! The long forms are ignored unless asked for: `cargo test --release --test it -- --ignored
//! whole`.

mod clock;
#[cfg(unix)]
mod closed;
mod descriptors;
mod killed;
mod log;
mod long;
mod many;
mod pasted;
mod stopped;

use std::sync::atomic::{AtomicBool, Ordering};

/// Ends what goes on in other threads when dropped, also where a failed assertion drops it.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
