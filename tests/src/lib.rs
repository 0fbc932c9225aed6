//! Harness of the end-to-end tests: it compiles leaking programs whose counts are exactly known,
//! runs `memguard` on them, and reads back the JSON lines that it wrote.
//!
//! Nothing here knows how memguard works inside. What it relies on is the contract of commands and
//! output alone, and the field names are all in [`lines`], [`finding`] and [`counters`]. Every wait
//! has a deadline and a condition; every process that a test starts ends with its [`Guard`].
//!
//! As root: `cargo build --release -p memguard`, then `cargo test -p memguard-tests`.
//! `MEMGUARD_BIN` names another memguard than the one in the target directory. The tests of one
//! file wait for each other, whatever the number of test threads.
#![expect(
    clippy::panic,
    clippy::print_stdout,
    reason = "a test harness panics where a test fails, and says on screen what it skips"
)]

pub mod accuracy;
pub mod bench;
pub mod bounds;
pub mod bpf;
pub mod cgroup;
pub mod counters;
pub mod driven;
pub mod finding;
pub mod guard;
pub mod history;
pub mod invoke;
pub mod leaky;
pub mod lines;
pub mod load_clients;
pub mod machine;
pub mod memory;
pub mod nginx;
pub mod origins;
pub mod postgres;
pub mod programs;
pub mod redis;
pub mod running;
pub mod schema;
pub mod scratch;
pub mod servers;
pub mod statistics;
mod stream;
pub mod terminal;
pub mod times;
pub mod wait;
pub mod zoo;

pub use bounds::Bounds;
pub use cgroup::Cgroup;
pub use counters::Counters;
pub use driven::Driven;
pub use finding::{Finding, by_kind, by_process, by_resource, total};
pub use guard::Guard;
pub use invoke::Memguard;
pub use leaky::Leaky;
pub use lines::{Lines, flag, number, text};
pub use nginx::Nginx;
pub use postgres::Postgres;
pub use programs::program;
pub use redis::Redis;
pub use running::{Ran, Running};
pub use scratch::Scratch;
pub use servers::Servers;
pub use wait::{holds_within, wait_until};
pub use zoo::Account;
