//! Plain values that every module speaks in: no I/O, no clock, no serialisation.
//!
//! [`ids`] names things, [`resource`] says what kind they are, [`event`] is what happened,
//! [`process`] who did it, [`finding`] what is wrong, and [`report`] what a sink is told.

pub mod course;
pub mod event;
pub mod fault;
pub mod finding;
pub mod ids;
pub mod memory;
pub mod origin;
pub mod process;
pub mod report;
pub mod resource;
pub mod verdict;

#[cfg(test)]
pub(crate) mod testing;
