//! Against others that unwind: libgcc in this process, framehop on every place of the files that
//! this process runs.

use std::{
    fs,
    hint::black_box,
    sync::atomic::{AtomicBool, Ordering},
};

use framehop::{
    ExplicitModuleSectionInfo, FrameAddress, Module, Unwinder as _,
    x86_64::{CacheX86_64, UnwindRegsX86_64, UnwinderX86_64},
};
use object::{Object as _, ObjectSection as _};

use super::super::{
    super::{
        image::{Cfa, Image, Row, Saved, register},
        testing::{backtrace, unwind, window},
    },
    registers::{self, FrameState, Registers},
};
use crate::{model::origin::Window, source::procfs::Procfs};

/// Our frames and libgcc's, from the same place. The first two are of the functions that look, and
/// of where those were called; libgcc tells a last one of zero.
#[inline(never)]
fn compare() {
    let mut theirs = backtrace();
    let (frames, incomplete) = unwind(&window(1 << 16));
    let ours: Vec<_> = frames.iter().map(|frame| frame.ip).collect();
    if theirs.last() == Some(&0) {
        theirs.pop();
    }
    assert_eq!(ours[2..], theirs[2..]);
    assert_eq!(incomplete, None, "{frames:#x?}");
}

#[inline(never)]
fn deeper(depth: usize) {
    match depth {
        0 => compare(),
        _ => deeper(depth - 1),
    }
    black_box(());
}

#[test]
fn this_thread_is_unwound_to_its_beginning() {
    deeper(5);
}

#[test]
fn what_a_signal_interrupted_is_found() {
    static DONE: AtomicBool = AtomicBool::new(false);
    extern "C" fn handler(_: i32) {
        compare();
        DONE.store(true, Ordering::Relaxed);
    }
    // SAFETY: nobody else here uses this signal; the handler is raised by this thread, which
    // holds no lock then.
    unsafe {
        libc::signal(libc::SIGUSR2, handler as *const () as usize);
    }
    // SAFETY: raises it in this thread.
    unsafe {
        libc::raise(libc::SIGUSR2);
    }
    assert!(DONE.load(Ordering::Relaxed));
}

/// Where it lies, and what points into it.
const MEMORY: u64 = 0x10_0000;
const SP: u64 = 0x10_2000;
const BP: u64 = 0x10_6000;

/// Memory whose words all differ.
fn synthetic() -> Window {
    let words = (0..1_u64 << 14).flat_map(|word| (0x5000_0000 + word * 8).to_le_bytes());
    Window {
        ip: 0x1234,
        sp: MEMORY,
        bp: 0,
        stack: words.collect(),
        cut: true,
        interrupted: false,
    }
}

/// Whether framehop knows what such a row says, without falling back to the frame pointer.
fn is_plain(row: &Row) -> bool {
    let returns = row.saved[register::RETURN] == Saved::At(-8);
    let frame = match row.frame {
        // Within the synthetic memory.
        Cfa::Register(7, offset) => offset % 8 == 0 && offset < 0x1_0000,
        Cfa::Register(6, _) => matches!(row.saved[register::BP], Saved::At(_)),
        _ => false,
    };
    let plain = |saved: &Saved| match saved {
        Saved::Unspecified | Saved::Same => true,
        Saved::At(offset) => offset % 8 == 0,
        _ => false,
    };
    returns && frame && plain(&row.saved[register::BP])
}

fn ours(row: &Row, window: &Window) -> (u64, u64, u64) {
    let registers = Registers::new(window.ip, SP, BP);
    let state = FrameState {
        registers: &registers,
        window,
    };
    let frame = state.frame(&row.frame).unwrap();
    let saved = |number| state.saved(&row.saved[number], number, frame).unwrap();
    (saved(register::RETURN), frame, saved(register::BP))
}

struct Theirs {
    unwinder: UnwinderX86_64<Vec<u8>>,
    cache: CacheX86_64,
}

impl Theirs {
    fn new(bytes: &[u8]) -> Self {
        let file = object::File::parse(bytes).unwrap();
        let section = |name| {
            let section = file.section_by_name(name)?;
            let range = section.address()..section.address() + section.size();
            Some((range, section.data().ok()?.to_vec()))
        };
        let (text_svma, text) = section(".text").unzip();
        let (eh_frame_svma, eh_frame) = section(".eh_frame").unzip();
        let (eh_frame_hdr_svma, eh_frame_hdr) = section(".eh_frame_hdr").unzip();
        let info = ExplicitModuleSectionInfo {
            text_svma,
            text,
            eh_frame_svma,
            eh_frame,
            eh_frame_hdr_svma,
            eh_frame_hdr,
            ..Default::default()
        };
        let mut unwinder = UnwinderX86_64::new();
        unwinder.add_module(Module::new("x".into(), 0..1 << 40, 0, info));
        Self {
            unwinder,
            cache: CacheX86_64::new(),
        }
    }

    fn step(&mut self, address: u64, window: &Window) -> Option<(u64, u64, u64)> {
        let mut registers = UnwindRegsX86_64::new(window.ip, SP, BP);
        let mut read = |address| registers::read(window, address).map_err(drop);
        let place = FrameAddress::from_return_address(address + 1).unwrap();
        let cache = &mut self.cache;
        let found = self
            .unwinder
            .unwind_frame(place, &mut registers, cache, &mut read);
        let address = found.ok()??;
        Some((address, registers.sp(), registers.bp()))
    }
}

/// Every place at which something may change: all code, byte by byte, would take minutes.
fn places(image: &Image, text: std::ops::Range<u64>) -> Vec<u64> {
    let mut places = Vec::new();
    let mut address = text.start;
    while address < text.end {
        let Some(function) = image.function(address) else {
            address += 1;
            continue;
        };
        let length = function.end - function.start;
        let step = (length / 4).max(1) as usize;
        places.extend(function.clone().step_by(step));
        address = function.end;
    }
    places
}

#[test]
fn framehop_says_the_same_of_every_file_that_is_run_here() {
    let window = synthetic();
    let mappings = Procfs::new("/proc").mappings(std::process::id()).unwrap();
    let (mut compared, mut beyond) = (0, 0);
    for mapping in mappings.iter().filter(|mapping| mapping.inode != 0) {
        let path = &*mapping.module.path;
        let bytes = fs::read(path).unwrap();
        let image = Image::of(bytes.clone()).unwrap();
        let file = object::File::parse(&*bytes).unwrap();
        let text = file.section_by_name(".text").unwrap();
        let mut theirs = Theirs::new(&bytes);
        for address in places(&image, text.address()..text.address() + text.size()) {
            match image.row(address) {
                Some(row) if is_plain(&row) => {
                    let theirs = theirs.step(address, &window);
                    let ours = ours(&row, &window);
                    assert_eq!(theirs, Some(ours), "{path} {address:#x} {row:?}");
                    compared += 1;
                }
                _ => beyond += 1,
            }
        }
    }
    println!("{compared} places alike, {beyond} that framehop cannot say");
    assert!(
        50_000 < compared && beyond < compared / 100,
        "{compared} {beyond}"
    );
}
