//! What a frame belongs to by the file that it is in.

use super::Owner;

/// Shared libraries, by the name before the first `.` or `-`; those with `_` at their end have
/// any rest.
const LIBRARIES: &[(Owner, &[&str])] = &[
    // The C library, in one file (musl, glibc from 2.34) or in several, and its plug-ins.
    (
        Owner::System,
        &[
            "ld",
            "libc",
            "libpthread",
            "librt",
            "libdl",
            "libm",
            "libmvec",
            "libresolv",
            "libutil",
            "libanl",
            "libnsl",
            "libnss_",
            "libc_malloc_debug",
            "libthread_db",
        ],
    ),
    // In front of the C library: every call goes through them.
    (
        Owner::System,
        &[
            "libasan",
            "libtsan",
            "liblsan",
            "libubsan",
            "libmsan",
            "libclang_rt",
        ],
    ),
    // In place of its malloc.
    (Owner::System, ALLOCATORS),
    // C++, and what unwinds its exceptions.
    (
        Owner::Language,
        &[
            "libstdc++",
            "libsupc++",
            "libc++",
            "libc++abi",
            "libgcc_s",
            "libunwind",
            "libatomic",
        ],
    ),
    // Rust, Go and Fortran where they are linked dynamically; OpenMP.
    (
        Owner::Language,
        &[
            "libstd",
            "libgo",
            "libgfortran",
            "libgomp",
            "libomp",
            "libiomp5",
        ],
    ),
];

const ALLOCATORS: &[&str] = &[
    "libjemalloc",
    "libtcmalloc",
    "libtcmalloc_minimal",
    "libmimalloc",
    "libsnmallocshim",
];

/// Interpreters: the program, which may have a version at its end, and the library with the same
/// in it.
const INTERPRETERS: &[(&str, &[&str], &[&str])] = &[
    ("python", &["python", "pypy"], &["libpython", "libpypy"]),
    ("node", &["node", "nodejs"], &["libnode"]),
    ("deno", &["deno"], &[]),
    ("bun", &["bun"], &[]),
    ("ruby", &["ruby"], &["libruby"]),
    ("perl", &["perl"], &["libperl"]),
    ("java", &["java"], &["libjvm"]),
    ("php", &["php", "php-fpm", "php-cgi"], &["libphp"]),
    (
        "lua",
        &["lua", "luajit", "luajit-2.1.0-beta"],
        &["liblua", "libluajit"],
    ),
    (".net", &["dotnet"], &["libcoreclr", "libclrjit"]),
    ("erlang", &["beam", "beam.smp"], &[]),
    ("bash", &["bash"], &[]),
    ("sh", &["dash", "busybox"], &[]),
];

/// Where interpreters keep the libraries that come with them. What was installed besides is the
/// program's.
const EXTENSIONS: &[(&str, &[&str], &[&str])] = &[
    ("python", &["/lib-dynload/"], &[]),
    (
        "perl",
        &["/perl/", "/perl-base/", "/perl5/auto/"],
        &["/site_perl/", "/vendor_perl/"],
    ),
    (
        "ruby",
        &["/ruby/"],
        &["/gems/", "/site_ruby/", "/vendor_ruby/"],
    ),
    ("java", &["/jvm/", "/jre/", "/jdk"], &[]),
    ("php", &["/lib/php/"], &[]),
    (".net", &["/Microsoft.NETCore.App/"], &[]),
];

/// Whom the file belongs to; `None` where its functions have to tell.
pub(super) fn owner(path: &str) -> Option<Owner> {
    // `[vdso]` and its like are the kernel's.
    if path.starts_with('[') {
        return Some(Owner::System);
    }
    let path = path.strip_suffix(" (deleted)").unwrap_or(path);
    let name = file_name(path);
    interpreter_itself(name)
        .or_else(|| extension(path).filter(|_| is_shared(name)))
        .map(Owner::Interpreter)
        .or_else(|| library(name))
}

/// Whether the file is an allocator.
pub(super) fn is_allocator(path: &str) -> bool {
    let name = file_name(path);
    is_shared(name) && ALLOCATORS.iter().any(|stem| is_library(name, stem))
}

/// Whether the file is the C library.
pub(super) fn is_c_library(path: &str) -> bool {
    let name = file_name(path);
    is_library(name, "libc") || is_library(name, "ld")
}

/// Whether the file is an interpreter, and not a module that its scripts use.
pub(super) fn is_interpreter(path: &str) -> bool {
    interpreter_itself(file_name(path)).is_some()
}

fn file_name(path: &str) -> &str {
    let path = path.strip_suffix(" (deleted)").unwrap_or(path);
    path.rsplit('/').next().unwrap_or(path)
}

fn is_shared(name: &str) -> bool {
    name.contains(".so")
}

fn library(name: &str) -> Option<Owner> {
    if !is_shared(name) {
        return None;
    }
    let is = |stem: &str| is_library(name, stem);
    let found = LIBRARIES
        .iter()
        .find(|(_, stems)| stems.iter().any(|stem| is(stem)));
    found.map(|(owner, _)| *owner)
}

fn is_library(name: &str, stem: &str) -> bool {
    let rest = name.strip_prefix(stem);
    rest.is_some_and(|rest| stem.ends_with('_') || rest.starts_with(['.', '-']))
}

