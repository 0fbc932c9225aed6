//! The invariants of ARCHITECTURE.md that the sources show: who may name whom, who knows what, and
//! how long a file may be. The tables come first; how they are checked is in `architecture/`.

#![cfg(test)] // so that the allowances for tests in clippy.toml reach the helpers too

mod architecture {
    pub(crate) mod names;
    mod planted;
    pub(crate) mod rules;
    pub(crate) mod tree;
}

use std::{path::Path, sync::LazyLock};

use architecture::{
    rules::{
        Kind::{Effects, Pure},
        LongRow, ModuleRow, NameRow, impure, rows, too_long, wrong_edges, wrong_names,
    },
    tree::{Module, Sources, modules, read},
};

/// The modules of the top level, and which others each may name. `lib` is what the root of the
/// library defines itself; a row that no source needs fails too.
const MODULES: &[ModuleRow] = &[
    (
        "agent",
        Effects,
        &[
            "command",
            "config",
            "cost",
            "decode",
            "engine",
            "facts",
            "failure",
            "files",
            "findings",
            "heap",
            "judge",
            "ledger",
            "lib",
            "model",
            "origin",
            "output",
            "preflight",
            "recording",
            "source",
            "state",
        ],
    ),
    (
        "cli",
        Effects,
        &["config", "detect", "failure", "findings", "origin"],
    ),
    ("command", Effects, &[]),
    ("compare", Pure, &["model", "review"]),
    ("config", Pure, &["detect", "failure", "findings", "model"]),
    ("cost", Effects, &["source"]),
    ("decode", Pure, &["model"]),
    ("demo", Effects, &["agent", "config", "failure", "lib"]),
    ("detect", Pure, &["ledger", "model"]),
    (
        "diff",
        Pure,
        &["compare", "config", "failure", "files", "output"],
    ),
    ("doctor", Effects, &["lib", "output", "preflight", "source"]),
    (
        "engine",
        Pure,
        &["config", "detect", "findings", "judge", "ledger", "model"],
    ),
    (
        "facts",
        Effects,
        &["findings", "judge", "ledger", "model", "source"],
    ),
    ("failure", Pure, &[]),
    (
        "files",
        Effects,
        &[
            "config", "failure", "findings", "lib", "model", "output", "review",
        ],
    ),
    ("findings", Pure, &["ledger", "model"]),
    ("heap", Effects, &[]),
    (
        "judge",
        Pure,
        &["config", "detect", "findings", "ledger", "model", "origin"],
    ),
    ("ledger", Pure, &["model"]),
    ("lib", Effects, &["output"]),
    (
        "main",
        Effects,
        &[
            "agent", "cli", "demo", "diff", "doctor", "findings", "heap", "lib", "origin", "report",
        ],
    ),
    ("model", Pure, &[]),
    ("origin", Effects, &["ledger", "model", "source"]),
    (
        "output",
        Effects,
        &[
            "compare",
            "config",
            "failure",
            "findings",
            "lib",
            "model",
            "origin",
            "preflight",
            "review",
        ],
    ),
    ("preflight", Effects, &["failure", "source"]),
    (
        "recording",
        Effects,
        &["engine", "failure", "judge", "lib", "model"],
    ),
    (
        "report",
        Pure,
        &[
            "config", "failure", "files", "findings", "lib", "output", "review",
        ],
    ),
    ("review", Pure, &["model"]),
    ("source", Effects, &["lib", "model"]),
    ("state", Effects, &["model"]),
];

/// What only some files may mention.
const NAMES: &[NameRow] = &[
    (
        "only source::kernel knows BPF",
        &["aya", "aya_log", "aya_obj", "btf_rs"],
        &["source/kernel"],
    ),
    (
        // The processes that name speak JSON with the agent, memguard with its next run and with
        // its tests; nobody else sees it. Plain values can be serialised, which is not JSON.
        "only output knows JSON",
        &["serde_json", "schemars"],
        &["output", "origin", "recording", "state"],
    ),
    (
        // `main` parses the command line that `cli` describes.
        "only cli knows clap",
        &["clap"],
        &["cli", "main.rs"],
    ),
];

/// What no pure module may mention.
const EFFECTS: &[&str] = &[
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "Instant::now",
    "SystemTime",
    "clock_gettime",
    "rustix",
    "tokio",
    "unsafe",
    ".unwrap",
    "panic!",
];

/// No file has more lines than this, but those of the next table.
const LINES: usize = 400;

/// Files that may be longer, and why.
const LONG: &[LongRow] = &[
    (
        "decode.rs",
        "one function a record, and a table of all of them in its tests",
    ),
    (
        "ledger/space/tests/histories.rs",
        "one model of the kernel and the histories that it judges",
    ),
    ("ledger/space/tests/mod.rs", "a table of cases"),
    ("ledger/tests/mod.rs", "a table of cases"),
];

fn sources() -> Sources {
    let sources = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(sources.len() > 40, "{} files found", sources.len());
    sources
}

static AGENT: LazyLock<Vec<Module>> =
    LazyLock::new(|| modules(&sources()).unwrap_or_else(|error| panic!("{error}")));

#[test]
fn modules_name_only_those_that_they_may() {
    let found = wrong_edges(&AGENT, MODULES);
    let rows = rows(&AGENT, MODULES);
    assert!(
        found.is_empty(),
        "{found:#?}\nas the sources have it:\n{rows}"
    );
}

#[test]
fn names_are_known_only_where_they_may() {
    for row in NAMES {
        let found = wrong_names(&AGENT, *row);
        assert!(found.is_empty(), "{found:#?}");
    }
}

#[test]
fn pure_modules_have_no_effects() {
    let found = impure(&AGENT, MODULES, EFFECTS);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn files_are_short() {
    let found = too_long(&sources(), LINES, LONG);
    assert!(found.is_empty(), "{found:#?}");
}
