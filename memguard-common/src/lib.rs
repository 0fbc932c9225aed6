//! What the BPF programs and the agent agree on, and nothing else.
//!
//! [`call`] names what acquires, [`event`] lays out the records on the ring buffer, [`nursery`] is
//! the protocol by which both sides own the young generation, [`settings`] is what the agent tells
//! the programs, [`stats`] is what the programs count, [`wide`] is where they copy more of the
//! stack. `no_std`, no dependencies: the same code runs in the kernel, in the agent, and in the
//! exhaustive exploration under `tests/`.

#![cfg_attr(not(test), no_std)]

pub mod call;
pub mod event;
pub mod nursery;
pub mod settings;
pub mod stats;
pub mod wide;
