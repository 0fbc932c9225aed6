//! memguard catches resource leaks in running programs.
//!
//! Data goes one way: [`source`] → [`decode`] → [`ledger`] → [`detect`] → [`findings`] → [`sink`].
//! Only [`pipeline`] names them all. `ARCHITECTURE.md` has the picture and the invariants.

pub mod cli;
pub mod command;
pub mod compare;
pub mod cost;
pub mod decode;
pub mod demo;
pub mod detect;
pub mod diff;
pub mod doctor;
pub mod failure;
pub mod files;
pub mod findings;
pub mod heap;
pub mod identify;
pub mod ledger;
pub mod model;
pub mod origin;
pub mod pipeline;
pub mod preflight;
pub mod report;
pub mod review;
pub mod sampler;
pub mod screen;
pub mod sink;
pub mod source;
pub mod state;
pub mod suggest;
pub mod suppress;
pub mod touches;
pub mod verify;

use std::io::Write as _;

/// A message to standard error. Where that is closed there is nobody to tell.
pub fn complain(message: &str) {
    let text = sink::text::message(&format!("memguard: {message}"));
    if std::io::stderr().write_all(text.as_bytes()).is_err() {
        // Nobody listens.
    }
}

/// Text to standard output; a reader that has gone is its own decision.
pub fn tell(text: &str) {
    if std::io::stdout().write_all(text.as_bytes()).is_err() {
        // Nobody reads.
    }
}

/// The next SIGINT or SIGTERM ends the process at once.
fn end_at_next_signal() {
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: a signal disposition of this process alone.
        unsafe {
            libc::signal(signal, libc::SIG_DFL);
        }
    }
}
