//! C++, Rust, Go with symbols, and what is native in Python and Node.

use crate::origins::{
    recipe::{Interpreter, Recipe, Symbols, Tool},
    site::Site,
};

pub(super) fn sites() -> Vec<Site> {
    [cxx(), rust(), go(), interpreted()].concat()
}

fn stripped(site: Site) -> Site {
    let recipe = site.recipe.symbols(Symbols::Stripped);
    Site { recipe, ..site }.may_be_unnamed()
}

fn cxx() -> Vec<Site> {
    let made =
        |name, flags, chain| Site::new(name, Recipe::new(Tool::Gxx, "objects.cpp", flags), chain);
    let lined = |name, mode: &str, mark, chain| {
        made(name, "-O2 -g", chain)
            .with(mode)
            .at("objects.cpp", mark)
    };
    const STREAMS: &[&str] = &["streams", "main"];
    const CATCHES: &[&str] = &["Guard::~Guard", "unwinds", "catches", "main"];
    const WORKS: &[&str] = &["leak", "works"];
    vec![
        lined("cxx_stream", "streams", "LEAK streams", STREAMS),
        lined(
            "cxx_directory",
            "entries",
            "LEAK entries",
            &["entries", "main"],
        ),
        lined(
            "cxx_lambda",
            "calls_lambda",
            "LEAK calls_lambda",
            &["operator()|calls_lambda", "calls_lambda", "main"],
        ),
        lined(
            "cxx_template",
            "instantiates",
            "LEAK leak_of",
            &["leak_of", "instantiates", "main"],
        ),
        lined(
            "cxx_virtual",
            "overrides",
            "LEAK File::take",
            &["File::take", "overrides", "main"],
        ),
        lined("cxx_unwinding", "catches", "LEAK Guard::~Guard", CATCHES),
        lined(
            "cxx_caught",
            "handles",
            "LEAK handles",
            &["handles", "main"],
        ),
        lined("cxx_thread", "starts_thread", "LEAK leak", WORKS),
        made("cxx_stream_plain", "-O2", STREAMS).with("streams"),
        made("cxx_stream_static", "-O2 -static", STREAMS).with("streams"),
        made(
            "cxx_template_plain",
            "-O2",
            &["leak_of", "instantiates", "main"],
        )
        .with("instantiates"),
        made("cxx_unwinding_os", "-Os", CATCHES).with("catches"),
        made("cxx_thread_plain", "-O2", WORKS).with("starts_thread"),
        Site::new(
            "cxx_early",
            Recipe::new(Tool::Gxx, "early.cpp", "-O2 -g"),
            &["Registry::Registry|Registry"],
        )
        .at("early.cpp", "LEAK"),
    ]
}

fn rust() -> Vec<Site> {
    let made = |name, flags, mode: &str, chain| {
        Site::new(name, Recipe::new(Tool::Rustc, "kept.rs", flags), chain).with(mode)
    };
    let lined =
        |name, mode: &str, mark, chain| made(name, "-O -g", mode, chain).at("kept.rs", mark);
    const OPENS: &[&str] = &["kept::opens", "kept::main"];
    const LISTENS: &[&str] = &["kept::listens", "kept::main"];
    const CLOSURE: &[&str] = &[
        "closes_over::{closure}",
        "applies",
        "closes_over",
        "kept::main",
    ];
    const GENERIC: &[&str] = &["generic", "instantiates", "kept::main"];
    const AWAITED: &[&str] = &[
        "awaited::{closure}|awaited::{async_fn}",
        "polls",
        "waits",
        "kept::main",
    ];
    vec![
        lined("rust_file", "opens", "LEAK opens", OPENS),
        lined("rust_listener", "listens", "LEAK listens", LISTENS),
        lined("rust_thread", "in_thread", "LEAK opens", &["kept::opens"]),
        lined("rust_closure", "closes_over", "LEAK closes_over", CLOSURE),
        lined("rust_generic", "instantiates", "LEAK generic", GENERIC),
        lined(
            "rust_trait",
            "dispatches",
            "LEAK take",
            &["take", "dispatches", "kept::main"],
        ),
        lined("rust_async", "waits", "LEAK awaited", AWAITED),
        made("rust_debug", "-g", "opens", OPENS).at("kept.rs", "LEAK opens"),
        made(
            "rust_o3",
            "-C opt-level=3 -C strip=debuginfo",
            "opens",
            OPENS,
        ),
        made(
            "rust_o3_listener",
            "-C opt-level=3 -C strip=debuginfo",
            "listens",
            LISTENS,
        ),
        made("rust_oz", "-C opt-level=z", "opens", OPENS),
        made("rust_abort", "-O -C panic=abort", "listens", LISTENS),
        made("rust_fp", "-O -C force-frame-pointers=yes", "opens", OPENS),
        made(
            "rust_v0",
            "-O -C symbol-mangling-version=v0",
            "instantiates",
            GENERIC,
        ),
        made(
            "rust_lto",
            "-O -g -C lto=fat -C codegen-units=1",
            "opens",
            OPENS,
        )
        .at("kept.rs", "LEAK opens"),
        made(
            "rust_static",
            "-O -C target-feature=+crt-static",
            "opens",
            OPENS,
        ),
        stripped(made("rust_stripped", "-O", "opens", OPENS)),
    ]
}

fn go() -> Vec<Site> {
    let made = |name, flags, mode: &str, chain| {
        Site::new(name, Recipe::new(Tool::Go, "kept.go", flags), chain).with(mode)
    };
    const OPENS: &[&str] = &["main.opens", "main.main"];
    const LISTENS: &[&str] = &["main.listens", "main.inGoroutine.func1"];
    vec![
        made("go_file", "", "opens", OPENS)
            .at("kept.go", "LEAK opens")
            .of_kind("device"),
        made("go_syscall", "", "calls", &["main.calls", "main.main"])
            .at("kept.go", "LEAK calls")
            .of_kind("device"),
        made("go_listener", "", "inGoroutine", LISTENS)
            .at("kept.go", "LEAK listens")
            .of_kind("tcp"),
        Site::new(
            "go_crossed",
            Recipe::new(Tool::Go, "crossed.go", ""),
            &["leak", "crossed", "main.crosses", "main.main"],
        )
        .of_kind("device"),
    ]
}

/// What calls the interpreters' own functions is not the program's: which of them it is, the
/// version decides.
fn interpreted() -> Vec<Site> {
    let python = Recipe::new(Tool::Interpreter(Interpreter::Python), "", "");
    let node = Recipe::new(Tool::Interpreter(Interpreter::Node), "", "");
    let extension = |flags| Recipe::new(Tool::Extension, "extension.c", flags);
    const TAKE: &[&str] = &["leak", "take"];
    vec![
        Site::new("python_extension", python, TAKE)
            .needs("extension.so", extension("-O2"))
            .by("@/python_extension SOURCES/extension.py @/extension.so"),
        Site::new("python_extension_g", python, TAKE)
            .needs("extension_g.so", extension("-O2 -g"))
            .by("@/python_extension_g SOURCES/extension.py @/extension_g.so")
            .at("extension.c", "LEAK"),
        Site::new("python_native", python, &[])
            .by("@/python_native SOURCES/opens.py")
            .may_be_unnamed(),
        Site::new("node_native", node, &[])
            .by("@/node_native SOURCES/opens.js")
            .of_kind("device")
            .may_be_unnamed(),
    ]
}
