//! Maps by their names, and the memory they take.

use std::{
    fs,
    io::{self, BufRead as _},
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd},
};

use aya::{Ebpf, maps::Map};

use super::{KernelError, mapping::Mapping};

/// Takes one out of the object.
pub(super) fn take<T: TryFrom<Map>>(ebpf: &mut Ebpf, name: &'static str) -> Result<T, KernelError> {
    let map = ebpf.take_map(name).ok_or(KernelError::Map(name))?;
    T::try_from(map).ok().ok_or(KernelError::Map(name))
}

/// Maps an array into the agent.
pub(super) fn map_array(
    ebpf: &Ebpf,
    name: &'static str,
    bytes: usize,
) -> Result<Mapping, KernelError> {
    let Some(Map::Array(map)) = ebpf.map(name) else {
        return Err(KernelError::Map(name));
    };
    Mapping::new(map.fd().as_fd(), bytes).map_err(|error| KernelError::Io(name, error))
}

/// What the kernel accounts for all maps and programs; what it does not tell counts nothing.
pub(super) fn memory(ebpf: &Ebpf) -> u64 {
    let maps = ebpf.maps().filter_map(|(_, map)| match map {
        Map::Array(map)
        | Map::PerCpuArray(map)
        | Map::HashMap(map)
        | Map::LruHashMap(map)
        | Map::RingBuf(map) => fdinfo(map.fd().as_fd(), "memlock:"),
        _ => None,
    });
    let programs = ebpf.programs().filter_map(|(_, program)| program.fd().ok());
    let programs = programs.filter_map(|fd| fdinfo(fd.as_fd(), "memlock:"));
    maps.sum::<u64>() + programs.sum::<u64>()
}

/// A number from `/proc/self/fdinfo`.
fn fdinfo(fd: BorrowedFd<'_>, key: &str) -> Option<u64> {
    let file = fs::File::open(format!("/proc/self/fdinfo/{}", fd.as_raw_fd())).ok()?;
    let lines = io::BufReader::new(file).lines().map_while(Result::ok);
    let value = lines
        .into_iter()
        .find_map(|line| line.strip_prefix(key).map(str::to_owned))?;
    value.trim().parse().ok()
}
