//! Files as they should not be.

mod sections;

use std::{fs, path::Path};

use proptest::prelude::*;

use super::*;
use crate::{
    model::origin::{Mapping, Module},
    source::procfs::Procfs,
};

/// The C library that this test runs with.
fn libc() -> String {
    own("libc.so.6").module.path.to_string()
}

/// A small library beside it.
fn small() -> Vec<u8> {
    let mut directory = fs::read_dir(Path::new(&libc()).parent().unwrap()).unwrap();
    let names = ["libdl.so.2", "libutil.so.1", "librt.so.1"];
    let small = directory.find_map(|entry| {
        let path = entry.unwrap().path();
        names
            .iter()
            .any(|name| path.ends_with(name))
            .then_some(path)
    });
    fs::read(small.unwrap()).unwrap()
}

/// Asks everything that unwinding asks.
fn ask(bytes: Vec<u8>, addresses: &[u64]) {
    let Ok(image) = Image::of(bytes) else {
        return;
    };
    let _taken = (image.bytes(), image.build_id());
    for address in addresses {
        let _asked = (
            image.row(*address),
            image.function(*address),
            image.code::<16>(*address),
            image.address(*address),
            image.destination(*address),
        );
    }
}

fn addresses(bytes: &[u8]) -> Vec<u64> {
    let length = bytes.len() as u64;
    let inside = (0..64).map(|part| length * part / 64);
    inside
        .chain([0, 1, u64::MAX, u64::MAX - 8, 1 << 47])
        .collect()
}

#[test]
fn files_that_end_anywhere() {
    let whole = small();
    let addresses = addresses(&whole);
    for length in 0..whole.len().min(4096) {
        ask(whole[..length].to_vec(), &addresses);
    }
    for length in (0..whole.len()).step_by(97) {
        ask(whole[..length].to_vec(), &addresses);
    }
}

#[test]
fn files_that_are_no_programs() {
    for (bytes, expected) in [
        (b"".to_vec(), ImageError::NotElf),
        (b"#!/bin/sh\n".to_vec(), ImageError::NotElf),
        (vec![0; 4096], ImageError::NotElf),
        (
            [b"\x7fELF\x01\x01", &[0; 4096][..]].concat(),
            ImageError::Foreign,
        ),
        (
            [b"\x7fELF\x02\x02", &[0; 4096][..]].concat(),
            ImageError::Foreign,
        ),
    ] {
        assert_eq!(Image::of(bytes).map(drop), Err(expected));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Headers and unwind information with bytes turned into others.
    #[test]
    fn files_with_wrong_bytes(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..64),
        head: bool,
    ) {
        let mut bytes = small();
        let addresses = addresses(&bytes);
        let reach = if head { 1024 } else { bytes.len() };
        for (index, byte) in changes {
            bytes[index.index(reach)] = byte;
        }
        ask(bytes, &addresses);
    }
}

#[test]
fn a_file_without_section_headers_is_unwound_all_the_same() {
    let whole = fs::read(libc()).unwrap();
    let mut stripped = whole.clone();
    stripped[40..48].fill(0); // e_shoff
    stripped[60..64].fill(0); // e_shnum, e_shstrndx
    let (whole, stripped) = (Image::of(whole).unwrap(), Image::of(stripped).unwrap());
    let code: Vec<_> = (0x30000..0x40000)
        .filter(|at| whole.function(*at).is_some())
        .collect();
    assert!(0x8000 < code.len());
    for address in code.iter().step_by(61) {
        assert_eq!(whole.row(*address), stripped.row(*address));
    }
}

/// Without the linker's table the entries are listed, with the same result.
#[test]
fn a_file_without_a_table_is_unwound_all_the_same() {
    let whole = fs::read(libc()).unwrap();
    let mut listed = whole.clone();
    let count = u16::from_le_bytes([whole[56], whole[57]]);
    for number in 0..usize::from(count) {
        let at = 64 + number * 56;
        if listed[at..at + 4] == 0x6474_e550_u32.to_le_bytes() {
            listed[at..at + 4].fill(0);
        }
    }
    let (whole, listed) = (Image::of(whole).unwrap(), Image::of(listed).unwrap());
    for address in (0x30000..0x40000).step_by(61) {
        assert_eq!(whole.row(address), listed.row(address), "{address:#x}");
    }
}

#[test]
fn the_vdso_is_read_from_memory() {
    let (elf, length) = vdso::read().unwrap();
    let image = Image::new(elf);
    assert!(4096 <= length && image.build_id().is_some());
    let code = (0..length).filter(|at| image.row(*at).is_some());
    assert!(100 < code.count());
}

