//! The leaking programs: C and C++ sources in `tests/programs`, compiled when a test first asks for
//! them.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, OnceLock, PoisonError},
};

/// Where the sources are.
pub fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("programs")
}

/// Cargo's target directory: a test binary lies in `target/PROFILE/deps`.
pub fn target_dir() -> PathBuf {
    let binary = env::current_exe().unwrap_or_else(|error| panic!("who am I? {error}"));
    let target = binary.ancestors().nth(3);
    target
        .unwrap_or_else(|| panic!("{} is not in a target directory", binary.display()))
        .into()
}

/// The path of the compiled `tests/programs/NAME.c`, or `NAME.cc`, as text for a command line.
///
/// # Panics
///
/// When there is no C compiler or it does not take the source.
pub fn program(name: &str) -> String {
    static COMPILED: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());
    let known = || COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(path) = known().get(name) {
        return path.clone();
    }
    // Not under the lock: several may be compiled at a time.
    let path = compile(name);
    known().insert(name.to_owned(), path.clone());
    path
}

fn compile(name: &str) -> String {
    let in_c = sources().join(format!("{name}.c"));
    let (compiler, source) = if in_c.is_file() {
        (compiler(), in_c)
    } else {
        ("c++", sources().join(format!("{name}.cc")))
    };
    let folder = target_dir().join("memguard-test-programs");
    fs::create_dir_all(&folder)
        .unwrap_or_else(|error| panic!("cannot make {}: {error}", folder.display()));
    let finished = folder.join(name);
    if is_fresh(&finished) {
        return finished.display().to_string();
    }
    let thread = std::thread::current().id();
    let fresh = folder.join(format!("{name}.{}.{thread:?}", std::process::id()));
    let made = Command::new(compiler)
        .args(["-O2", "-g", "-Wall", "-Wextra", "-pthread", "-o"])
        .arg(&fresh)
        .arg(&source)
        .arg("-lm")
        .output()
        .unwrap_or_else(|error| panic!("cannot run {compiler}: {error}"));
    let complaint = String::from_utf8_lossy(&made.stderr);
    assert!(
        made.status.success(),
        "cannot compile {}:\n{complaint}",
        source.display()
    );
    // A rename replaces a file that another test binary may be executing.
    fs::rename(&fresh, &finished)
        .unwrap_or_else(|error| panic!("cannot make {}: {error}", finished.display()));
    finished.display().to_string()
}

/// Made after the last change of any source, headers included.
fn is_fresh(program: &Path) -> bool {
    let changed = |path: &Path| path.metadata().and_then(|data| data.modified()).ok();
    let sources = fs::read_dir(sources()).into_iter().flatten().flatten();
    let newest = sources.filter_map(|source| changed(&source.path())).max();
    changed(program) > newest
}

fn compiler() -> &'static str {
    static COMPILER: OnceLock<&str> = OnceLock::new();
    COMPILER.get_or_init(|| {
        ["cc", "gcc", "clang"].into_iter().find(|name| on_path(name).is_some()).unwrap_or_else(|| {
            panic!("no C compiler (cc, gcc or clang) on PATH: the tests compile their leaking programs; install gcc")
        })
    })
}

/// The first executable `name` on `PATH`, or where Debian has what belongs to one version of
/// postgres.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let versions = versions.filter_map(|version| Some(version.ok()?.path().join("bin")));
    env::split_paths(&path)
        .chain(versions)
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
}
