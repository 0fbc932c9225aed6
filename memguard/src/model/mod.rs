//! Plain values that every module speaks in: no I/O and no clock. What the engine is told can be
//! recorded, so that those values can be serialised; no output writes them as they are.
//!
//! [`ids`] names things, [`resource`] says what kind they are, [`event`] is what happened,
//! [`process`] who did it, [`finding`] what is wrong, and [`report`] what a sink is told.

pub mod baseline;
pub mod event;
pub mod evidence;
pub mod fault;
pub mod finding;
pub mod ids;
pub mod interned;
pub mod link_target;
pub mod memory;
pub mod observed;
pub mod origin;
pub mod persistent;
pub mod process;
pub mod recorded_call;
pub mod report;
pub mod resource;
pub mod series_summary;
pub mod status;
pub mod verdict;

#[cfg(test)]
pub(crate) mod testing;
