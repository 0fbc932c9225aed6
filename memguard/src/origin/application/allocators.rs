//! Memory that was mapped for many: by an allocator that cuts blocks from it, or by an interpreter
//! for its scripts' objects.
//!
//! Such a mapping is never unmapped by whoever asked for the first block in it, and is no leak of
//! its own. Where it is one of ever more, its process grows, and that is what is told. What the C
//! library maps for one large block is that block's.

use super::{functions, modules};
use crate::model::origin::NamedFrame;

/// `mmap` and what calls it.
const INNERMOST: usize = 3;

/// Of a named stack that maps anonymous memory.
pub fn maps_for_many(frames: &[NamedFrame]) -> bool {
    let of_allocator = |frame: &NamedFrame| {
        let path = frame.module.as_ref().map(|module| &*module.path);
        let function = frame.function.as_deref();
        path.is_some_and(modules::is_allocator) || function.is_some_and(functions::is_allocator)
    };
    let maps_pages = |frame: &NamedFrame| {
        let function = frame.function.as_deref();
        function.is_some_and(functions::maps_pages)
    };
    let mut inner = frames.iter().take_while(|frame| !frame.application);
    inner.any(of_allocator)
        || frames.iter().take(INNERMOST).any(maps_pages)
        || interpreter_maps(frames)
}

/// The interpreter itself called `mmap`. A module of its that scripts use is another file, and its
/// calls of `malloc` have more than one frame of the C library.
fn interpreter_maps(frames: &[NamedFrame]) -> bool {
    let mut paths = frames.iter().filter(|frame| !frame.inlined);
    let mut next = || Some(&*paths.next()?.module.as_ref()?.path);
    let Some(innermost) = next() else {
        return false;
    };
    modules::is_interpreter(innermost)
        || modules::is_c_library(innermost) && next().is_some_and(modules::is_interpreter)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{model::origin::Module, origin::application::mark};

    const LIBC: &str = "/usr/lib/x86_64-linux-gnu/libc.so.6";
    const JEMALLOC: &str = "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2";
    const PYTHON: &str = "/usr/bin/python3.11";
    const NODE: &str = "/usr/bin/node";
    const APP: &str = "/usr/bin/api";

    fn stack(frames: &[(&str, &str)]) -> Vec<NamedFrame> {
        let named = frames.iter().map(|(path, function)| NamedFrame {
            ip: 0x5555,
            module: Some(Arc::new(Module {
                path: Arc::from(*path),
                build_id: None,
            })),
            offset: 0x10,
            function: (*function != "-").then(|| Arc::from(*function)),
            file: None,
            line: None,
            inlined: false,
            application: false,
        });
        let mut frames: Vec<_> = named.collect();
        mark(&mut frames, true);
        frames
    }

    #[test]
    fn who_maps_for_many() {
        for (expected, frames) in [
            (
                true,
                &[(LIBC, "mmap64"), (JEMALLOC, "-"), (APP, "main")][..],
            ),
            (
                true,
                &[(APP, "mmap64"), (APP, "_rjem_je_pages_map"), (APP, "main")],
            ),
            (
                true,
                &[(LIBC, "mmap64"), (APP, "pages_map"), (APP, "extent_grow")],
            ),
            (true, &[(LIBC, "mmap64"), (PYTHON, "-")]),
            (
                true,
                &[
                    (LIBC, "mmap64"),
                    (NODE, "v8::base::OS::Allocate"),
                    (NODE, "-"),
                ],
            ),
            (
                true,
                &[
                    (APP, "runtime.mmap"),
                    (APP, "runtime.mallocgc"),
                    (APP, "main.main"),
                ],
            ),
            (
                true,
                &[(LIBC, "mmap64"), ("/opt/jre/lib/server/libjvm.so", "-")],
            ),
            // A large block, and direct calls.
            (
                false,
                &[(LIBC, "mmap64"), (LIBC, "malloc"), (PYTHON, "PyBytes_New")],
            ),
            (false, &[(LIBC, "mmap64"), (APP, "grow_pool")]),
            (
                false,
                &[
                    (LIBC, "mmap64"),
                    (
                        "/usr/lib/python3.11/lib-dynload/mmap.cpython-311-x86_64-linux-gnu.so",
                        "new_mmap_object",
                    ),
                    (PYTHON, "-"),
                ],
            ),
            (
                false,
                &[
                    (APP, "runtime/internal/syscall.Syscall6"),
                    (APP, "syscall.mmap"),
                    (APP, "main.main"),
                ],
            ),
            // An allocator that calls the program back, as a hook.
            (
                false,
                &[(LIBC, "mmap64"), (APP, "my_extent_alloc"), (JEMALLOC, "-")],
            ),
            (false, &[]),
        ] {
            assert_eq!(maps_for_many(&stack(frames)), expected, "{frames:?}");
        }
    }
}
