//! What the kernel tests stand on: that they can run here, and that the leaking programs do what
//! their headers say even where nothing traces them.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::{fs, path::Path, time::Duration};

use memguard_tests::{Memguard, machine, program, programs::sources};

const PATIENCE: Duration = Duration::from_secs(20);

/// Says whether this machine can run the kernel tests. Where it cannot, the tests after this one
/// print the same reason and compare nothing; in CI this is a failure.
#[test]
fn this_machine_can_run_the_kernel_tests() {
    let able = machine::ready().is_some();
    println!("kernel tests run here: {able}");
}

/// Every C source compiles, and without a warning from this compiler's usual set.
#[test]
fn every_program_compiles() {
    let mut compiled = 0;
    for entry in fs::read_dir(sources()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "c") {
            program(path.file_stem().unwrap().to_str().unwrap());
            compiled += 1;
        }
    }
    println!("{compiled} programs compiled");
    assert!(compiled >= 10, "only {compiled} programs found");
}

/// The exit codes that later tests compare with are those of the bare programs.
#[test]
fn bare_programs_end_as_documented() {
    let check = |name: &str, arguments: &[&str], code: i32| {
        let ran = Memguard::program(Path::new(&program(name)), arguments).finish_within(PATIENCE);
        assert_eq!(ran.code, code, "{name} {arguments:?}: {}", ran.stderr);
    };
    check("leak_fds_sockets", &[], 0);
    check("leak_fds_sockets", &["5"], 5);
    check("balanced", &["2000", "100"], 0);
    check("spin_exit", &["20", "5"], 0);
    check("short_children", &["20", "exec"], 0);
    check("die_by_signal", &["9"], 137);
    check("die_by_signal", &["11"], 139);
    check("exit_group_thread", &["7"], 7);
    check("tree", &["before"], 0);
    check("flood", &["1000", "2", "close"], 0);
    check("churn_threads", &["0.1"], 0);
    check("double_close", &["1000"], 0);
}
