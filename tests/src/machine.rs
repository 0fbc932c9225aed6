//! Whether this machine can run the kernel tests at all, so that none of them passes by comparing
//! nothing. Where it cannot, a test says so on screen and returns; in CI that is a failure.

use std::{
    env,
    path::PathBuf,
    process::Command,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use rustix::process::geteuid;

use crate::programs::{on_path, target_dir};

/// Held by a kernel test while it runs: the tests of one binary go one at a time.
pub type Alone = MutexGuard<'static, ()>;

/// The preamble of every kernel test: `None` means that the reason to skip it has been printed.
///
/// # Panics
///
/// Where this machine cannot run the kernel tests and the environment says `CI=true`.
pub fn ready() -> Option<Alone> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    match verdict() {
        Ok(()) => Some(ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)),
        Err(reason) => {
            skip(reason);
            None
        }
    }
}

/// Whether the program `name` is installed; says so where it is not, and panics in CI.
pub fn has(name: &str) -> bool {
    let found = on_path(name).is_some();
    if !found {
        skip(&format!("{name} is not installed"));
    }
    found
}

/// Can the kernel tests run here, and if not, why? Asked once.
pub fn verdict() -> Result<(), &'static str> {
    static VERDICT: OnceLock<Result<(), String>> = OnceLock::new();
    VERDICT
        .get_or_init(examine)
        .as_ref()
        .copied()
        .map_err(String::as_str)
}

/// The program under test.
///
/// # Panics
///
/// When it has not been built.
pub fn memguard() -> PathBuf {
    find_memguard().unwrap_or_else(|reason| panic!("{reason}"))
}

fn examine() -> Result<(), String> {
    let memguard = find_memguard()?;
    if !geteuid().is_root() {
        return Err("not root: the kernel tests attach BPF programs".to_owned());
    }
    let doctor = Command::new(&memguard)
        .args(["doctor", "--json"])
        .output()
        .map_err(|error| format!("cannot run {}: {error}", memguard.display()))?;
    if doctor.status.success() {
        return Ok(());
    }
    Err(format!(
        "memguard doctor --json ended with {}: {} {}",
        doctor.status,
        String::from_utf8_lossy(&doctor.stdout).trim(),
        String::from_utf8_lossy(&doctor.stderr).trim(),
    ))
}

fn find_memguard() -> Result<PathBuf, String> {
    if let Some(chosen) = env::var_os("MEMGUARD_BIN") {
        let chosen = PathBuf::from(chosen);
        let missing = || format!("MEMGUARD_BIN is {}, which is no file", chosen.display());
        return chosen.canonicalize().map_err(|_error| missing());
    }
    ["release", "debug"]
        .into_iter()
        .map(|profile| target_dir().join(profile).join("memguard"))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| "memguard is not built: cargo build --release -p memguard".to_owned())
}

fn skip(reason: &str) {
    assert!(!in_ci(), "this test may not be skipped in CI: {reason}");
    println!("SKIPPED: {reason}");
}

fn in_ci() -> bool {
    env::var_os("CI").is_some_and(|value| value == "true")
}
