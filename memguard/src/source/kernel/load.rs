//! Loads programs, several at a time: nearly all of the time is the verifier's, which works for
//! each program alone.

use std::{
    num::NonZero,
    thread::{self, ScopedJoinHandle},
};

use aya::{Ebpf, programs::TracePoint};

use super::{KernelError, plan::Program};

/// Most threads that load; the longest program takes an eighth of the time of all.
const THREADS: usize = 4;

/// A program and what it is loaded with.
type Named<'a> = (Program, &'a mut TracePoint);

/// Loads these programs.
pub(super) fn programs(ebpf: &mut Ebpf, wanted: &[Program]) -> Result<(), KernelError> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let shares = shares(ebpf, wanted, threads.min(THREADS));
    thread::scope(|scope| {
        let loading: Vec<_> = shares
            .into_iter()
            .map(|share| scope.spawn(|| load(share)))
            .collect();
        loading.into_iter().try_for_each(join)
    })
}

/// Dealt out like cards, the largest first.
fn shares<'a>(ebpf: &'a mut Ebpf, wanted: &[Program], number: usize) -> Vec<Vec<Named<'a>>> {
    let mut found: Vec<Named<'a>> = ebpf
        .programs_mut()
        .filter_map(|(name, program)| {
            let named = wanted.iter().find(|wanted| wanted.name() == name)?;
            Some((*named, program.try_into().ok()?))
        })
        .collect();
    found.sort_unstable_by_key(|(program, _)| (!program.is_large(), *program));
    let mut shares: Vec<Vec<_>> = (0..number).map(|_| Vec::new()).collect();
    for (share, program) in (0..number).cycle().zip(found) {
        if let Some(share) = shares.get_mut(share) {
            share.push(program);
        }
    }
    shares
}

fn load(share: Vec<Named<'_>>) -> Result<(), KernelError> {
    for (program, loaded) in share {
        let refused = |source| KernelError::Program {
            program: program.name(),
            source: Box::new(source),
        };
        loaded.load().map_err(refused)?;
    }
    Ok(())
}

/// A thread that has panicked has said so itself.
fn join(thread: ScopedJoinHandle<'_, Result<(), KernelError>>) -> Result<(), KernelError> {
    thread.join().unwrap_or(Err(KernelError::Map("programs")))
}

/// One of them.
pub(super) fn program(ebpf: &mut Ebpf, program: Program) -> Result<&mut TracePoint, KernelError> {
    let found = ebpf
        .program_mut(program.name())
        .and_then(|found| found.try_into().ok());
    found.ok_or(KernelError::Map(program.name()))
}
