//! What is a leak: one policy a file.
//!
//! Pure. A policy sees the [`Context`] and what `/proc` was asked, and makes findings of it; when
//! it is asked, and what becomes of its findings, is the engine's.
//!
//! | policy | judges |
//! |---|---|
//! | [`descriptors`] | descriptors of processes that run; by which detector at which age: [`stages`] |
//! | [`mappings`] | memory that is mapped and stays |
//! | [`growth`] | sizes and counts that keep growing, from [`usage`] |
//! | [`threads`], [`zombies`] | stacks of threads that nobody joined, children that nobody waited for |
//! | [`cgroups`] | control groups as a whole |
//! | [`exits`], [`segments`] | what a process that ended left |
//! | [`persistent`] | files in memory that it made and nobody holds, and keys |
//! | [`leftovers`] | what outlives the command of `run` |
//! | [`untracked`] | descriptors that no traced call made |
//! | [`without_stack`] | what of that has no stack, and where it is told |
//! | [`exhaustion`] | counts that head for their limit |
//! | [`hoard`] | what was held before memguard attached |

pub mod cgroups;
pub mod context;
pub mod descriptors;
pub mod exhaustion;
pub mod exits;
pub mod fault_samples;
pub mod fault_sites;
pub mod first_ramp;
pub mod growth;
pub mod hoard;
pub mod leftovers;
pub mod mappings;
pub mod persistent;
pub mod question;
pub mod sampler;
pub mod segments;
pub mod stages;
pub mod threads;
pub mod untracked;
pub mod usage;
pub mod watches;
pub mod without_stack;
pub mod zombies;

#[cfg(test)]
mod testing;

use std::time::Duration;

pub use self::context::Context;
use crate::{
    detect::History,
    ledger::HeldFd,
    model::{
        finding::{Growth, Handle, Limit, Sample},
        ids::Stamp,
        memory::Ceiling,
        resource::Call,
    },
};

/// Handles shown with a finding.
pub const SAMPLES: usize = 5;

/// When a ceiling of a count is reached at this growth.
fn limit(ceiling: Ceiling, growth: Option<Growth>) -> Limit {
    let Ceiling { name, value, used } = ceiling;
    let slope = growth.map(|growth| growth.slope_per_second);
    let slope = slope.filter(|slope| *slope > 0.0);
    let left = value.saturating_sub(used) as f64;
    Limit {
        name,
        value,
        used,
        exhausted_in: slope.and_then(|slope| Duration::try_from_secs_f64(left / slope).ok()),
        uncertainty: None,
    }
}

/// How a count grows from its first sample to its last.
fn slope(history: &History) -> Option<Growth> {
    let (slope_per_second, seconds) = history.slope()?;
    Some(Growth {
        slope_per_second,
        window: Duration::from_secs_f64(seconds),
        trend: None,
    })
}

/// One handle for people.
fn sample(held: &HeldFd, target: Option<String>, now: Stamp) -> Sample {
    let acquired = &held.acquired;
    Sample {
        handle: Handle::Descriptor(acquired.fd),
        acquired_at: Some(acquired.stamp),
        age: Some(now.since(acquired.stamp)),
        call: Some(acquired.call),
        target,
    }
}

fn stamps(survivors: &[HeldFd]) -> Vec<Stamp> {
    survivors.iter().map(|held| held.acquired.stamp).collect()
}

/// The calls that acquired them, each once.
fn calls(calls: impl Iterator<Item = Call>) -> Vec<Call> {
    let mut calls: Vec<_> = calls.collect();
    calls.sort_unstable();
    calls.dedup();
    calls
}
