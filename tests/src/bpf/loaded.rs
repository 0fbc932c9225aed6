//! Which BPF programs are loaded on this kernel, by id. Ids are handed out in a cycle, so one that
//! has gone does not come back within a test.

use std::{collections::BTreeSet, fs};

/// Command of bpf(2) that returns the id after a given one.
const BPF_PROG_GET_NEXT_ID: libc::c_int = 11;

/// The part of `union bpf_attr` that the command uses.
#[repr(C)]
struct NextId {
    start: u32,
    next: u32,
    open_flags: u32,
}

/// The ids of all loaded programs.
pub fn loaded() -> BTreeSet<u32> {
    let mut ids = BTreeSet::new();
    let mut last = 0;
    while let Some(next) = after(last) {
        ids.insert(next);
        last = next;
    }
    ids
}

/// The ids of the programs of which process `pid` holds a descriptor.
pub fn held_by(pid: u32) -> BTreeSet<u32> {
    let folder = format!("/proc/{pid}/fdinfo");
    let Ok(entries) = fs::read_dir(&folder) else {
        return BTreeSet::new();
    };
    let infos = entries.filter_map(|entry| fs::read_to_string(entry.ok()?.path()).ok());
    infos.filter_map(|info| id_in(&info)).collect()
}

fn id_in(info: &str) -> Option<u32> {
    info.lines()
        .find_map(|line| line.strip_prefix("prog_id:")?.trim().parse().ok())
}

fn after(start: u32) -> Option<u32> {
    let mut attributes = NextId {
        start,
        next: 0,
        open_flags: 0,
    };
    // SAFETY: there is no pointer in it.
    let asked = unsafe { super::bpf(BPF_PROG_GET_NEXT_ID, &mut attributes) };
    let Err(error) = asked else {
        return Some(attributes.next);
    };
    assert_eq!(
        error.raw_os_error(),
        Some(libc::ENOENT),
        "cannot list BPF programs: {error}"
    );
    None
}

#[cfg(test)]
mod tests {
    use super::id_in;

    /// The id is found among the other lines of a descriptor's information.
    #[test]
    fn finds_the_id() {
        assert_eq!(
            id_in("pos:\t0\nprog_type:\t5\nprog_id:\t217\nrun_cnt:\t0\n"),
            Some(217)
        );
        assert_eq!(id_in("pos:\t0\nflags:\t02\n"), None);
    }
}
