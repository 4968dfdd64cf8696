//! What a process prints, line by line, while it runs.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// What the process printed so far, and whether it can print more.
#[derive(Default)]
pub(super) struct Printed {
    pub(super) state: Mutex<(Vec<String>, bool)>,
    pub(super) changed: Condvar,
}

pub(super) fn collect(pipe: impl Read + Send + 'static) -> Arc<Printed> {
    let printed = Arc::new(Printed::default());
    let collected = Arc::clone(&printed);
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut bytes = Vec::new();
        while pipe.read_until(b'\n', &mut bytes).is_ok_and(|count| count > 0) {
            // Only the newline that ends it is taken off; what is no text stays recognisable, and
            // is found harmful.
            let line = String::from_utf8(bytes.strip_suffix(b"\n").unwrap_or(&bytes).to_vec())
                .unwrap_or_else(|error| format!("\x1b no UTF-8: {:?}", error.into_bytes()));
            collected.state.lock().expect("not poisoned").0.push(line);
            collected.changed.notify_all();
            bytes.clear();
        }
        collected.state.lock().expect("not poisoned").1 = true;
        collected.changed.notify_all();
    });
    printed
}

/// Waits for a line that is as `is_it` says, from line `from` on; returns all lines, and which it
/// was.
pub(super) fn wait_for(
    printed: &Printed,
    from: usize,
    is_it: impl Fn(&str) -> bool,
    time: Duration,
) -> (Vec<String>, Option<usize>) {
    let deadline = Instant::now() + time;
    let mut state = printed.state.lock().expect("not poisoned");
    let mut next = from;
    loop {
        if let Some(at) = state.0[next.min(state.0.len())..].iter().position(|line| is_it(line)) {
            return (state.0.clone(), Some(next + at));
        }
        next = next.max(state.0.len());
        let left = deadline.saturating_duration_since(Instant::now());
        if state.1 || left.is_zero() {
            return (state.0.clone(), None);
        }
        state = printed.changed.wait_timeout(state, left).expect("not poisoned").0;
    }
}
