//! Tables of Go as they are and as they should not be.

mod oracle;
mod program;

use proptest::prelude::*;

use self::program::{CODE, END, GOEXIT, MODULE, SYSTEMSTACK, TABLE, program};
use super::{header::Version, *};

const VERSIONS: [Version; 3] = [Version::Go116, Version::Go118, Version::Go120];

fn read(bytes: Vec<u8>) -> Option<GoProgram> {
    GoProgram::of(Elf::parse(elf::Bytes::Memory(bytes.into())).ok()?)
}

fn shown(program: &GoProgram, address: u64) -> Vec<String> {
    let shown = |name: GoName| match name.place {
        Some((file, line)) => format!("{} {file}:{line}", name.function),
        None => name.function,
    };
    program.names(address).into_iter().map(shown).collect()
}

/// Whether the header says where the code begins, or only the run time's data do.
#[test]
fn functions_have_names_files_and_lines() {
    for (version, text) in VERSIONS
        .iter()
        .flat_map(|version| [(version, CODE), (version, 0)])
    {
        let program = read(program(*version, text)).unwrap();
        let check = |address: u64, expected: &[&str]| {
            assert_eq!(
                shown(&program, address),
                expected,
                "{version:?} {address:#x}"
            );
        };
        check(CODE - 1, &[]);
        check(CODE, &["main.main /a/b.go:7"]);
        check(CODE + 0xf, &["main.main /a/b.go:7"]);
        let inlined = ["main.inlined[...] /a/c.go:30", "main.main /a/b.go:7"];
        check(CODE + 0x10, &inlined);
        check(CODE + 0x1f, &inlined);
        check(CODE + 0x20, &["main.main /a/b.go:8"]);
        check(GOEXIT, &["runtime.goexit"]);
        check(END - 1, &["runtime.systemstack"]);
        check(END, &[]);
        check(u64::MAX, &[]);
    }
}

/// Where it is not known what was inlined, no line is told that would be of another function.
#[test]
fn without_the_run_times_data_no_line_is_wrong() {
    for version in [Version::Go118, Version::Go120] {
        let mut bytes = program(version, CODE);
        bytes[MODULE as usize] = 1;
        let program = read(bytes).unwrap();
        assert_eq!(shown(&program, CODE), ["main.main /a/b.go:7"]);
        assert_eq!(shown(&program, CODE + 0x10), ["main.main"]);
        assert_eq!(shown(&program, CODE + 0x20), ["main.main /a/b.go:8"]);
    }
}

#[test]
fn without_the_beginning_of_the_code_there_is_no_table() {
    for version in [Version::Go118, Version::Go120] {
        let mut bytes = program(version, 0);
        bytes[MODULE as usize] = 1;
        assert!(read(bytes).is_none(), "{version:?}");
    }
}

#[test]
fn frames_are_as_deep_as_their_functions_say() {
    for version in VERSIONS {
        let program = read(program(version, CODE)).unwrap();
        let rule = |address| program.table.rule(&program.elf, address);
        let frame = |address| match rule(address) {
            Some(GoRule::Row(row)) => (row.frame, row.saved[register::BP].clone()),
            other => panic!("{version:?} {address:#x}: {other:?}"),
        };
        assert_eq!(frame(CODE), (Cfa::Register(7, 8), Saved::Same));
        assert_eq!(frame(CODE + 4), (Cfa::Register(7, 32), Saved::At(-16)));
        assert_eq!(rule(GOEXIT), Some(GoRule::Outermost));
        assert_eq!(rule(SYSTEMSTACK), Some(GoRule::Switches));
        assert_eq!(rule(END), None);
        let bounds = program.table.bounds(&program.elf, GOEXIT + 3);
        assert_eq!(bounds, Some(GOEXIT..SYSTEMSTACK));
    }
}

#[test]
fn depths_that_cannot_be_are_none() {
    assert!(row(0, false).is_some() && row(24, true).is_some());
    for depth in [-8, 4, FRAME, i32::MIN, i32::MAX] {
        assert_eq!(row(depth, false), None);
    }
}

#[test]
fn files_that_end_anywhere() {
    for version in VERSIONS {
        let whole = program(version, 0);
        for length in 0..whole.len() {
            ask(whole[..length].to_vec());
        }
    }
}

/// Asks everything that is asked of a program.
fn ask(bytes: Vec<u8>) {
    let Some(program) = read(bytes) else {
        return;
    };
    let places = (CODE - 8..END + 8).step_by(4);
    for address in places.chain([0, u64::MAX, 1 << 47]) {
        assert!(program.names(address).len() <= DEPTH + 1);
        program.table.rule(&program.elf, address);
        program.table.bounds(&program.elf, address);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    /// Any bytes of the table or of the run time's data turned into others.
    #[test]
    fn files_with_wrong_bytes(
        version in 0..3_usize,
        text: bool,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..24),
    ) {
        let text = if text { CODE } else { 0 };
        let mut bytes = program(VERSIONS[version], text);
        for (index, byte) in changes {
            let table = TABLE as usize..TABLE as usize + 0x300;
            let module = MODULE as usize..MODULE as usize + 384;
            let places: Vec<_> = table.chain(module).chain(0..176).chain(0x1800..0x1820).collect();
            bytes[places[index.index(places.len())]] = byte;
        }
        ask(bytes);
    }
}
