//! The code that the kernel maps into every process: it is in no file, but the same in all, so
//! memguard's own is read.

use std::{fs::File, os::unix::fs::FileExt as _};

use super::elf::{Bytes, Elf, ImageError};
use crate::source::procfs::{Procfs, maps::VDSO};

/// The most that is read; it has two pages.
const BYTES: usize = 1 << 20;

/// The image, and how long the mapping is: another one is not of a 64-bit program.
pub(super) fn read() -> Result<(Elf, u64), ImageError> {
    let mappings = Procfs::new("/proc").mappings(std::process::id());
    let mappings = mappings.ok().ok_or(ImageError::Gone)?;
    let mut mappings = mappings.iter();
    let own = mappings.find(|mapping| &*mapping.module.path == VDSO);
    let own = own.ok_or(ImageError::Gone)?;
    let length = own.end - own.start;
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(BYTES).min(BYTES)];
    File::open("/proc/self/mem")?.read_exact_at(&mut bytes, own.start)?;
    let elf = Elf::parse(Bytes::Memory(bytes.into()))?;
    Ok((elf, length))
}
