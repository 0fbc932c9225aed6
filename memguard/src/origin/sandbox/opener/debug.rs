//! Finding the debug information that a distribution keeps in files of its own.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _},
    os::fd::AsFd as _,
    path::{Path, PathBuf},
};

use super::{
    elf::summary,
    locate::Located,
    process::bare,
    regular::{directory, open_in},
};
use crate::origin::symbolize::wire::{MappedFile, Process};

/// Where distributions put them.
const FOLDER: &str = "/usr/lib/debug";

/// The file that belongs to `located`, where there is one: in the file system of the process, or
/// in ours.
pub(super) fn find(process: &Process, mapped: &MappedFile, located: &Located) -> Option<File> {
    if located.about.debug {
        return None;
    }
    let of_process = process.is_alive().then(|| process.root());
    let roots = [of_process, Some(directory(Path::new("/")))];
    let places = places(mapped, located);
    let mut roots = roots.iter().flatten().flatten();
    roots.find_map(|root| {
        let open = |place: &PathBuf| open_in(root.as_fd(), place).ok();
        let mut files = places.iter().filter_map(open);
        files.find(|file| belongs(file, located))
    })
}

/// As gdb searches: by build id, then by the name in the link, next to the file and below the
/// folder.
fn places(mapped: &MappedFile, located: &Located) -> Vec<PathBuf> {
    let mut places = Vec::new();
    if let Some(build_id) = located.about.build_id {
        let name = build_id.to_string();
        if let Some((first, rest)) = name.split_at_checked(2) {
            places.push(format!("{FOLDER}/.build-id/{first}/{rest}.debug").into());
        }
    }
    let name = located.about.link.as_ref().map(|(name, _)| name.as_str());
    // A name, not a path: a file cannot ask for any other file to be opened.
    let name = name.filter(|name| !name.contains('/') && *name != "..");
    let folder = Path::new(bare(&mapped.path)).parent();
    if let (Some(name), Some(folder)) = (name, folder) {
        let below = folder.strip_prefix("/").unwrap_or(folder);
        places.push(folder.join(name));
        places.push(folder.join(".debug").join(name));
        places.push(Path::new(FOLDER).join(below).join(name));
    }
    places
}

/// The same build id, or, where there is none, the checksum of the link.
fn belongs(file: &File, located: &Located) -> bool {
    let Ok(debug) = summary(file) else {
        return false;
    };
    if let (Some(wanted), Some(found)) = (located.about.build_id, debug.build_id) {
        return wanted == found;
    }
    let wanted = located.about.link.as_ref().map(|(_, checksum)| *checksum);
    wanted.is_some() && wanted == checksum(file).ok()
}

/// CRC-32 as in zlib, over all of the file.
fn checksum(mut file: &File) -> io::Result<u32> {
    let table = table();
    let mut buffer = vec![0; 1 << 16];
    let mut sum = u32::MAX;
    file.rewind()?;
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(!sum);
        }
        for byte in buffer.get(..count).unwrap_or_default() {
            let [low, ..] = sum.to_le_bytes();
            let entry = table.get(usize::from(low ^ byte)).copied();
            sum = (sum >> 8) ^ entry.unwrap_or_default();
        }
    }
}

fn table() -> [u32; 256] {
    std::array::from_fn(|at| {
        let step = |sum: u32| (sum >> 1) ^ (0xedb8_8320 & 0u32.wrapping_sub(sum & 1));
        (0..8).fold(at as u32, |sum, _| step(sum))
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn the_checksum_is_crc_32() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"123456789").unwrap();
        assert_eq!(checksum(&file).unwrap(), 0xcbf4_3926);
    }
}
