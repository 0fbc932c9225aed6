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

/// The outermost function of a library that has such an inverse, and the inverse.
pub(super) fn inverse(finding: &Finding) -> Option<(&'static str, &'static str)> {
    let origin = finding.origin.as_ref()?;
    let frames = origin.stack.frames.iter();
    let libraries = frames.take_while(|frame| !frame.application);
    let known = libraries.filter_map(|frame| known(frame.function.as_deref()?));
    known.last()
}

/// `_IO_new_fopen64` is `fopen`, `__libc_malloc` is `malloc`.
fn known(function: &str) -> Option<(&'static str, &'static str)> {
    let name = function.split(['(', '@']).next()?;
    let name = ["_IO_new_", "_IO_", "__libc_", "__"]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .unwrap_or(name);
    let name = name.strip_suffix("64").unwrap_or(name);
    let found = INVERSES.iter().find(|(known, _)| *known == name);
    found.copied()
}
