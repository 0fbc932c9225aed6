//! Which system calls a process may still make: a seccomp filter, as a list of rules.
//!
//! Written by hand rather than with the crate `seccompiler`, which knows two outcomes for a filter
//! where four are needed here: a call is allowed, answered by a handler (`trap`), refused as if
//! there were nothing in the file system, or refused.

use std::io;

use libc::{
    BPF_ABS, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET, BPF_W, c_int, c_long,
    seccomp_data, sock_filter, sock_fprog,
};

use super::calls::OF_BOTH;

/// `AUDIT_ARCH_X86_64` of `linux/audit.h`.
const ARCHITECTURE: u32 = 0xc000_003e;

/// Numbers from here on are calls of the x32 ABI.
const X32: u32 = 0x4000_0000;

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Allow,
    /// The process gets a `SIGSYS`, whose handler answers.
    Trap,
    /// It fails with this error number.
    Refuse(c_int),
}

/// What an argument has to be like; its lower 32 bits.
#[derive(Clone, Copy, Debug)]
pub(super) enum Only {
    Any,
    /// This argument is one of these values.
    OneOf(u32, &'static [u32]),
    /// None of these bits of these arguments.
    WithoutBits(&'static [(u32, u32)]),
}

/// A call, and what becomes of it. A call whose argument is not as the rule wants it is refused.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule(pub(super) c_long, pub(super) Only, pub(super) Verdict);

impl Verdict {
    fn code(self) -> u32 {
        match self {
            Self::Allow => libc::SECCOMP_RET_ALLOW,
            Self::Trap => libc::SECCOMP_RET_TRAP,
            Self::Refuse(errno) => libc::SECCOMP_RET_ERRNO | errno as u32,
        }
    }
}

/// What becomes of a call without a rule.
const OTHERWISE: Verdict = Verdict::Refuse(libc::EPERM);

/// The filter for the calls of this architecture; any other ends the process.
fn program(lists: &[&[Rule]]) -> Vec<sock_filter> {
    let mut program = vec![
        load(std::mem::offset_of!(seccomp_data, arch)),
        jump(BPF_JEQ, ARCHITECTURE, 1, 0),
        verdict(libc::SECCOMP_RET_KILL_PROCESS),
        load(std::mem::offset_of!(seccomp_data, nr)),
        jump(BPF_JGE, X32, 0, 1),
        verdict(libc::SECCOMP_RET_KILL_PROCESS),
    ];
    for rule in lists.iter().copied().flatten() {
        let block = block(rule);
        program.push(jump(BPF_JEQ, rule.0 as u32, 0, block.len() as u8));
        program.extend(block);
    }
    program.push(verdict(OTHERWISE.code()));
    program
}

/// What is done where the number is that of the rule; ends with a verdict in every case.
fn block(Rule(_, only, outcome): &Rule) -> Vec<sock_filter> {
    let mut block = Vec::new();
    match only {
        Only::Any => {}
        Only::OneOf(argument, values) => {
            block.push(load(offset(*argument)));
            for (at, value) in values.iter().enumerate() {
                // Over the values that are left, and over the refusal.
                let forward = (values.len() - at) as u8;
                block.push(jump(BPF_JEQ, *value, forward, 0));
            }
            block.push(verdict(OTHERWISE.code()));
        }
        Only::WithoutBits(all) => {
            for (argument, bits) in *all {
                block.push(load(offset(*argument)));
                block.push(jump(BPF_JSET, *bits, 0, 1));
                block.push(verdict(OTHERWISE.code()));
            }
        }
    }
    block.push(verdict(outcome.code()));
    block
}

/// Of the lower half of an argument: the architecture is little-endian.
fn offset(argument: u32) -> usize {
    std::mem::offset_of!(seccomp_data, args) + argument as usize * size_of::<u64>()
}

fn load(offset: usize) -> sock_filter {
    instruction(BPF_LD | BPF_W | BPF_ABS, offset as u32, 0, 0)
}

fn jump(condition: u32, value: u32, yes: u8, no: u8) -> sock_filter {
    instruction(BPF_JMP | condition | BPF_K, value, yes, no)
}

fn verdict(code: u32) -> sock_filter {
    instruction(BPF_RET | BPF_K, code, 0, 0)
}

fn instruction(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    let code = code as u16;
    sock_filter { code, jt, jf, k }
}

/// Puts the rules, and those of both processes, in force for this thread, for good. `no_new_privs`
/// has to be set before.
pub(super) fn enforce(rules: &[Rule]) -> io::Result<()> {
    let mut program = program(&[OF_BOTH, rules]);
    let filter = sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: the kernel copies the program, which outlives the call; nothing else is written.
    let done = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            0,
            &raw const filter,
        )
    };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &[Rule] = &[
        Rule(1, Only::Any, Verdict::Allow),
        Rule(2, Only::OneOf(0, &[3, 4]), Verdict::Allow),
        Rule(5, Only::WithoutBits(&[(2, 4), (1, 1)]), Verdict::Trap),
        Rule(6, Only::Any, Verdict::Refuse(libc::ENOENT)),
    ];

    /// What the kernel would do with the filter.
    fn run(program: &[sock_filter], arch: u32, number: u32, arguments: [u32; 3]) -> u32 {
        let (mut at, mut value) = (0, 0);
        loop {
            let sock_filter { code, jt, jf, k } = program[at];
            at += 1;
            let jumps = |condition| u32::from(code) == BPF_JMP | condition | BPF_K;
            let test = if u32::from(code) == BPF_RET | BPF_K {
                return k;
            } else if jumps(BPF_JEQ) {
                value == k
            } else if jumps(BPF_JGE) {
                value >= k
            } else if jumps(BPF_JSET) {
                value & k != 0
            } else {
                value = match k {
                    0 => number,
                    4 => arch,
                    offset => arguments[(offset as usize - 16) / 8],
                };
                continue;
            };
            at += usize::from(if test { jt } else { jf });
        }
    }

    #[test]
    fn every_call_has_the_outcome_of_its_rule() {
        let program = program(&[RULES]);
        let refused = OTHERWISE.code();
        for (number, arguments, expected) in [
            (1, [0; 3], libc::SECCOMP_RET_ALLOW),
            (2, [3, 0, 0], libc::SECCOMP_RET_ALLOW),
            (2, [4, 0, 0], libc::SECCOMP_RET_ALLOW),
            (2, [5, 0, 0], refused),
            (5, [0, 0, 3], libc::SECCOMP_RET_TRAP),
            (5, [0, 0, 7], refused),
            (5, [0, 3, 0], refused),
            (6, [0; 3], libc::SECCOMP_RET_ERRNO | libc::ENOENT as u32),
            (7, [0; 3], refused),
            (X32 | 1, [0; 3], libc::SECCOMP_RET_KILL_PROCESS),
        ] {
            let found = run(&program, ARCHITECTURE, number, arguments);
            assert_eq!(found, expected, "{number} {arguments:?}");
        }
        let i386 = 0x4000_0003;
        let found = run(&program, i386, 1, [0; 3]);
        assert_eq!(found, libc::SECCOMP_RET_KILL_PROCESS);
    }
}