fn interpreter_itself(name: &str) -> Option<&'static str> {
    let library = is_shared(name);
    let is_one = |programs: &[&str], libraries: &[&str]| {
        if library {
            libraries.iter().any(|stem| has_version(name, stem, true))
        } else {
            programs.iter().any(|stem| has_version(name, stem, false))
        }
    };
    let own = INTERPRETERS
        .iter()
        .find(|(_, programs, libraries)| is_one(programs, libraries));
    own.map(|(interpreter, ..)| *interpreter)
}

/// `python`, `python3.11`; with `rest` also `libpython3.11.so.1.0`.
fn has_version(name: &str, stem: &str, rest: bool) -> bool {
    let Some(version) = name.strip_prefix(stem) else {
        return false;
    };
    if rest {
        return version.starts_with(|char: char| char.is_ascii_digit() || ".-".contains(char));
    }
    version
        .chars()
        .all(|char| char.is_ascii_digit() || char == '.')
}

fn extension(path: &str) -> Option<&'static str> {
    let contains = |parts: &[&str]| parts.iter().any(|part| path.contains(part));
    let found = EXTENSIONS
        .iter()
        .find(|(_, own, others)| contains(own) && !contains(others));
    found.map(|(interpreter, ..)| *interpreter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: Option<Owner>) {
        assert_eq!(owner(path), expected, "{path}");
    }

    #[test]
    fn the_c_library() {
        for path in [
            "/usr/lib/x86_64-linux-gnu/libc.so.6",
            "/lib64/libc-2.17.so",
            "/lib64/ld-2.17.so",
            "/lib64/ld-linux-x86-64.so.2",
            "/lib/ld-musl-x86_64.so.1",
            "/lib/libc.musl-x86_64.so.1",
            "/lib/x86_64-linux-gnu/libpthread-2.31.so",
            "/usr/lib/x86_64-linux-gnu/libnss_dns.so.2",
            "/usr/lib/x86_64-linux-gnu/libc.so.6 (deleted)",
            "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2",
            "/usr/lib/x86_64-linux-gnu/libasan.so.8",
            "/usr/lib/llvm-14/lib/clang/14.0.6/lib/linux/libclang_rt.asan-x86_64.so",
            "[vdso]",
        ] {
            check(path, Some(Owner::System));
        }
    }

    #[test]
    fn languages() {
        for path in [
            "/usr/lib/x86_64-linux-gnu/libstdc++.so.6.0.30",
            "/usr/lib/x86_64-linux-gnu/libgcc_s.so.1",
            "/usr/lib/x86_64-linux-gnu/libc++abi.so.1",
            "/opt/rust/lib/libstd-8389830094602f5a.so",
        ] {
            check(path, Some(Owner::Language));
        }
    }

    #[test]
    fn the_program_and_its_libraries() {
        for path in [
            "/usr/bin/api",
            "/usr/lib/x86_64-linux-gnu/libcurl.so.4",
            "/usr/lib/x86_64-linux-gnu/libmagic.so.1",
            "/usr/lib/x86_64-linux-gnu/libstdbuf.so",
            "/usr/bin/ld",
            "/opt/api/libc",
            "/usr/bin/node_exporter",
            "/usr/bin/node-problem-detector",
            "/usr/bin/python-launcher",
            "/srv/venv/lib/python3.11/site-packages/fast.cpython-311-x86_64-linux-gnu.so",
            "/var/lib/gems/3.1.0/ruby/gems/pg-1.5/lib/pg_ext.so",
            "/usr/lib/x86_64-linux-gnu/perl5/5.36/auto/DBI/DBI.so",
            "",
            "/",
        ] {
            check(path, None);
        }
    }

    #[test]
    fn interpreters() {
        for (path, interpreter) in [
            ("/usr/bin/python3.11", "python"),
            ("/usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0", "python"),
            (
                "/usr/lib/python3.11/lib-dynload/_ssl.cpython-311-x86_64-linux-gnu.so",
                "python",
            ),
            ("/usr/bin/node", "node"),
            ("/usr/lib/x86_64-linux-gnu/libnode.so.108", "node"),
            ("/usr/bin/ruby3.1", "ruby"),
            ("/usr/lib/x86_64-linux-gnu/libruby-3.1.so.3.1.2", "ruby"),
            ("/usr/lib/x86_64-linux-gnu/ruby/3.1.0/socket.so", "ruby"),
            ("/usr/bin/perl", "perl"),
            ("/usr/lib/x86_64-linux-gnu/libperl.so.5.36.0", "perl"),
            (
                "/usr/lib/x86_64-linux-gnu/perl-base/auto/Socket/Socket.so",
                "perl",
            ),
            ("/usr/lib/jvm/java-17-openjdk-amd64/bin/java", "java"),
            (
                "/usr/lib/jvm/java-17-openjdk-amd64/lib/server/libjvm.so",
                "java",
            ),
            ("/usr/lib/jvm/java-17-openjdk-amd64/lib/libnio.so", "java"),
            ("/usr/sbin/php-fpm8.2", "php"),
            ("/usr/bin/lua5.4", "lua"),
            ("/usr/lib/x86_64-linux-gnu/libluajit-5.1.so.2", "lua"),
            ("/usr/bin/luajit-2.1.0-beta3", "lua"),
        ] {
            check(path, Some(Owner::Interpreter(interpreter)));
        }
    }
}
