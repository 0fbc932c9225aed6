//! What a frame belongs to by the name of its function and by its source file.

use std::path::Path;

use super::{Owner, signature};

/// Begin a program or a thread.
const STARTS: &[&str] = &[
    "_start _start_c _dl_start _dl_start_user __clone __clone3 clone clone3 start_thread",
    "libc_start_main_stage2",
    "runtime.goexit runtime.main runtime.mstart runtime.rt0_go runtime.asmcgocall",
];

/// The same, by names that any program may use: only in a file of the C library.
const LIBRARY_STARTS: &[&str] = &["start start_c11 call_init"];

/// How names begin that the standards reserve for the C library and the compiler's run time, and
/// names with a prefix that a library gives to all that it has.
const RESERVED: &[(Owner, &str)] = &[
    (Owner::Start, "__libc_start _rt0_"),
    (
        Owner::System,
        "__libc_ _IO_ __GI_ _dl_ __pthread_ __nss_ __res_ __syscall __fortify_",
    ),
    // Sanitizers, which clang links into the program.
    (
        Owner::System,
        "__interceptor_ ___interceptor_ __asan_ __tsan_ __msan_ __lsan_ __sanitizer_",
    ),
    (Owner::System, JEMALLOC),
    (Owner::System, OTHER_ALLOCATORS),
    // What redis and its kin wrap around each of them.
    (
        Owner::System,
        "zmalloc zcalloc zrealloc ztrymalloc ztrycalloc ztryrealloc",
    ),
    // Rust's shims for allocation and panics; its names of everything else have a path.
    (
        Owner::Language,
        "__rust_ __rustc __rdl_ __rg_ rust_begin_unwind rust_eh_personality",
    ),
    // The run time of C++.
    (Owner::Language, "__cxa_ __gxx_ _Unwind_"),
    // Calls from Go to C.
    (Owner::Language, "_cgo_ x_cgo_ crosscall1 crosscall2"),
];

/// How the functions of allocators begin; `_rjem_` is jemalloc in Rust.
const JEMALLOC: &str =
    "_rjem_ je_malloc je_calloc je_realloc je_arena_ je_extent_ je_pages_ je_ehooks_ je_large_";
const OTHER_ALLOCATORS: &str =
    "tcmalloc:: tc_malloc tc_calloc tc_realloc tc_new mi_malloc mi_heap_ mi_segment_ _mi_";

/// Functions of jemalloc's that call `mmap`, where it is linked without its prefix.
const PAGES: &[&str] = &["pages_map os_pages_map extent_alloc_mmap"];

/// Likewise of Go's, down to the system call; the last is what its runtime calls instead where it
/// is linked with C, on a stack that ends there.
const GO_ALLOCATOR: &str =
    "runtime.mallocgc runtime.(*mheap) runtime.persistentalloc runtime.sys x_cgo_mmap";

/// The C library's functions that acquire something, or are between those and their callers,
/// without the underscores before and the `64` and `_nocancel` behind their names. In a static
/// program nothing but the name tells them from the program's own.
const C_LIBRARY: &[&str] = &[
    // Descriptors.
    "open openat openat2 creat dup dup2 dup3 fcntl ioctl pipe pipe2 socket socketpair accept",
    "accept4 recvmsg recvmmsg epoll_create epoll_create1 eventfd timerfd_create signalfd",
    "inotify_init inotify_init1 fanotify_init memfd_create userfaultfd perf_event_open pidfd_open",
    "pidfd_getfd open_by_handle_at mq_open shm_open posix_openpt getpt openpty forkpty syscall",
    "syscall_cp syscall_cp_c sys_open_cp sccp",
    // Streams, directories and temporary files.
    "fopen fopen_internal fopen_maybe_mmap freopen fdopen popen tmpfile opendir opendirat",
    "opendir_tail fdopendir scandir scandirat fts_open fts_build fts_read ftw nftw glob mkstemp",
    "mkostemp mkstemps mkostemps gen_tempname gen_tempfd try_tempname_len setmntent catopen",
    "iconv_open",
    // Names and logs.
    "getaddrinfo gaih_inet gethostbyname gethostbyname_r gethostbyname2_r gethostent getpwent",
    "getpwnam_r getpwuid_r getgrnam_r getgrgid_r openlog syslog vsyslog dlopen dlmopen",
    // Memory.
    "mmap munmap mremap brk sbrk default_morecore glibc_morecore shmat malloc calloc realloc",
    "reallocarray memalign aligned_alloc posix_memalign valloc pvalloc mid_memalign int_malloc",
    "int_realloc int_memalign sysmalloc sysmalloc_mmap mremap_chunk tcache_init malloc_hook_ini",
    "strdup strndup getdelim getline asprintf vasprintf open_memstream",
    // Threads, processes and signals.
    "pthread_create pthread_create_2_1 allocate_thread_stack fork vfork posix_spawn posix_spawnp",
    "spawni restore_rt raise gsignal pthread_kill pthread_kill_implementation",
    "pthread_kill_internal",
];

