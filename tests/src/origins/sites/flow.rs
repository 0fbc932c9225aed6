//! Ways of control that are no plain call and return: `tail.c`, `leaves.c`, `ends.c`, `bare.c`.

use crate::origins::{
    recipe::{Recipe, Tool},
    site::Site,
};

pub(super) fn sites() -> Vec<Site> {
    [tails(), leaves(), edges(), assembly()].concat()
}

fn c(
    name: &'static str,
    sources: &'static str,
    flags: &'static str,
    chain: &'static [&'static str],
) -> Site {
    Site::new(name, Recipe::new(Tool::Gcc, sources, flags), chain)
}

/// The function that jumps away is on the stack no more; its caller is right.
fn tails() -> Vec<Site> {
    const OPEN: &[&str] = &["called_open", "main"];
    const LEAK: &[&str] = &["leak", "called_leak", "main"];
    vec![
        c("tail_open", "tail.c", "-O2", OPEN).with("called_open"),
        c("tail_open_g", "tail.c", "-O2 -g", OPEN)
            .with("called_open")
            .at("tail.c", "LEAK called_open"),
        c("tail_leak", "tail.c", "-O2", LEAK).with("called_leak"),
        c("tail_leak_g", "tail.c", "-O3 -g", LEAK)
            .with("called_leak")
            .at("tail.c", "LEAK leak"),
    ]
}

fn leaves() -> Vec<Site> {
    let leaves = |name, chain| {
        c(name, "leaves.c", "-O2 -g", chain)
            .with(name)
            .at("leaves.c", "LEAK")
    };
    vec![
        leaves("jumped", &["leak", "jumped", "main"]),
        leaves("sorts", &["leak", "compare", "sorts", "main"]),
        leaves("walks", &["leak", "visit", "walks", "main"]),
        leaves("exits", &["leak", "at_exit"]),
        leaves("ending", &["leak", "ends", "ending", "main"]),
        c(
            "ending_os",
            "leaves.c",
            "-Os",
            &["leak", "ends", "ending", "main"],
        )
        .with("ending"),
        c(
            "ending_fp",
            "leaves.c",
            "-Os -fno-omit-frame-pointer",
            &["leak", "ends", "ending", "main"],
        )
        .with("ending"),
    ]
}

fn edges() -> Vec<Site> {
    const EDGE: &[&str] = &["leak", "edge"];
    vec![
        c("before_main", "ends.c", "-O2 -g -DEDGE=constructor", EDGE).at("ends.c", "LEAK"),
        c("behind_main", "ends.c", "-O2 -g -DEDGE=destructor", EDGE).at("ends.c", "LEAK"),
    ]
}

/// Nothing says how large the frames in `bare.S` are. The function itself is known by its address,
/// except where its symbol has no size.
fn assembly() -> Vec<Site> {
    let bare = |name, chain| c(name, "bare.c bare.S", "-O2 -g", chain).with(name);
    vec![
        bare("enters_kernel", &["bare_kernel", "enters_kernel", "main"]),
        bare("enters_libc", &["bare_libc", "enters_libc", "main"]),
        bare(
            "enters_sizeless",
            &["bare_sizeless", "enters_sizeless", "main"],
        )
        .may_be_unnamed(),
        bare("enters_generated", &["leak", "enters_generated", "main"]).at("bare.c", "LEAK"),
        bare("enters_framed", &["bare_framed", "enters_framed", "main"]),
    ]
}
