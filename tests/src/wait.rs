//! Waiting for a condition with a deadline. No test sleeps for a fixed time in the hope that
//! something has happened by then.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

const POLL: Duration = Duration::from_millis(10);

/// Whether `condition` comes true before `within` has passed. It is asked at least once.
pub fn holds_within(within: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + within;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() > deadline {
            return false;
        }
        sleep(POLL);
    }
}

/// Waits until `condition` holds.
///
/// # Panics
///
/// When it does not hold before `within` has passed; the message is "`what`: not within …".
#[track_caller]
pub fn wait_until(within: Duration, what: &str, condition: impl FnMut() -> bool) {
    assert!(
        holds_within(within, condition),
        "{what}: not within {within:?}"
    );
}
