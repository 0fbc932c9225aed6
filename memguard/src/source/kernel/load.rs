//! Loads programs, several at a time: nearly all of the time is the verifier's, which works for
//! each program alone.

use std::{
    num::NonZero,
    thread::{self, ScopedJoinHandle},
};

use aya::{Ebpf, programs::TracePoint};

use super::KernelError;

/// Most threads that load; the longest program takes an eighth of the time of all.
const THREADS: usize = 4;

/// A program and its name.
type Named<'a> = (&'static str, &'a mut TracePoint);

/// Loads the programs of these names.
pub(super) fn programs(ebpf: &mut Ebpf, names: &[&'static str]) -> Result<(), KernelError> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let shares = shares(ebpf, names, threads.min(THREADS));
    thread::scope(|scope| {
        let loading: Vec<_> = shares
            .into_iter()
            .map(|share| scope.spawn(|| load(share)))
            .collect();
        loading.into_iter().try_for_each(join)
    })
}

/// Dealt out like cards, the largest first. How large they are is not known here, but those that
/// acquire have the most to do: `acquire`, `acquire_message`, `acquire_pair`, `map`.
fn shares<'a>(ebpf: &'a mut Ebpf, names: &[&'static str], number: usize) -> Vec<Vec<Named<'a>>> {
    let mut wanted: Vec<Named<'a>> = ebpf
        .programs_mut()
        .filter_map(|(name, program)| {
            let name = names.iter().find(|wanted| **wanted == name)?;
            Some((*name, program.try_into().ok()?))
        })
        .collect();
    wanted.sort_unstable_by_key(|(name, _)| (!is_large(name), *name));
    let mut shares: Vec<Vec<_>> = (0..number).map(|_| Vec::new()).collect();
    for (share, program) in (0..number).cycle().zip(wanted) {
        if let Some(share) = shares.get_mut(share) {
            share.push(program);
        }
    }
    shares
}

fn is_large(name: &str) -> bool {
    matches!(name, "map" | "process_exit" | "process_exec") || name.starts_with("acquire")
}

fn load(share: Vec<Named<'_>>) -> Result<(), KernelError> {
    for (program, loaded) in share {
        let refused = |source| KernelError::Program {
            program,
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
pub(super) fn program<'a>(
    ebpf: &'a mut Ebpf,
    name: &'static str,
) -> Result<&'a mut TracePoint, KernelError> {
    let program = ebpf
        .program_mut(name)
        .and_then(|program| program.try_into().ok());
    program.ok_or(KernelError::Map(name))
}
