//! Code without unwind information: a little program, and windows made for it.

use std::{io::Write as _, os::unix::fs::MetadataExt as _, sync::Arc};

use tempfile::NamedTempFile;

use super::{unwinder, *};
use crate::model::origin::{Mapping, Module};

/// Where it is mapped, and where its stack is.
const CODE: u64 = 0x7000_0000_0000;
const STACK: u64 = 0x7fff_0000_0000;

/// Places in it.
const STUB: u64 = 0x1000;
const CALLS_STUB: u64 = 0x1010;
const BODY: u64 = 0x1020;
const CALLS_BODY: u64 = 0x1030;
const CALLS_COVERED: u64 = 0x1040;
const CALLS_REGISTER: u64 = 0x1050;
const COVERED: u64 = 0x1060;
const SIGRETURN: u64 = 0x1070;
const CALLS_JUMP: u64 = 0x1080;
const JUMP: u64 = 0x1090;
const CALLS_LINKAGE: u64 = 0x10a0;
const LINKAGE: u64 = 0x10b0;

fn call(from: u64, to: u64) -> Vec<u8> {
    let distance = to.wrapping_sub(from + 5) as u32;
    [&[0xe8][..], &distance.to_le_bytes()].concat()
}

fn program() -> Vec<u8> {
    let mut file = vec![0; 0x2000];
    let mut put = |at: u64, bytes: &[u8]| {
        file[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
    };
    let half = u16::to_le_bytes;
    let word = u32::to_le_bytes;
    let long = u64::to_le_bytes;
    // Header: 64-bit, x86-64, one segment at 64, three sections at 0x1800, names in the second.
    put(0, b"\x7fELF\x02\x01\x01");
    put(16, &[half(3), half(62)].concat());
    put(32, &[long(64), long(0x1800)].concat());
    put(
        52,
        &[half(64), half(56), half(1), half(64), half(3), half(2)].concat(),
    );
    put(64, &[word(1), word(5)].concat());
    put(96, &[long(0x2000), long(0x2000)].concat());
    let section = |name: u32, address: u64, length: u64| {
        let fields = [
            long(0),
            long(address),
            long(address),
            long(length),
            long(0),
            long(1),
            long(0),
        ];
        [&word(name)[..], &word(1), &fields.concat()].concat()
    };
    put(0x1840, &section(1, 0x1a00, 52));
    put(0x1880, &section(11, 0x1900, 32));
    put(0x1900, b"\0.eh_frame\0.shstrtab\0");
    // What is common, and one function.
    let common = [0, 0, 0, 0, 1, 0, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1, 0, 0];
    put(0x1a00, &[&word(16)[..], &common].concat());
    let function = [&word(20)[..], &word(24), &long(COVERED), &long(16)].concat();
    put(0x1a14, &function);
    for (place, code) in [
        (STUB, &[0x0f, 0x05, 0xc3][..]),
        (CALLS_STUB, &call(CALLS_STUB, STUB)),
        (BODY, &[0x0f, 0x05, 0xc3]),
        (CALLS_BODY, &call(CALLS_BODY, BODY)),
        (CALLS_COVERED, &call(CALLS_COVERED, COVERED)),
        (CALLS_REGISTER, &[0xff, 0xd0]),
        (COVERED, &[0x0f, 0x05, 0xc3, 0xc3]),
        (SIGRETURN, &[0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05]),
        (CALLS_JUMP, &call(CALLS_JUMP, JUMP)),
        (JUMP, &[0xeb, 0x8e]), // to the body
        (CALLS_LINKAGE, &call(CALLS_LINKAGE, LINKAGE)),
        (LINKAGE, &[0xff, 0x25, 0, 0, 0, 0]),
    ] {
        put(place, code);
    }
    file
}

/// Offsets of the frames that a window of the program has, entered behind the system call at
/// `entered`, and why they end.
fn unwind(entered: u64, bp: u64, words: &[u64]) -> (Vec<(u64, bool)>, Option<Incomplete>) {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(&program()).unwrap();
    let metadata = file.as_file().metadata().unwrap();
    let path = file.path().to_str().unwrap().into();
    let mapping = Mapping {
        start: CODE,
        end: CODE + 0x2000,
        file_offset: 0,
        module: Arc::new(Module {
            path,
            build_id: None,
        }),
        device: metadata.dev(),
        inode: metadata.ino(),
    };
    let window = Window {
        ip: CODE + entered + 2,
        sp: STACK,
        bp,
        stack: words.iter().flat_map(|word| word.to_le_bytes()).collect(),
        cut: false,
        interrupted: false,
    };
    let layout = Layout::of(vec![mapping]);
    let unwound = unwinder().unwind(&window, &layout, &[]);
    let frames = unwound.frames.iter();
    let frames = frames.map(|frame| (frame.offset, frame.is_return));
    (frames.collect(), unwound.incomplete)
}

/// Where a call of this many bytes returns to, in the process.
fn behind(call: u64, length: u64) -> u64 {
    CODE + call + length
}

const NONE: Option<Incomplete> = Some(Incomplete::NoUnwindInformation);

#[test]
fn a_stub_returns_to_what_lies_on_top_of_the_stack() {
    let (frames, incomplete) = unwind(STUB, 7, &[behind(CALLS_STUB, 5), 0, 0]);
    assert_eq!(frames, [(STUB + 2, true), (CALLS_STUB + 5, true)]);
    assert_eq!(incomplete, NONE);
    // Also where it is called by another name, but not where it is not called.
    let (frames, _) = unwind(BODY, 7, &[behind(CALLS_JUMP, 5), 0, 0]);
    assert_eq!(frames, [(BODY + 2, true), (CALLS_JUMP + 5, true)]);
    for other in [
        behind(CALLS_BODY, 5),
        behind(CALLS_REGISTER, 2),
        CODE + STUB,
    ] {
        let (frames, incomplete) = unwind(STUB, 7, &[other, 0, 0]);
        assert_eq!((&*frames, incomplete), (&[(STUB + 2, true)][..], NONE));
    }
}

/// One frame pointer, at the second word, and what it leads to.
#[test]
fn a_frame_pointer_counts_where_the_call_fits() {
    for (address, fits) in [
        (behind(CALLS_BODY, 5), true),
        (behind(CALLS_STUB, 5), true), // what begins before it may be the same function
        (behind(CALLS_REGISTER, 2), true),
        (behind(CALLS_LINKAGE, 5), true),
        (behind(CALLS_JUMP, 5), true),
        (behind(CALLS_COVERED, 5), false), // it calls another function
        (behind(CALLS_BODY, 4), false),
        (CODE + BODY, false),
        (0, false),
        (7, false),
    ] {
        let words = [1, STACK + 32, address, 1, 1, 1];
        let (frames, incomplete) = unwind(BODY, STACK + 8, &words);
        let expected = if fits { 2 } else { 1 };
        assert_eq!(
            frames.len(),
            expected,
            "{:#x} {frames:#x?}",
            address.wrapping_sub(CODE)
        );
        assert_eq!(incomplete, NONE);
    }
}

#[test]
fn frame_pointers_lead_upwards() {
    for (bp, expected) in [
        (0, NONE),
        (1, NONE),
        (STACK - 8, NONE),
        (STACK + 4, NONE),
        (STACK + 40, Some(Incomplete::WindowEnded)),
        (STACK + (1 << 30), NONE),
        (!7, NONE),
    ] {
        let words = [
            1,
            1,
            behind(CALLS_REGISTER, 2),
            1,
            1,
            behind(CALLS_REGISTER, 2),
        ];
        let (frames, incomplete) = unwind(BODY, bp, &words);
        assert_eq!((frames.len(), incomplete), (1, expected), "{bp:#x}");
    }
}

/// A zero ends the chain, unless it is the first that is seen: then it may be anything.
#[test]
fn a_chain_of_frame_pointers_ends_with_a_zero() {
    let called = behind(CALLS_REGISTER, 2);
    let words = [STACK + 16, called, STACK + 32, called, 0, called, 9, 9];
    let (frames, incomplete) = unwind(BODY, STACK, &words);
    assert_eq!((frames.len(), incomplete), (4, None));
    // As Go has it: the last return address is not behind a call.
    let words = [STACK + 16, called, 0, CODE + BODY, 9, 9];
    let (frames, incomplete) = unwind(BODY, STACK, &words);
    assert_eq!((frames.len(), incomplete), (2, None));
    let (frames, incomplete) = unwind(BODY, STACK, &[0, CODE + BODY, 9]);
    assert_eq!((frames.len(), incomplete), (1, NONE));
}

/// The trampoline has no unwind information, as in musl; what was interrupted stands where it
/// stood.
#[test]
fn a_signal_handler_returns_to_what_it_interrupted() {
    // The stack from the handler's return address on: what the kernel saved, and what was
    // interrupted.
    let from_handler = |at: u64| {
        let mut words = vec![0; 24];
        let interrupted = STACK + (at + 23) * 8;
        words[0] = CODE + SIGRETURN;
        words[1 + 5 + 15] = interrupted;
        words[1 + 5 + 16] = CODE + COVERED + 3;
        words[23] = behind(CALLS_COVERED, 5);
        words
    };
    let expected = [
        (SIGRETURN, false),
        (COVERED + 3, false),
        (CALLS_COVERED + 5, true),
    ];
    // A handler with unwind information, and one with a frame pointer.
    let (frames, incomplete) = unwind(COVERED, 7, &from_handler(0));
    assert_eq!(frames[1..], expected, "{frames:x?}");
    assert_eq!(incomplete, NONE);
    let words = [&[9][..], &from_handler(1)].concat();
    let (frames, incomplete) = unwind(BODY, STACK, &words);
    assert_eq!(frames[1..], expected, "{frames:x?}");
    assert_eq!(incomplete, NONE);
}
