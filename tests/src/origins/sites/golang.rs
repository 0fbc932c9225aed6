//! Go: all that its compiler does to calls, in programs with and without symbols.

use crate::origins::{
    recipe::{Recipe, Symbols, Tool},
    site::Site,
};

/// What a program does, the word behind its mark, and its own functions on the stack.
type Way = (&'static str, &'static str, &'static [&'static str]);

const WAYS: &[Way] = &[
    (
        "methods",
        "LEAK take",
        &["main.*store.take", "main.methods", "main.main"],
    ),
    (
        "dispatches",
        "LEAK take",
        &["main.*store.take", "main.dispatches", "main.main"],
    ),
    (
        "values",
        "LEAK take",
        &["main.*store.take", "main.apply", "main.values", "main.main"],
    ),
    (
        "expressions",
        "LEAK copied",
        &["main.store.copied", "main.expressions", "main.main"],
    ),
    (
        "reflects",
        "LEAK copied",
        &["main.store.copied", "main.reflects", "main.main"],
    ),
    (
        "closes",
        "LEAK closes",
        &[
            "main.closes.func1",
            "main.apply",
            "main.closes",
            "main.main",
        ],
    ),
    (
        "inlines",
        "LEAK inlined",
        &["main.inlined", "main.within", "main.inlines", "main.main"],
    ),
    (
        "instantiates",
        "LEAK generic",
        &["main.generic", "main.instantiates", "main.main"],
    ),
    (
        "pools",
        "LEAK grow",
        &["main.*pool.grow", "main.pools", "main.main"],
    ),
    (
        "defers",
        "LEAK later",
        &["main.later", "main.defers", "main.main"],
    ),
    (
        "recovers",
        "LEAK later",
        &[
            "main.later",
            "main.recovers.func1",
            "main.recovers",
            "main.main",
        ],
    ),
    (
        "recurses",
        "LEAK descend",
        &["main.descend*", "main.recurses", "main.main"],
    ),
    (
        "deepens",
        "LEAK descend",
        &["main.descend*", "main.deepens", "main.main"],
    ),
    ("starts", "LEAK later", &["main.later", "main.starts.func1"]),
    (
        "startsMethod",
        "LEAK later",
        &[
            "main.later",
            "main.*waits.run",
            "main.startsMethod.gowrap1|main.startsMethod.func1",
        ],
    ),
    (
        "links",
        "LEAK renamed",
        &["elsewhere.opens|main.renamed", "main.links", "main.main"],
    ),
    ("raw", "LEAK raw", &["main.raw", "main.main"]),
    ("large", "LEAK large", &["main.large", "main.main"]),
];

/// How the program is made, by the end of its name.
const BUILDS: &[(&str, &str, Symbols)] = &[
    ("whole", "", Symbols::Kept),
    ("bare", "", Symbols::Stripped),
    ("bare_pie", "-buildmode=pie", Symbols::Stripped),
    ("bare_trimmed", "-trimpath", Symbols::Stripped),
];

pub(super) fn sites() -> Vec<Site> {
    let each = BUILDS
        .iter()
        .flat_map(|build| WAYS.iter().map(|way| made(*build, *way)));
    each.chain(others()).collect()
}

fn made((end, flags, symbols): (&str, &'static str, Symbols), (mode, mark, chain): Way) -> Site {
    let recipe = Recipe::new(Tool::Go, "golang.go", flags).symbols(symbols);
    let site = Site::new(named(mode, end), recipe, chain);
    let kind = if mode == "raw" { "eventfd" } else { "device" };
    site.with(mode).at("golang.go", mark).of_kind(kind)
}

/// Names of sites are constants, and these are made of two.
fn named(mode: &str, end: &str) -> &'static str {
    let name = format!("go_{mode}_{end}").to_lowercase();
    Box::leak(name.into_boxed_str())
}

fn others() -> Vec<Site> {
    let bare = |name, sources, flags, chain| {
        let recipe = Recipe::new(Tool::Go, sources, flags).symbols(Symbols::Stripped);
        Site::new(name, recipe, chain).of_kind("device")
    };
    const EARLY: &[&str] = &["main.opens", "main.init|main.init.0"];
    const CROSSES: &[&str] = &["leak", "crossed", "main.crosses", "main.main"];
    const LISTENS: &[&str] = &["main.listens", "main.inGoroutine.func1"];
    vec![
        bare("go_listener_bare", "kept.go", "", LISTENS)
            .with("inGoroutine")
            .at("kept.go", "LEAK listens")
            .of_kind("tcp"),
        bare("go_init_bare", "golang_init.go", "", EARLY).at("golang_init.go", "LEAK"),
        // Its functions in C have no names then.
        bare("go_crossed_bare", "crossed.go", "", CROSSES).may_be_unnamed(),
        bare(
            "go_crossed_bare_pie",
            "crossed.go",
            "-buildmode=pie",
            CROSSES,
        )
        .may_be_unnamed(),
    ]
}
