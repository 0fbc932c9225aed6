//! Why the kernel side does not work.

use std::io;

use aya::{EbpfError, maps::MapError, programs::ProgramError};
use memguard_common::settings::FILTERS;
use thiserror::Error;

/// Why the programs do not run.
#[derive(Debug, Error)]
pub enum KernelError {
    /// The object was refused: permission, verifier, or a kernel that is too old.
    #[error("the kernel refused memguard's BPF object")]
    Load(#[source] Box<EbpfError>),
    /// One program was refused.
    #[error("the kernel refused the program {program}")]
    Program {
        /// Which.
        program: &'static str,
        /// Why, with the verifier's words.
        #[source]
        source: Box<ProgramError>,
    },
    /// One program could not be attached.
    #[error("cannot attach {program} to the tracepoint {tracepoint}")]
    Attach {
        /// Which.
        program: &'static str,
        /// Where to.
        tracepoint: String,
        /// Why.
        #[source]
        source: Box<ProgramError>,
    },
    /// A map is missing or of another kind than the agent expects: object and agent do not match.
    #[error("map {0} is not what it should be")]
    Map(&'static str),
    /// A map could not be read or written.
    #[error("cannot use the map {0}")]
    MapAccess(&'static str, #[source] Box<MapError>),
    /// More than the settings have room for.
    #[error("more than {max} cgroups or command names to watch", max = FILTERS)]
    Filters,
    /// Mapping or polling failed.
    #[error("cannot map or poll {0}")]
    Io(&'static str, #[source] io::Error),
    /// The kernel does not say how its programs are doing.
    #[error("cannot read what the kernel counts of the BPF programs")]
    ProgramInfo(#[source] io::Error),
    /// The detaching could not be left to another process.
    #[error("cannot leave the detaching of the BPF programs to a process of its own")]
    Holder(#[source] io::Error),
}
