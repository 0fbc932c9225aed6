//! memguard catches resource leaks in running programs.
//!
//! Data goes one way: [`source`] → [`decode`] → [`engine`] ([`ledger`], [`detect`], [`judge`],
//! [`findings`]) → [`output`]. Only [`agent`] brings them together. `ARCHITECTURE.md` has the
//! picture and the invariants.

pub mod agent;
pub mod cli;
pub mod command;
pub mod compare;
pub mod config;
pub mod cost;
pub mod decode;
pub mod demo;
pub mod detect;
pub mod diff;
pub mod doctor;
pub mod engine;
pub mod facts;
pub mod failure;
pub mod files;
pub mod findings;
pub mod heap;
pub mod judge;
pub mod ledger;
pub mod model;
pub mod origin;
pub mod output;
pub mod preflight;
pub mod recording;
pub mod report;
pub mod review;
pub mod source;
pub mod state;

use std::io::Write as _;

/// A message to standard error. Where that is closed there is nobody to tell.
pub fn complain(message: &str) {
    say_narrowly(&format!("memguard: {message}"));
}

/// Text to standard error, in lines that are not too long.
pub fn say_narrowly(text: &str) {
    let text = output::text::message(text);
    if std::io::stderr().write_all(text.as_bytes()).is_err() {
        // Nobody listens.
    }
}

/// Why memguard ends with this code, in one line of standard error that programs can find.
pub fn complain_of_code(code: u8, reason: &str) {
    let text = output::text::one_line(&format!("memguard: exits with {code}: {reason}"));
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
