//! What the programs log, on standard error: only with the feature `debug-log`, and an object built
//! with the feature of the same name (`cargo xtask build-ebpf --debug-log`).

use std::{env, fs};

use aya::Ebpf;
use aya_log::EbpfLogger;
use log::{Log, Metadata, Record};

/// Path of the object to load instead of the shipped one, whose programs do not log.
const OBJECT: &str = "MEMGUARD_BPF_OBJECT";

/// The object that the environment names.
pub(super) fn object() -> Option<Vec<u8>> {
    let path = env::var_os(OBJECT)?;
    fs::read(path).ok()
}

/// Lines of the programs.
pub(super) struct Lines(EbpfLogger<Stderr>);

impl Lines {
    /// `None` where the programs do not log.
    pub(super) fn of(ebpf: &mut Ebpf) -> Option<Self> {
        EbpfLogger::init_with_logger(ebpf, Stderr).ok().map(Self)
    }

    /// Writes what has come.
    pub(super) fn flush(&mut self) {
        self.0.flush();
    }
}

struct Stderr;

impl Log for Stderr {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        crate::complain(&format!("bpf: {}", record.args()));
    }

    fn flush(&self) {}
}
