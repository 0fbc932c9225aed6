//! What the kernel counts of BPF programs while somebody asks it to: how often each ran, and for
//! how long.

use std::{
    collections::BTreeMap,
    fs, io,
    os::fd::{FromRawFd as _, OwnedFd, RawFd},
};

/// Command of bpf(2) that makes the kernel count until the descriptor is closed. The sysctl
/// `kernel.bpf_stats_enabled` stays as it is.
const BPF_ENABLE_STATS: libc::c_int = 32;
/// `BPF_STATS_RUN_TIME`.
const RUN_TIME: u32 = 0;

/// Runs and nanoseconds of one program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    /// How often it ran.
    pub count: u64,
    /// How long in all.
    pub nanoseconds: u64,
}

impl Runs {
    /// Since an earlier look.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            count: self.count - before.count,
            nanoseconds: self.nanoseconds - before.nanoseconds,
        }
    }

    /// Nanoseconds a run, the kernel's own two readings of the clock included.
    pub fn each(self) -> f64 {
        self.nanoseconds as f64 / self.count as f64
    }
}

/// While it lives, the kernel counts.
#[derive(Debug)]
pub struct Counting(#[expect(dead_code, reason = "open is all it has to be")] OwnedFd);

impl Counting {
    /// Needs root.
    pub fn start() -> io::Result<Self> {
        let kind = [RUN_TIME, 0];
        // SAFETY: the kernel reads eight bytes at the pointer and keeps no reference to them.
        let fd = unsafe {
            libc::syscall(
                libc::SYS_bpf,
                BPF_ENABLE_STATS,
                kind.as_ptr(),
                size_of_val(&kind),
            )
        };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call has just made it, and nobody else knows it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd as RawFd) }))
    }
}

/// Of every program that a process holds, by id.
pub fn of_process(pid: u32) -> BTreeMap<u64, Runs> {
    let folder = format!("/proc/{pid}/fdinfo");
    let entries = fs::read_dir(folder).into_iter().flatten();
    let infos = entries.filter_map(|entry| fs::read_to_string(entry.ok()?.path()).ok());
    infos.filter_map(|info| parse(&info)).collect()
}

fn parse(info: &str) -> Option<(u64, Runs)> {
    let number = |key: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(key))?;
        line.trim().parse::<u64>().ok()
    };
    let runs = Runs {
        count: number("run_cnt:")?,
        nanoseconds: number("run_time_ns:")?,
    };
    Some((number("prog_id:")?, runs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_by_its_id() {
        let info = "prog_type:\t5\nprog_id:\t217\nrun_time_ns:\t900\nrun_cnt:\t9\n";
        let runs = Runs {
            count: 9,
            nanoseconds: 900,
        };
        assert_eq!(parse(info), Some((217, runs)));
        assert!((runs.each() - 100.0).abs() < f64::EPSILON);
        assert_eq!(parse("pos:\t0\n"), None);
    }
}
