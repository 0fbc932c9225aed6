//! Against others: the run time itself, which a program asks about all of its own code, and the
//! call-frame information that the linker writes where it is not told to strip.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{super::super::Image, *};

/// How programs are built.
const BUILDS: &[&[&str]] = &[
    &[],
    &["-ldflags=-s -w"],
    &["-ldflags=-s -w", "-trimpath"],
    &["-ldflags=-s -w", "-buildmode=pie"],
    &["-ldflags=-s -w -linkmode=external"],
    &["-ldflags=-s -w -linkmode=external", "-buildmode=pie"],
];

fn build(folder: &Path, flags: &[&str]) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = source.join("src/origin/image/golang/tests/names.go");
    let program = folder.join("names");
    let mut go = Command::new("go");
    go.arg("build")
        .args(flags)
        .arg("-o")
        .arg(&program)
        .arg(source);
    assert!(go.status().unwrap().success(), "{flags:?}");
    program
}

/// What the program says of each place, and what is said here.
fn compare(program: &Path) -> usize {
    let said = Command::new(program).output().unwrap();
    assert!(said.status.success());
    let table = GoProgram::read(File::open(program).unwrap()).unwrap();
    let mut compared = 0;
    for line in String::from_utf8(said.stdout).unwrap().lines() {
        let mut parts = line.split('\t');
        let address = u64::from_str_radix(parts.next().unwrap(), 16).unwrap();
        let theirs: Vec<_> = parts.collect();
        let names = table.names(address);
        let ours = names.iter().map(|name| {
            let (file, line) = name.place.clone().unwrap_or_else(|| ("?".to_owned(), 0));
            format!("{} {file}:{line}", name.function)
        });
        let ours: Vec<_> = ours.collect();
        assert!(
            is_same(&ours, &theirs),
            "{address:#x}: {ours:#?} {theirs:#?}"
        );
        compared += 1;
    }
    compared
}

/// The run time leaves out what the compiler made, and says nothing of what is no code of Go.
fn is_same(ours: &[String], theirs: &[&str]) -> bool {
    let mut rest = ours.iter();
    let all = theirs.iter().all(|wanted| rest.any(|name| name == wanted));
    // The name of the first function of all is one that it takes for none.
    let lacks = |name: &&str| name.ends_with(":0") || name.starts_with(' ');
    all || theirs.iter().any(lacks)
}

#[test]
#[ignore = "needs Go; builds six programs"]
fn the_run_time_says_the_same_of_all_code() {
    let folder = tempfile::tempdir().unwrap();
    for flags in BUILDS {
        let compared = compare(&build(folder.path(), flags));
        println!("{flags:?}: {compared} places");
        assert!(50_000 < compared);
    }
}

#[test]
#[ignore = "needs Go; builds a program"]
fn call_frame_information_says_the_same_of_all_code() {
    let folder = tempfile::tempdir().unwrap();
    let program = build(folder.path(), &["-ldflags=-compressdwarf=false"]);
    let image = Image::of(fs::read(program).unwrap()).unwrap();
    let text = image.golang.as_ref().unwrap().text;
    let (mut alike, mut tops, mut switches) = (0, 0, 0);
    for address in text..text + (1 << 20) {
        match (image.row(address), image.go_rule(address)) {
            (Some(theirs), Some(GoRule::Row(ours))) => {
                assert_eq!(theirs.frame, ours.frame, "{address:#x}");
                let returns = |row: &Row| row.saved[register::RETURN].clone();
                assert_eq!(returns(&theirs), returns(&ours), "{address:#x}");
                alike += 1;
            }
            (_, Some(GoRule::Outermost)) => tops += 1,
            (_, Some(GoRule::Switches)) => switches += 1,
            _ => {}
        }
    }
    println!("{alike} places alike, {tops} of outermost functions, {switches} of switches");
    assert!(100_000 < alike && 0 < tops && 0 < switches);
}
