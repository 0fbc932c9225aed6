//! What the kernel knows of a loaded program: its name, how large it is, how much the verifier
//! looked at, and, while [`crate::statistics::Counting`] lives, how often it ran and for how long.

use std::{
    collections::BTreeMap,
    io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd},
};

use super::{bpf, held_by};
use crate::statistics::Runs;

const BPF_PROG_GET_FD_BY_ID: libc::c_int = 13;
const BPF_OBJ_GET_INFO_BY_FD: libc::c_int = 15;

/// A loaded program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The kernel's number for it.
    pub id: u32,
    /// At most fifteen characters.
    pub name: String,
    /// Instructions that the verifier went through, on all paths together.
    pub verified: u32,
    /// Bytes of BPF instructions after verification.
    pub translated: u32,
    /// Bytes of machine code.
    pub compiled: u32,
    /// How often it ran, and for how long.
    pub runs: Runs,
}

/// `struct bpf_prog_info` of Linux 5.16, which has all that is asked for.
#[repr(C)]
#[derive(Default)]
struct Info {
    kind: u32,
    id: u32,
    tag: [u8; 8],
    compiled: u32,
    translated: u32,
    instructions: [u64; 2],
    load_time: u64,
    uid: u32,
    map_count: u32,
    maps: u64,
    name: [u8; 16],
    device: [u32; 2],
    namespace: [u64; 2],
    symbols: [u32; 2],
    symbol_places: [u64; 2],
    btf: [u32; 2],
    functions: u64,
    counts: [u32; 2],
    lines: [u64; 2],
    sizes: [u32; 4],
    tags: u64,
    nanoseconds: u64,
    count: u64,
    recursions: u64,
    verified: u32,
    padding: u32,
}

/// The part of `union bpf_attr` that turns an id into a descriptor.
#[repr(C)]
struct ById {
    id: u32,
    next: u32,
    flags: u32,
}

/// The part of `union bpf_attr` that asks about a descriptor.
#[repr(C)]
struct AboutFd {
    fd: u32,
    length: u32,
    info: u64,
}

/// All programs that a process holds; several may share a name.
pub fn of_process(pid: u32) -> BTreeMap<u32, Program> {
    let programs = held_by(pid).into_iter().filter_map(|id| about(id).ok());
    programs.map(|program| (program.id, program)).collect()
}

/// One program, by id.
pub fn about(id: u32) -> io::Result<Program> {
    let mut by_id = ById {
        id,
        next: 0,
        flags: 0,
    };
    // SAFETY: there is no pointer in it.
    let fd = unsafe { bpf(BPF_PROG_GET_FD_BY_ID, &mut by_id) }?;
    // SAFETY: the call has just made it, and nobody else knows it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd as RawFd) };
    about_fd(&fd)
}

/// One program, by descriptor.
pub fn about_fd(fd: &OwnedFd) -> io::Result<Program> {
    let mut info = Info::default();
    let mut about = AboutFd {
        fd: fd.as_raw_fd() as u32,
        length: size_of::<Info>() as u32,
        info: (&raw mut info) as u64,
    };
    // SAFETY: the kernel writes at most `length` bytes at `info`, which is as large.
    unsafe { bpf(BPF_OBJ_GET_INFO_BY_FD, &mut about) }?;
    Ok(program(&info))
}

fn program(info: &Info) -> Program {
    let name = info.name.split(|byte| *byte == 0).next();
    Program {
        id: info.id,
        name: String::from_utf8_lossy(name.unwrap_or_default()).into_owned(),
        verified: info.verified,
        translated: info.translated,
        compiled: info.compiled,
        runs: Runs {
            count: info.count,
            nanoseconds: info.nanoseconds,
        },
    }
}

const _: () = assert!(
    std::mem::offset_of!(Info, name) == 64
        && std::mem::offset_of!(Info, nanoseconds) == 192
        && std::mem::offset_of!(Info, verified) == 216
        && size_of::<Info>() == 224,
    "struct bpf_prog_info has its fields elsewhere"
);