/// Functions within the C library whose names any program may use: only where it calls them.
const C_LIBRARY_INTERNAL: &[&str] = &[
    "spawn_process proc_open new_proc_open alloc_dir morecore new_heap alloc_new_heap arena_get2",
    "allocate_stack alloc_slot alloc_group alloc_meta expand_heap start call_init",
];

/// First elements of the paths of Go's standard packages.
const GO_STANDARD: &[&str] = &[
    "archive bufio bytes cmp compress container context crypto database debug embed encoding",
    "errors expvar flag fmt go hash html image index io iter log maps math mime net os path plugin",
    "reflect regexp simd slices sort strconv strings structs sync testing text time type unicode",
    "unique unsafe vendor weak",
];

/// What stands between Go's other packages and the kernel. The last is no standard package, but
/// holds nothing but system calls.
const GO_SYSTEM: &[&str] = &["internal runtime syscall golang.org/x/sys"];

/// Functions that run scripts, by interpreter: for interpreters that have another name, or are part
/// of another program.
const INTERPRETERS: &[(&str, &str)] = &[
    ("python", "_PyEval_EvalFrameDefault Py_RunMain Py_BytesMain"),
    ("node", "node::Start node::LoadEnvironment"),
    ("ruby", "rb_vm_exec ruby_run_node ruby_exec_node"),
    ("perl", "Perl_runops_standard perl_run"),
    ("php", "php_execute_script zend_execute_scripts"),
];

/// Parts of source paths: Rust's standard library as it is built and as `rust-src` installs it;
/// the headers of C++, whose functions are compiled into every program.
const LANGUAGE_FILES: &[&str] = &[
    "/rustlib/src/rust/library/",
    "/include/c++/",
    "/libstdc++-v3/",
    "/libcxx/",
];

/// Parts of source paths of C libraries that were linked into a program.
const SYSTEM_FILES: &[&str] = &["/glibc-", "/musl-", "/sysdeps/unix/"];

/// Whether the function only leads to the program.
pub(super) fn is_start(function: &str) -> bool {
    let mut starts = words(STARTS).chain(words(LIBRARY_STARTS));
    starts.any(|name| name == function) || owner_by_reserved_name(function) == Some(Owner::Start)
}

/// The interpreter whose scripts the function runs.
pub(super) fn interpreter(function: &str) -> Option<&'static str> {
    let name = signature::without_parameters(function);
    let runs = |names: &str| names.split(' ').any(|runs| runs == name);
    let found = INTERPRETERS.iter().find(|(_, names)| runs(names));
    found.map(|(interpreter, _)| *interpreter)
}

pub(super) fn owner_by_file(path: &str) -> Option<Owner> {
    let contains = |parts: &[&str]| parts.iter().any(|part| path.contains(part));
    // The compiler writes the commit that it was built from.
    let rust = path
        .strip_prefix("/rustc/")
        .and_then(|path| path.split_once('/'));
    if rust.is_some_and(|(_, path)| path.starts_with("library/")) || contains(LANGUAGE_FILES) {
        return Some(Owner::Language);
    }
    contains(SYSTEM_FILES).then_some(Owner::System)
}

