//! A little program, made by hand, with the table as each version of Go writes it.

use super::*;

/// Where its parts are: in the file, and in memory.
pub(super) const TABLE: u64 = 0x400;
pub(super) const CODE: u64 = 0x1000;
pub(super) const GOEXIT: u64 = 0x1040;
pub(super) const SYSTEMSTACK: u64 = 0x1060;
pub(super) const END: u64 = 0x1080;
const INLINED: u64 = 0x1800;
pub(super) const MODULE: u64 = 0x2000;
const SIZE: usize = 0x2400;

const NAMES: &[u8] =
    b"main.main\0runtime.goexit\0runtime.systemstack\0main.inlined[go.shape.int]\0";
const FILES: &[u8] = b"/a/b.go\0/a/c.go\0";
const UNITS: [u32; 2] = [0, 8];

/// The table of tables: each begins where the last one ends, the first byte is of none.
const DEPTHS: &[u8] = &[2, 4, 48, 0x3c, 0];
const FILE_NUMBERS: &[u8] = &[2, 0x10, 2, 0x10, 1, 0x20, 0];
const LINES: &[u8] = &[16, 0x10, 46, 0x10, 43, 0x20, 0];
const INDEXES: &[u8] = &[0, 0x10, 2, 0x10, 1, 0x20, 0];
const FLAT: &[u8] = &[2, 0x20, 0];

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn longs(longs: &[u64]) -> Vec<u8> {
    longs.iter().flat_map(|long| long.to_le_bytes()).collect()
}

/// What is told of a function: where it begins, its name, flags and tables.
fn function(version: Version, (start, name, flags): (u64, u32, u8), tables: [u32; 4]) -> Vec<u8> {
    let [depths, files, lines, inlined] = tables;
    let mut bytes = match version {
        Version::Go116 => longs(&[start]),
        _ => words(&[(start - CODE) as u32]),
    };
    bytes.extend(words(&[name, 0, 0, depths, files, lines, 3, 0]));
    if version == Version::Go120 {
        bytes.extend(words(&[1]));
    }
    bytes.extend([0, flags, 0, 4]);
    bytes.extend(words(&[0, 0, inlined]));
    let datum = if inlined == 0 { u32::MAX } else { 8 };
    match version {
        Version::Go116 => {
            let datum = if inlined == 0 { 0 } else { INLINED + 8 };
            bytes.extend(longs(&[0, 0, 0, datum]));
        }
        _ => bytes.extend(words(&[u32::MAX, u32::MAX, u32::MAX, datum])),
    }
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

/// The list of functions, and what is told of them. For Go 1.16 the data behind a function begin
/// at a multiple of eight.
fn functions(version: Version) -> Vec<u8> {
    let told = [
        function(version, (CODE, 0, 0), [1, 6, 13, 20]),
        function(version, (GOEXIT, 10, TOP), [27, 0, 0, 0]),
        function(version, (SYSTEMSTACK, 25, SWITCH), [27, 0, 0, 0]),
    ];
    let entry = version.entry();
    let mut place = (3 * entry + entry / 2).next_multiple_of(8);
    let mut list = Vec::new();
    for (start, told) in [CODE, GOEXIT, SYSTEMSTACK].into_iter().zip(&told) {
        list.extend(match version {
            Version::Go116 => longs(&[start, place]),
            _ => words(&[(start - CODE) as u32, place as u32]),
        });
        place += told.len() as u64;
    }
    list.extend(match version {
        Version::Go116 => longs(&[END]),
        _ => words(&[(END - CODE) as u32]),
    });
    list.resize(list.len().next_multiple_of(8), 0);
    [list, told.concat()].concat()
}

const TOP: u8 = 1;
const SWITCH: u8 = 2;

/// The table, with the address of the code in its header or not.
fn table(version: Version, text: u64) -> Vec<u8> {
    let steps = [&[0], DEPTHS, FILE_NUMBERS, LINES, INDEXES, FLAT].concat();
    let parts = [
        NAMES.to_vec(),
        words(&UNITS),
        FILES.to_vec(),
        steps,
        functions(version),
    ];
    let magic = match version {
        Version::Go116 => 0xfa,
        Version::Go118 => 0xf0,
        Version::Go120 => 0xf1,
    };
    let mut header = vec![magic, 0xff, 0xff, 0xff, 0, 0, 1, 8];
    header.extend(longs(&[3, 2]));
    if version != Version::Go116 {
        header.extend(longs(&[text]));
    }
    let (mut bytes, mut offsets) = (Vec::new(), Vec::new());
    let begin = header.len() + 40;
    for part in parts {
        offsets.push((begin + bytes.len()) as u64);
        bytes.extend(part);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
    }
    [header, longs(&offsets), bytes].concat()
}

/// The file: no sections, one segment with code and one with data.
pub(super) fn program(version: Version, text: u64) -> Vec<u8> {
    let mut file = vec![0; SIZE];
    let mut put = |at: u64, bytes: &[u8]| {
        let at = at as usize;
        file[at..at + bytes.len()].copy_from_slice(bytes);
    };
    put(0, b"\x7fELF\x02\x01\x01");
    put(16, &[3, 0, 62, 0]);
    put(32, &longs(&[64]));
    put(54, &[56, 0, 2, 0, 64, 0]);
    let segment = |flags, start, end| {
        let places = longs(&[start, start, start, end - start, end - start, 0x1000]);
        [words(&[1, flags]), places].concat()
    };
    put(64, &segment(5, 0, MODULE));
    put(120, &segment(6, MODULE, SIZE as u64));
    put(TABLE, &table(version, text));
    put(
        INLINED + 8,
        &match version {
            Version::Go120 => words(&[0, 45, 8, 1]),
            _ => words(&[0xffff, 0, 7, 45, 8]),
        },
    );
    let mut module = vec![0; 48];
    (module[0], module[20], module[21], module[22]) = (TABLE, CODE, END, CODE);
    module[if version == Version::Go120 { 40 } else { 38 }] = INLINED;
    put(MODULE, &longs(&module));
    file
}
