//! Stacks that are long, large or elsewhere: `depth.c`, `signals.c`, `threads.c`, `children.c`.

use crate::origins::{
    recipe::{Recipe, Tool},
    site::Site,
};

pub(super) fn sites() -> Vec<Site> {
    [deep(), signals(), threads(), children()].concat()
}

fn c(
    name: &'static str,
    source: &'static str,
    flags: &'static str,
    chain: &'static [&'static str],
) -> Site {
    Site::new(name, Recipe::new(Tool::Gcc, source, flags), chain)
}

fn deep() -> Vec<Site> {
    let depth = |name, chain: &'static [&'static str]| {
        c(name, "depth.c", "-O2 -g", chain)
            .with(name)
            .at("depth.c", "LEAK leak")
    };
    let own = |name, chain| c(name, "depth.c", "-O2 -g", chain);
    vec![
        depth("under_200", &["leak", "descend*", "under_200", "main"]),
        depth("under_20000", &["leak", "descend*", "under_20000", "main"]),
        depth("holds_1k", &["leak", "holds_1k", "main"]),
        depth("holds_3k", &["leak", "holds_3k", "main"]),
        depth("holds_unknown", &["leak", "holds_unknown", "main"]),
        depth("holds_aligned", &["leak", "holds_aligned", "main"]),
        own("leak_below_path", &["leak_below_path", "main"])
            .with("leak_below_path")
            .at("depth.c", "LEAK leak_below_path"),
        own("leak_below_unknown", &["leak_below_unknown", "main"])
            .with("leak_below_unknown")
            .at("depth.c", "LEAK leak_below_unknown"),
        own("leak_below_aligned", &["leak_below_aligned", "main"])
            .with("leak_below_aligned")
            .at("depth.c", "LEAK leak_below_aligned"),
        own("pushes", &["leak_of_eight", "pushes", "main"])
            .with("pushes")
            .at("depth.c", "LEAK leak_of_eight"),
        c(
            "under_200_fp",
            "depth.c",
            "-O2 -fno-omit-frame-pointer",
            &["leak", "descend*", "under_200", "main"],
        )
        .with("under_200"),
        c(
            "under_200_os",
            "depth.c",
            "-Os",
            &["leak", "descend*", "under_200", "main"],
        )
        .with("under_200"),
        c(
            "pushes_os",
            "depth.c",
            "-Os",
            &["leak_of_eight", "pushes", "main"],
        )
        .with("pushes"),
        c(
            "holds_1k_o3",
            "depth.c",
            "-O3",
            &["leak", "holds_1k", "main"],
        )
        .with("holds_1k"),
    ]
}

fn signals() -> Vec<Site> {
    let signal = |name, mode: &str, flags, chain| c(name, "signals.c", flags, chain).with(mode);
    const RAISED: &[&str] = &["leak", "on_signal", "raises", "raised", "main"];
    const INTERRUPTED: &[&str] = &["leak", "on_signal", "spins", "interrupted", "main"];
    const ASIDE: &[&str] = &["leak", "on_signal", "raises", "raised_aside", "main"];
    const FAULTED: &[&str] = &["leak", "on_fault", "faults_at_once", "faulted", "main"];
    vec![
        signal("signal_raised", "raised", "-O2 -g", RAISED).at("signals.c", "LEAK"),
        signal(
            "signal_raised_fp",
            "raised",
            "-O2 -fno-omit-frame-pointer",
            RAISED,
        ),
        signal("signal_raised_static", "raised", "-O2 -static", RAISED),
        signal("signal_interrupted", "interrupted", "-O2 -g", INTERRUPTED).at("signals.c", "LEAK"),
        signal("signal_aside", "raised_aside", "-O2 -g", ASIDE).at("signals.c", "LEAK"),
        signal("signal_faulted", "faulted", "-O2 -g", FAULTED).at("signals.c", "LEAK"),
        signal("signal_faulted_os", "faulted", "-Os", FAULTED),
    ]
}

fn threads() -> Vec<Site> {
    let thread = |name, mode: &str, flags, chain| c(name, "threads.c", flags, chain).with(mode);
    const WORKS: &[&str] = &["leak", "works"];
    const RESUMED: &[&str] = &["leak", "resumed"];
    vec![
        thread("thread", "in_thread", "-O2 -g", WORKS).at("threads.c", "LEAK"),
        thread(
            "thread_fp",
            "in_thread",
            "-O2 -fno-omit-frame-pointer",
            WORKS,
        ),
        thread("thread_static", "in_thread", "-O2 -static", WORKS),
        thread("thread_small", "in_small_thread", "-O2 -g", WORKS).at("threads.c", "LEAK"),
        thread("coroutine", "in_coroutine", "-O2 -g", RESUMED).at("threads.c", "LEAK"),
    ]
}

fn children() -> Vec<Site> {
    let children = Recipe::new(Tool::Gcc, "children.c", "-O2");
    const FORKED: &[&str] = &["leak", "child", "forked", "main"];
    const VFORKED: &[&str] = &["leak", "child", "vforked", "main"];
    vec![
        c("child_forked", "children.c", "-O2 -g", FORKED)
            .with("forked")
            .at("children.c", "LEAK"),
        c("child_forked_static", "children.c", "-O2 -static", FORKED).with("forked"),
        c("child_vforked", "children.c", "-O2 -g", VFORKED)
            .with("vforked")
            .at("children.c", "LEAK"),
        c(
            "child_executed",
            "chain.c",
            "-O2",
            &["leak", "middle", "outer", "main"],
        )
        .needs("children", children)
        .by("@/children executed @/child_executed"),
    ]
}
