//! What `watch` and `run` have in common.

use std::path::PathBuf;

use super::output::OutputConfig;

/// What `watch` and `run` have in common.
#[derive(Clone, Debug)]
pub struct CommonConfig {
    /// Where findings go.
    pub output: OutputConfig,
    /// Which of them are not shown.
    pub suppress: SuppressConfig,
    /// End with an exit code of its own where events were lost.
    pub strict: bool,
    /// How large the kernel side is.
    pub sizes: KernelSizes,
    /// Record what the engine is told to this file.
    pub record: Option<PathBuf>,
}

/// Which findings are not shown.
#[derive(Clone, Debug, Default)]
pub struct SuppressConfig {
    /// A file of rules.
    pub rules: Option<PathBuf>,
    /// List what was suppressed at the end.
    pub show: bool,
    /// Do without the rules that are built in.
    pub without_built_in: bool,
}

/// How large the kernel side is; what is not given follows from the size of a window.
#[derive(Clone, Copy, Debug)]
pub struct KernelSizes {
    /// Bytes of a window: registers and the copied part of the stack.
    pub window_bytes: u32,
    /// Sets of eight slots in the nursery.
    pub nursery_sets: Option<u32>,
    /// Bytes of the ring buffer.
    pub ring_bytes: Option<u32>,
}
