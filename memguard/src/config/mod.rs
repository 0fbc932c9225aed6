//! What memguard was told to do, resolved once: plain values, checked, with every default filled
//! in.
//!
//! Only [`crate::cli`] knows how it was typed.

mod common;
mod detect;
pub mod output;
mod review;
mod run;
mod watch;

pub use self::{
    common::{CommonConfig, KernelSizes, SuppressConfig},
    detect::{DetectConfig, Kinds},
    review::{DiffConfig, DiffGate, ReportConfig, ReportFormat},
    run::RunConfig,
    watch::{TargetConfig, WatchConfig},
};
