//! Sections with call-frame information as they should not be.

use proptest::prelude::*;

use super::{
    super::{
        cfi::{Format, FrameSection},
        index::{FrameIndex, Header},
    },
    *,
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Unwind information that is nothing but noise.
    #[test]
    fn sections_of_noise(noise in prop::collection::vec(any::<u8>(), 0..512), debug: bool) {
        let format = if debug { Format::DebugFrame } else { Format::EhFrame };
        let section = FrameSection {
            format,
            address: 0x1000,
            bytes: noise.clone().into(),
        };
        for offset in 0..noise.len() {
            if let Some(entry) = section.entry(offset) {
                section.row(&entry, entry.initial_address());
            }
        }
        let header = Header::new(0x1000, noise.into());
        let index = FrameIndex::new(section, Some(header));
        for address in 0..0x2000 {
            index.row(address);
        }
    }

    /// Entries that are nearly right: instructions of any kind.
    #[test]
    fn instructions_of_noise(code in prop::collection::vec(any::<u8>(), 0..64), at in 0_u64..4096) {
        for format in [Format::EhFrame, Format::DebugFrame] {
            let index = FrameIndex::new(entries(format, b"", &code), None);
            prop_assert_eq!(index.function(at), Some(0..4096));
            let row = index.row(at);
            if code.is_empty() {
                prop_assert_eq!(row.unwrap().frame, Cfa::Register(7, 8));
            }
        }
    }
}

/// What functions share, with more letters for what follows, and a function from 0 to 4096 with
/// these instructions.
fn entries(format: Format, letters: &[u8], code: &[u8]) -> FrameSection {
    let common = [
        &[1, b'z'],
        letters,
        &[0, 1, 0x78, 16, 0, 0x0c, 7, 8, 0x90, 1],
    ]
    .concat();
    let (id, back) = match format {
        Format::EhFrame => (0, common.len() as u32 + 12),
        Format::DebugFrame => (u32::MAX, 0),
    };
    let mut bytes = Vec::new();
    bytes.extend((common.len() as u32 + 4).to_le_bytes());
    bytes.extend(id.to_le_bytes());
    bytes.extend(common);
    bytes.extend((code.len() as u32 + 21).to_le_bytes());
    bytes.extend(back.to_le_bytes());
    bytes.extend(0_u64.to_le_bytes());
    bytes.extend(4096_u64.to_le_bytes());
    bytes.push(0);
    bytes.extend(code);
    FrameSection {
        format,
        address: 0,
        bytes: bytes.into(),
    }
}

const NOP: u8 = 0;
const REMEMBER: u8 = 0x0a;

/// What would take long to read, or much memory to keep, is not believed.
#[test]
fn entries_have_bounds() {
    let expression = |length: u8| {
        let code = vec![0x30; length.into()]; // 0, again and again
        [&[0x0f, length | 0x80, 1][..], &code, &[NOP; 128]].concat()
    };
    for (letters, code, fits) in [
        (&[][..], vec![NOP; 21_000], true),
        (&[], vec![NOP; 64 * 1024], false),
        (&[b'S'; 900], vec![NOP], true),
        (&[b'S'; 1024], vec![NOP], false),
        (&[], vec![REMEMBER; 16], true),
        (&[], vec![REMEMBER; 18], false),
        (&[], expression(127), true),
        (&[], [&[0x0f, 0x81, 2][..], &[0x30; 257]].concat(), false),
        (
            &[],
            (0..39)
                .flat_map(|register| [0x05, 17 + register, 1])
                .collect(),
            true,
        ),
        (
            &[],
            (0..40)
                .flat_map(|register| [0x05, 17 + register, 1])
                .collect(),
            false,
        ),
    ] {
        for format in [Format::EhFrame, Format::DebugFrame] {
            let index = FrameIndex::new(entries(format, letters, &code), None);
            let row = index.row(0);
            assert_eq!(row.is_some(), fits, "{} {}", letters.len(), code.len());
        }
    }
}

/// A table that says more than there is, which is then not used.
#[test]
fn a_table_counts_what_it_has() {
    let function = Some(0..4096);
    // Version 1; the section by an address, the count by 8 bytes, and pairs relative to the header.
    let header = |count: u64| {
        let mut bytes = vec![1, 0x00, 0x04, 0x3b];
        bytes.extend(0_u64.to_le_bytes());
        bytes.extend(count.to_le_bytes());
        bytes.extend([0, 0, 0, 0, 20, 0, 0, 0]); // the function, and its entry
        Header::new(0, bytes.into())
    };
    for count in [0, 1, 2, 3, 1 << 40, u64::MAX / 8, u64::MAX] {
        let section = entries(Format::EhFrame, b"", &[]);
        let index = FrameIndex::new(section, Some(header(count)));
        assert_eq!(index.function(17), function, "{count}");
        assert_eq!(index.is_linked(), count == 1, "{count}");
    }
}

/// A common information entry as gcc writes it (`zR`, pc-relative, four bytes), a function of 0x20
/// bytes at 0x1000, and the end.
fn section() -> FrameSection {
    let (address, common) = (0x4000, 0x14);
    let mut bytes = vec![0x10, 0, 0, 0];
    bytes.extend([0, 0, 0, 0, 1, b'z', b'R', 0, 1, 0x78, 16, 1, 0x1b, 0, 0, 0]);
    bytes.extend([0x0d, 0, 0, 0]);
    bytes.extend([common + 4, 0, 0, 0]);
    let place = address as i32 + bytes.len() as i32;
    bytes.extend((0x1000 - place).to_le_bytes());
    bytes.extend(0x20_u32.to_le_bytes());
    bytes.extend([0, 0, 0, 0, 0]);
    FrameSection {
        format: Format::EhFrame,
        address,
        bytes: bytes.into(),
    }
}

#[test]
fn a_function_covers_what_lies_in_it() {
    let index = FrameIndex::new(section(), None);
    for (start, address, expected) in [
        (0x1000, 0x1000, true),
        (0x1000, 0x101f, true),
        (0x1000, 0x1020, false),
        (0x1000, 0x0fff, false),
        // A label in the middle is no function.
        (0x1008, 0x1008, false),
    ] {
        assert_eq!(index.covers(start, address), expected, "{address:#x}");
    }
}

proptest! {
    #[test]
    fn damaged_sections_come_to_an_end(at in 0_usize..45, byte in any::<u8>()) {
        let mut section = section();
        let mut bytes = section.bytes.to_vec();
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
        section.bytes = bytes.into();
        FrameIndex::new(section, None).covers(0x1000, 0x1000);
    }
}
