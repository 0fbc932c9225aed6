//! Functions of the C and C++ libraries that return something, and those that take it back.

use crate::model::finding::Finding;

const INVERSES: &[(&str, &str)] = &[
    ("fopen", "fclose"),
    ("fdopen", "fclose"),
    ("tmpfile", "fclose"),
    ("popen", "pclose"),
    ("opendir", "closedir"),
    ("fdopendir", "closedir"),
    ("dlopen", "dlclose"),
    ("malloc", "free"),
    ("calloc", "free"),
    ("realloc", "free"),
    ("aligned_alloc", "free"),
    ("posix_memalign", "free"),
    ("memalign", "free"),
    ("strdup", "free"),
    ("asprintf", "free"),
    ("operator new", "delete"),
    ("operator new[]", "delete[]"),
];

/// What C libraries call what makes the call `openat`.
const OPENERS: [&str; 3] = ["open", "openat", "creat"];

/// The outermost function of a library that has such an inverse, and the inverse.
pub(super) fn inverse(finding: &Finding) -> Option<(&'static str, &'static str)> {
    let found = |name: &str| INVERSES.iter().find(|(known, _)| *known == name);
    let known = functions(finding).filter_map(|function| found(bare(function)?));
    known.last().copied()
}

/// The function by which the source asked for the call `openat`.
pub(super) fn opener(finding: &Finding) -> Option<&'static str> {
    let found = |name: &str| OPENERS.into_iter().find(|known| *known == name);
    let known = functions(finding).filter_map(|function| found(bare(function)?));
    known.last()
}

/// Functions of libraries below the program's own code, the innermost first.
fn functions(finding: &Finding) -> impl Iterator<Item = &str> {
    let origin = finding.origin.as_ref();
    let frames = origin.into_iter().flat_map(|it| &it.stack.frames);
    let libraries = frames.take_while(|frame| !frame.application);
    libraries.filter_map(|frame| frame.function.as_deref())
}

/// `_IO_new_fopen64` is `fopen`, `__libc_malloc` is `malloc`, `__open64_nocancel` is `open`.
fn bare(function: &str) -> Option<&str> {
    let name = function.split(['(', '@']).next()?;
    let name = ["_IO_new_", "_IO_", "__libc_", "__"]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .unwrap_or(name);
    let name = name.strip_suffix("_nocancel").unwrap_or(name);
    Some(name.strip_suffix("64").unwrap_or(name))
}