fn own(path: &str) -> Mapping {
    let mappings = Procfs::new("/proc").mappings(std::process::id()).unwrap();
    let mut found = mappings.into_iter();
    found
        .find(|mapping| mapping.module.path.ends_with(path))
        .unwrap()
}

fn images() -> Images {
    Images::new("/proc".into())
}

#[test]
fn a_file_is_read_once_for_all_its_mappings() {
    let mut images = images();
    let processes = [std::process::id()];
    let mapping = own("libc.so.6");
    let first = images.load(&mapping, &processes).unwrap();
    assert_eq!(images.load(&mapping, &processes), Ok(first));
    let build_id = images.get(first).unwrap().build_id();
    assert!(build_id.is_some());
    // As the side-band tells it, of a process that has gone.
    let told = told(&mapping, build_id);
    assert_eq!(images.load(&told, &[]), Ok(first));
}

/// With a build id and a path, and nothing else.
fn told(mapping: &Mapping, build_id: Option<BuildId>) -> Mapping {
    let path = Arc::clone(&mapping.module.path);
    Mapping {
        module: Arc::new(Module { path, build_id }),
        device: 0,
        inode: 0,
        start: 0,
        ..*mapping
    }
}

/// Two files may claim to be the same; each is read for itself.
#[test]
fn a_build_id_cannot_be_lent() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("libc.so.6");
    fs::copy(libc(), &path).unwrap();
    let mut images = images();
    let real = own("libc.so.6");
    let build_id = Image::of(fs::read(libc()).unwrap()).unwrap().build_id();
    let mut lent = told(&real, build_id);
    lent.module = Arc::new(Module {
        path: path.to_str().unwrap().into(),
        build_id,
    });
    let lent = images.load(&lent, &[]).unwrap();
    assert_ne!(images.load(&told(&real, build_id), &[]), Ok(lent));
}

#[test]
fn another_file_in_the_same_place_is_refused() {
    let processes = [std::process::id()];
    let mut wrong = own("libc.so.6");
    wrong.inode += 1;
    assert_eq!(images().load(&wrong, &processes), Err(ImageError::Replaced));
    let mut wrong = own("libc.so.6");
    wrong.module = Arc::new(Module {
        path: Arc::clone(&wrong.module.path),
        build_id: BuildId::new(&[7; 20]),
    });
    assert_eq!(images().load(&wrong, &processes), Err(ImageError::Replaced));
    let mut gone = own("libc.so.6");
    gone.start += 4096;
    gone.module = Arc::new(Module {
        path: "/no/such/file".into(),
        build_id: None,
    });
    assert_eq!(images().load(&gone, &processes), Err(ImageError::Gone));
}

#[test]
fn only_regular_files_are_opened() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pipe");
    let name = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
    // SAFETY: the name ends with a zero.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    for path in [path.to_str().unwrap(), "/dev/zero", "/"] {
        let mut mapping = own("libc.so.6");
        mapping.start = 0;
        mapping.module = Arc::new(Module {
            path: path.into(),
            build_id: None,
        });
        assert_eq!(
            images().load(&mapping, &[]),
            Err(ImageError::NotRegular),
            "{path}"
        );
    }
}

#[test]
fn files_of_two_gibibytes_are_read_in_parts() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("huge");
    fs::copy(libc(), &path).unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    file.set_len(3 << 30).unwrap();
    let mut mapping = own("libc.so.6");
    mapping.start = 0;
    let build_id = Image::of(fs::read(libc()).unwrap()).unwrap().build_id();
    mapping.module = Arc::new(Module {
        path: path.to_str().unwrap().into(),
        build_id,
    });
    let mut images = images();
    let id = images.load(&mapping, &[]).unwrap();
    assert!(images.get(id).unwrap().bytes() < 4 << 20);
}

#[test]
fn the_number_of_images_is_bounded() {
    let mut images = images();
    images.limit = 3;
    let one = Image::of(fs::read(libc()).unwrap()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let mut mapping = own("libc.so.6");
    mapping.start = 0;
    let mut ids = Vec::new();
    for copy in 0..10 {
        let path = directory.path().join(copy.to_string());
        fs::copy(libc(), &path).unwrap();
        mapping.module = Arc::new(Module {
            path: path.to_str().unwrap().into(),
            build_id: one.build_id(),
        });
        ids.push(images.load(&mapping, &[]).unwrap());
        assert!(images.get(ids[0]).is_some(), "it is used all the time");
    }
    assert_eq!(images.evicted, 7);
    let left = ids.iter().filter(|id| images.get(**id).is_some());
    assert_eq!(left.count(), 3);
    // What the files say is in memory once.
    let bytes: usize = images.held.values().map(|held| held.image.bytes()).sum();
    assert!(bytes < 2 * one.bytes(), "{bytes} {}", one.bytes());
}