/// By names that no program may give to its own functions.
pub(super) fn owner_by_reserved_name(function: &str) -> Option<Owner> {
    if function == "_start" {
        return Some(Owner::Start);
    }
    if function.starts_with("operator new") {
        return Some(Owner::Language);
    }
    let found = RESERVED
        .iter()
        .find(|(_, names)| begins_with_one(function, names));
    found.map(|(owner, _)| *owner)
}

/// Whether the function is within an allocator that cuts blocks from what it maps. The C library's
/// own maps large blocks one by one, and is none.
pub(super) fn is_allocator(function: &str) -> bool {
    [JEMALLOC, OTHER_ALLOCATORS, GO_ALLOCATOR]
        .iter()
        .any(|names| begins_with_one(function, names))
}

/// By names that any program may use: only right above the system call.
pub(super) fn maps_pages(function: &str) -> bool {
    words(PAGES).any(|name| name == function)
}

fn begins_with_one(function: &str, names: &str) -> bool {
    names.split(' ').any(|name| function.starts_with(name))
}

/// By the names of the C library's functions, which a program that has them in the same file does
/// not give to others.
pub(super) fn owner_in_static_program(function: &str) -> Option<Owner> {
    if words(STARTS).any(|name| name == function) {
        return Some(Owner::Start);
    }
    let name = function.trim_start_matches('_');
    let name = name.strip_suffix("_nocancel").unwrap_or(name);
    let name = name.strip_suffix("64").unwrap_or(name);
    let known = words(C_LIBRARY).any(|function| function == name);
    known.then_some(Owner::System)
}

/// Whether a function that the C library calls in a static program is its own too, and not one that
/// the program gave to it.
pub(super) fn is_internal(function: &str) -> bool {
    let name = function.trim_start_matches('_');
    words(C_LIBRARY_INTERNAL).any(|function| function == name)
}

/// By the package, for functions of Go: `net/http.(*Client).Do`.
pub(super) fn owner_by_package(function: &str) -> Option<Owner> {
    if is_start(function) {
        return Some(Owner::Start);
    }
    let is_in = |package: &str| {
        let rest = function.strip_prefix(package);
        // What the compiler writes for a type has a colon: `type:.eq.main.Key`.
        rest.is_some_and(|rest| rest.starts_with(['/', '.', ':']))
    };
    if words(GO_SYSTEM).any(is_in) {
        return Some(Owner::System);
    }
    words(GO_STANDARD).any(is_in).then_some(Owner::Language)
}

/// By the path of the function in C++ or Rust. `core` and `alloc` are common names in C++.
pub(super) fn owner_by_path(function: &str, file: Option<&str>) -> Option<Owner> {
    let in_rust = file.map_or_else(
        || !signature::has_parameters(function),
        |file| is_source(file, "rs"),
    );
    let language = match signature::root(function)? {
        "std" | "__gnu_cxx" | "__cxxabiv1" => true,
        "core" | "alloc" => in_rust,
        _ => false,
    };
    language.then_some(Owner::Language)
}

/// Whether the source file is of a language, by what its name ends in.
pub(super) fn is_source(path: &str, extension: &str) -> bool {
    let found = Path::new(path).extension();
    found.is_some_and(|found| found == extension)
}

