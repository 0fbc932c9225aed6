//! The same program, `chain.c`, in all the ways in which programs are built; and what optimisation
//! makes of functions.

use crate::origins::{
    recipe::{Recipe, Symbols, Tool},
    site::Site,
};

const CHAIN: &[&str] = &["leak", "middle", "outer", "main"];

pub(super) fn sites() -> Vec<Site> {
    [
        optimised(),
        linked(),
        without_symbols(),
        without_unwinding(),
        merged(),
    ]
    .concat()
}

fn chain(name: &'static str, flags: &'static str) -> Site {
    Site::new(name, Recipe::new(Tool::Gcc, "chain.c", flags), CHAIN)
}

/// With debug information that leads to the line.
fn chain_with_lines(name: &'static str, flags: &'static str) -> Site {
    chain(name, flags).at("chain.c", "LEAK")
}

fn optimised() -> Vec<Site> {
    vec![
        chain("c_o2", "-O2"),
        chain_with_lines("c_o0_g", "-O0 -g"),
        chain_with_lines("c_o2_g", "-O2 -g"),
        chain_with_lines("c_o2_g_dwarf4", "-O2 -g -gdwarf-4"),
        chain_with_lines("c_o2_g_compressed", "-O2 -g -gz"),
        chain("c_o2_g_split", "-O2 -g -gsplit-dwarf"),
        chain("c_o2_fp", "-O2 -fno-omit-frame-pointer"),
        chain("c_o2_cet", "-O2 -fcf-protection=full"),
        chain("c_o2_sections", "-O2 -ffunction-sections -Wl,--gc-sections"),
        chain(
            "c_o2_protected",
            "-O2 -fstack-protector-all -D_FORTIFY_SOURCE=2",
        ),
        chain("c_o3", "-O3"),
        chain_with_lines("c_o3_g", "-O3 -g"),
        chain("c_os", "-Os"),
        chain_with_lines("c_os_g_fp", "-Os -g -fno-omit-frame-pointer"),
    ]
}

fn linked() -> Vec<Site> {
    let musl = |name, flags| Site::new(name, Recipe::new(Tool::Musl, "chain.c", flags), CHAIN);
    vec![
        chain("c_o2_nopie", "-O2 -fno-pie -no-pie"),
        chain_with_lines("c_o2_g_nopie", "-O2 -g -fno-pie -no-pie"),
        chain("c_o2_pie", "-O2 -fpie -pie"),
        chain("c_o2_static", "-O2 -static"),
        chain_with_lines("c_o2_g_static", "-O2 -g -static"),
        chain("c_o2_static_fp", "-O2 -static -fno-omit-frame-pointer"),
        chain("c_o2_static_pie", "-O2 -static-pie -fpie"),
        chain("c_o2_gold", "-O2 -fuse-ld=gold"),
        chain("c_o2_one_segment", "-O2 -Wl,-z,noseparate-code"),
        chain(
            "c_o2_elsewhere",
            "-O2 -fno-pie -no-pie -Wl,-Ttext-segment=0x10000000",
        ),
        chain("c_o2_no_build_id", "-O2 -Wl,--build-id=none"),
        chain("c_o2_exported", "-O2 -rdynamic -Wl,--hash-style=sysv"),
        // Debian's musl has no unwind information: what calls it cannot be known.
        musl("c_musl", "-O2").may_be_unnamed(),
        musl("c_musl_fp", "-O2 -fno-omit-frame-pointer").may_be_unnamed(),
        musl("c_musl_static", "-O2 -static").may_be_unnamed(),
    ]
}

fn without_symbols() -> Vec<Site> {
    let finished = |name, flags, symbols| {
        Site::new(
            name,
            Recipe::new(Tool::Gcc, "chain.c", flags).symbols(symbols),
            CHAIN,
        )
    };
    vec![
        finished("c_o2_stripped", "-O2", Symbols::Stripped).may_be_unnamed(),
        finished(
            "c_o2_fp_stripped",
            "-O2 -fno-omit-frame-pointer",
            Symbols::Stripped,
        )
        .may_be_unnamed(),
        finished("c_o2_static_stripped", "-O2 -static", Symbols::Stripped).may_be_unnamed(),
        finished(
            "c_o2_nopie_stripped",
            "-O2 -fno-pie -no-pie",
            Symbols::Stripped,
        )
        .may_be_unnamed(),
        finished("c_o2_g_beside", "-O2 -g", Symbols::Beside).at("chain.c", "LEAK"),
        finished("c_o2_static_beside", "-O2 -static", Symbols::Beside),
        finished("c_o2_mini", "-O2", Symbols::Mini),
    ]
}

/// The first function outside libc is found by libc's own unwind information; where there are no
/// frame pointers either, nothing behind it.
fn without_unwinding() -> Vec<Site> {
    const NONE: &str = "-O2 -fno-asynchronous-unwind-tables -fno-unwind-tables";
    const FRAMES: &str =
        "-O2 -fno-asynchronous-unwind-tables -fno-unwind-tables -fno-omit-frame-pointer";
    vec![
        chain("c_o2_no_tables", NONE),
        chain("c_o2_fp_no_tables", FRAMES),
    ]
}

fn merged() -> Vec<Site> {
    let c = |name, sources, flags, chain| {
        Site::new(name, Recipe::new(Tool::Gcc, sources, flags), chain)
    };
    const UNITED: &str = "united.c united_leak.c";
    const TWINS: &str = "twins.c twins_other.c";
    const FIRST: &[&str] = &["leak", "first", "main"];
    const SECOND: &[&str] = &["leak", "second", "main"];
    vec![
        c("inlined", "inlined.c", "-O2", &["outer", "main"]),
        c("inlined_g", "inlined.c", "-O2 -g", CHAIN).at("inlined.c", "LEAK"),
        c("part", "part.c", "-O2", &["leak", "main"]),
        c("part_g", "part.c", "-O3 -g", &["leak", "main"]).at("part.c", "LEAK"),
        chain("c_o2_lto", "-O2 -flto"),
        c("united", UNITED, "-O2 -flto", &["outer", "main"]),
        c(
            "united_g",
            UNITED,
            "-O2 -g -flto",
            &["leak", "outer", "main"],
        )
        .at("united_leak.c", "LEAK"),
        c("twin_first", TWINS, "-O2", FIRST).with("first"),
        c("twin_second", TWINS, "-O2", SECOND).with("second"),
        c("twin_first_g", TWINS, "-O2 -g", FIRST)
            .with("first")
            .at("twins.c", "LEAK"),
        c("twin_second_g", TWINS, "-O2 -g", SECOND)
            .with("second")
            .at("twins_other.c", "LEAK"),
    ]
}
