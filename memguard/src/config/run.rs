//! What `run` was told to do.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use super::{CommonConfig, DetectConfig};
use crate::findings::gate::Gate;

/// What `run` was told to do.
#[derive(Clone, Debug)]
pub struct RunConfig {
    /// The command and its arguments.
    pub command: Vec<OsString>,
    /// Under sudo, run it as root too.
    pub as_root: bool,
    /// How long to follow processes that outlive it.
    pub grace: Duration,
    /// How to judge.
    pub detect: DetectConfig,
    /// What decides the exit code.
    pub fail_on: Gate,
    /// Findings of this file reach no gate.
    pub baseline: Option<PathBuf>,
    /// The exit code where the command succeeded and the gate was reached.
    pub leak_exit_code: u8,
    /// What is common to `watch` and `run`.
    pub common: CommonConfig,
}