fn words<'a>(lists: &[&'a str]) -> impl Iterator<Item = &'a str> {
    lists.iter().flat_map(|list| list.split(' '))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_tell_the_language() {
        let language = Some(Owner::Language);
        for (function, file, expected) in [
            ("std::fs::File::open", None, language),
            ("core::ops::function::FnOnce::call_once", None, language),
            ("alloc::vec::Vec<T,A>::push", None, language),
            ("<std::fs::File as std::io::Read>::read", None, language),
            ("<&std::fs::File as std::io::Read>::read", None, language),
            (
                "<alloc::boxed::Box<F,A> as core::ops::function::FnOnce<Args>>::call_once",
                None,
                language,
            ),
            ("<T as core::convert::Into<U>>::into", None, language),
            ("<[T] as alloc::slice::ToOwned>::to_owned", None, language),
            ("<my::Reader as std::io::Read>::read", None, None),
            ("<F as my::Job>::run", None, None),
            ("<my::pool::Pool>::get", None, None),
            ("my::main::{{closure}}", None, None),
            ("core::Engine::run()", None, None),
            ("core::Engine::run", Some("/src/engine.cpp"), None),
            (
                "core::cell::RefCell<T>::borrow",
                Some("/src/lib.rs"),
                language,
            ),
            (
                "std::vector<int, std::allocator<int> >::push_back(int const&)",
                None,
                language,
            ),
            ("my::f(std::vector<int>)", None, None),
            ("std::vector<int> my::f()", None, None),
            // Functions of C.
            ("std", None, None),
            ("alloc", None, None),
        ] {
            assert_eq!(owner_by_path(function, file), expected, "{function}");
        }
    }

    #[test]
    fn packages_of_go() {
        for (function, expected) in [
            ("runtime.newproc", Some(Owner::System)),
            ("internal/poll.(*FD).Read", Some(Owner::System)),
            ("golang.org/x/sys/unix.Open", Some(Owner::System)),
            ("os.OpenFile", Some(Owner::Language)),
            ("net/http.(*Client).Do", Some(Owner::Language)),
            (
                "vendor/golang.org/x/net/idna.ToASCII",
                Some(Owner::Language),
            ),
            ("runtime.goexit", Some(Owner::Start)),
            ("type:.eq.main.Key", Some(Owner::Language)),
            ("slices.SortFunc[...].func1", Some(Owner::Language)),
            ("main.main", None),
            ("main.(*Pool[...]).Get", None),
            ("main.(*Pool).Get", None),
            ("osquery/client.Run", None),
            ("api/internal/jobs.Run", None),
            ("github.com/acme/net.Dial", None),
        ] {
            assert_eq!(owner_by_package(function), expected, "{function}");
        }
    }

    #[test]
    fn the_c_library_in_a_static_program() {
        for (function, expected) in [
            ("open", Some(Owner::System)),
            ("__open64_nocancel", Some(Owner::System)),
            ("__libc_open64", None),
            ("_int_malloc", Some(Owner::System)),
            ("mmap64", Some(Owner::System)),
            ("start_thread", Some(Owner::Start)),
            ("start", None),
            ("open_pool", None),
            ("", None),
        ] {
            assert_eq!(owner_in_static_program(function), expected, "{function}");
        }
        assert_eq!(owner_by_reserved_name("__libc_open64"), Some(Owner::System));
    }

    #[test]
    fn source_files() {
        for (path, expected) in [
            (
                "/rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/std/src/fs.rs",
                Some(Owner::Language),
            ),
            (
                "/home/ada/.rustup/toolchains/stable/lib/rustlib/src/rust/library/core/src/mem.rs",
                Some(Owner::Language),
            ),
            (
                "/usr/include/c++/12/bits/std_function.h",
                Some(Owner::Language),
            ),
            (
                "/build/glibc-2.36/io/../sysdeps/unix/sysv/linux/open64.c",
                Some(Owner::System),
            ),
            ("/build/musl-1.2.3/src/fcntl/open.c", Some(Owner::System)),
            ("/rustc/src/main.rs", None),
            (
                "/home/ada/.cargo/registry/src/a-registry/tokio-1.0/src/lib.rs",
                None,
            ),
            ("src/pool.c", None),
        ] {
            assert_eq!(owner_by_file(path), expected, "{path}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_judged(text in "[a-z_<>(){}:&* .\\-ü]{0,40}") {
            owner_by_path(&text, None);
            owner_by_package(&text);
            owner_in_static_program(&text);
            owner_by_file(&text);
        }
    }
}
