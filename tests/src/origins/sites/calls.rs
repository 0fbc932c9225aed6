//! The ways into the kernel, from `calls.c`: each function of libc, the deep ones, and none.

use crate::origins::{
    recipe::{Recipe, Tool},
    site::Site,
};

/// Site and function at once.
macro_rules! way {
    ($name:literal) => {
        Site::new(
            $name,
            Recipe::new(Tool::Gcc, "calls.c", "-O2 -g"),
            &[$name, "main"],
        )
        .with($name)
        .at("calls.c", concat!("LEAK ", $name))
    };
}

/// The same without debug information, by another name.
macro_rules! bare_way {
    ($site:literal, $name:literal, $flags:literal) => {
        Site::new(
            $site,
            Recipe::new(Tool::Gcc, "calls.c", $flags),
            &[$name, "main"],
        )
        .with($name)
    };
}

pub(super) fn sites() -> Vec<Site> {
    [with_lines(), without_lines()].concat()
}

fn with_lines() -> Vec<Site> {
    vec![
        way!("by_open"),
        way!("by_creat"),
        way!("by_fopen"),
        way!("by_opendir"),
        way!("by_socket"),
        way!("by_accept"),
        way!("by_pipe").keeps(6),
        way!("by_socketpair").keeps(6),
        way!("by_dup"),
        way!("by_fcntl"),
        way!("by_epoll"),
        way!("by_eventfd"),
        way!("by_signalfd"),
        way!("by_timerfd"),
        way!("by_inotify"),
        way!("by_memfd"),
        way!("by_shm_open"),
        way!("by_openpt"),
        way!("by_mkstemp"),
        way!("by_tmpfile"),
        way!("by_popen"),
        way!("by_setmntent"),
        way!("by_fts"),
        way!("by_getpwent").keeps(1),
        way!("by_gethostent").keeps(1),
        way!("by_getaddrinfo"),
        way!("by_syscall"),
        way!("by_instruction"),
    ]
}

fn without_lines() -> Vec<Site> {
    vec![
        bare_way!("by_fopen_fp", "by_fopen", "-O2 -fno-omit-frame-pointer"),
        bare_way!("by_socket_fp", "by_socket", "-O2 -fno-omit-frame-pointer"),
        bare_way!("by_fopen_static", "by_fopen", "-O2 -static"),
        bare_way!("by_opendir_static", "by_opendir", "-O2 -static"),
        bare_way!("by_tmpfile_static", "by_tmpfile", "-O2 -static"),
        bare_way!("by_socket_os", "by_socket", "-Os"),
        bare_way!("by_instruction_os", "by_instruction", "-Os"),
        bare_way!("by_syscall_o3", "by_syscall", "-O3"),
    ]
}
