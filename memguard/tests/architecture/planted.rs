//! The checks find what they are for, and nothing else.

use super::{
    rules::{Kind, ModuleRow, impure, too_long, wrong_edges, wrong_names},
    tree::{Module, Sources, modules},
};

const TABLE: [ModuleRow; 3] = [
    ("lib", Kind::Effects, &[]),
    ("a", Kind::Pure, &[]),
    ("b", Kind::Effects, &[]),
];

fn sources(files: &[(&str, &str)]) -> Sources {
    let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
    files.iter().map(owned).collect()
}

/// A crate of two modules, where `a/deep/inner.rs` or another file has this code.
fn with(file: &str, code: &str) -> Vec<Module> {
    let mut all = sources(&[
        ("lib.rs", "mod a; mod b; pub fn tell() {}"),
        ("a/mod.rs", "#[cfg(test)]\nmod tests;\nmod deep;"),
        (
            "a/tests.rs",
            "use crate::b::ForATest; fn f() { None::<u8>.unwrap(); }",
        ),
        ("a/deep.rs", "mod inner;"),
        ("a/deep/inner.rs", ""),
        ("b.rs", ""),
    ]);
    let before = all.entry(file.to_owned()).or_default();
    before.push('\n');
    before.push_str(code);
    modules(&all).unwrap()
}

#[track_caller]
fn check_edge(file: &str, code: &str, expected: &[&str]) {
    assert_eq!(
        wrong_edges(&with(file, code), &TABLE),
        expected,
        "{file}: {code}"
    );
}

/// Whatever form a wrong edge has, and wherever it stands.
#[test]
fn finds_planted_edges() {
    let inner = "a/deep/inner.rs";
    for (file, code, place) in [
        ("a/mod.rs", "use crate::b::X;", "4: crate::b::X"),
        (
            inner,
            "use crate::{a::{self, Y}, b::{c::{D}}};",
            "2: crate::b::c::D",
        ),
        (inner, "fn f() -> u8 { crate::b::f() }", "2: crate::b::f"),
        (
            inner,
            "use super::super::super::b::X;",
            "2: super::super::super::b::X",
        ),
        (
            inner,
            "fn f(x: X) -> bool { matches!(x, crate::b::X) }",
            "2: crate::b::X",
        ),
        (
            inner,
            "mod m { use super::super::super::super::b; }",
            "2: super::super::super::super::b",
        ),
        (
            inner,
            "#[cfg(any(test, unix))] use crate::b;",
            "2: crate::b",
        ),
        (inner, "#[cfg(not(test))] use crate::b;", "2: crate::b"),
        (
            inner,
            "macro_rules! m { () => { $crate::b::f() } }",
            "2: crate::b::f",
        ),
        (inner, "#[derive(crate::b::D)] struct S;", "2: crate::b::D"),
        (
            inner,
            "/* a comment */ pub(in crate::a) fn f(_: crate::r#b::X) {}",
            "2: crate::b::X",
        ),
        (inner, "struct S(pub (crate::b::X, u8));", "2: crate::b::X"),
        (
            inner,
            "fn f() { #[cfg(test)] use crate::a; crate::b::f() }",
            "2: crate::b::f",
        ),
    ] {
        check_edge(file, code, &[&format!("{file}:{place}: a may not name b")]);
    }
    check_edge(
        "lib.rs",
        "fn f() { b::f() }",
        &["lib.rs:2: b::f: lib may not name b"],
    );
    check_edge(
        inner,
        "use crate::tell;",
        &["a/deep/inner.rs:2: crate::tell: a may not name lib"],
    );
    check_edge(
        "a/mod.rs",
        "use super::*;",
        &["a/mod.rs:4: super::*: a may not name *"],
    );
    check_edge(
        "b.rs",
        "use crate as c;",
        &["b.rs:2: crate: b may not name *"],
    );
}

/// Strings, comments, tests, and paths that stay in their module or leave the crate.
#[test]
fn finds_nothing_else() {
    for code in [
        "const S: &str = \"use crate::b::X;\"; // crate::b::X",
        "/* crate::b::X */ const S: &str = r#\"\"crate::b::X\"\"#;",
        "/// [`crate::b::X`]\npub(crate) fn f() -> char { ':' }",
        "#[cfg(test)] mod tests { use crate::b::X; }",
        "#[cfg(all(test, unix))] use crate::b::X;",
        "struct S; impl S { #[cfg(test)] fn f() { crate::b::f() } }",
        "fn f() { #[cfg(test)] let x = crate::b::f(); }",
        "use super::super::deep; use crate::a; use self::n::b; mod n { pub(super) mod b {} }",
        "use std::b; fn f() { ::b::f(); b::f() }",
    ] {
        check_edge("a/deep/inner.rs", code, &[]);
    }
}

/// A row that no source needs, a row without a module, and a module without a row.
#[test]
fn finds_rows_that_do_not_apply() {
    let table = [
        ("lib", Kind::Effects, &[][..]),
        ("a", Kind::Pure, &["b"][..]),
        ("c", Kind::Pure, &[]),
    ];
    let expected = [
        "the table lets a name b, which it does not",
        "b has no row in the table",
        "there is no module c",
    ];
    assert_eq!(wrong_edges(&with("b.rs", ""), &table), expected);
}

/// A file that no `mod` declares is not compiled, and so no test would ever look at it.
#[test]
fn finds_files_that_are_no_modules() {
    let all = sources(&[("lib.rs", "mod a;"), ("a.rs", ""), ("a/lost.rs", "")]);
    let error = modules(&all).err();
    assert_eq!(
        error.as_deref(),
        Some("a/lost.rs: no `mod` declares this file")
    );
}

/// Names that only some files may mention, in the forms in which they are mentioned.
#[test]
fn finds_planted_names() {
    let check = |code: &str, names: &'static [&'static str], expected: usize| {
        let found = impure(&with("a/deep/inner.rs", code), &TABLE, names);
        assert_eq!(found.len(), expected, "{code}: {found:?}");
    };
    check("use std::{io, fs::{self, File}};", &["std::fs"], 2);
    check(
        "fn f() { std::time::Instant::now(); }",
        &["Instant::now"],
        1,
    );
    check("fn f() { g()\n.unwrap(); }", &[".unwrap"], 1);
    check("fn f() { if x != y { panic!(\"x\") } }", &["panic!"], 1);
    check("fn f() { unsafe { g() } }", &["unsafe"], 1);
    check(
        "fn unwrap() {} // unsafe\nconst S: &str = \"panic!\";",
        &[".unwrap", "panic!", "unsafe"],
        0,
    );

    let row = ("only a knows it", &["aya"][..], &["a/deep", "a/mod.rs"][..]);
    let found = wrong_names(&with("b.rs", "use aya::Ebpf;"), row);
    let expected = [
        "b.rs:2: aya::Ebpf: aya: only a knows it",
        "a/deep needs no permission: only a knows it",
        "a/mod.rs needs no permission: only a knows it",
    ];
    assert_eq!(found, expected);
    let row = ("only a knows it", &["aya"][..], &["a/deep"][..]);
    assert!(wrong_names(&with("a/deep/inner.rs", "use aya::Ebpf;"), row).is_empty());
}

#[test]
fn finds_long_files() {
    let all = sources(&[
        ("a.rs", "1\n2\n3\n"),
        ("b.rs", "1\n2\n"),
        ("c.rs", "1\n2\n3"),
    ]);
    let found = too_long(&all, 2, &[("b.rs", "was long"), ("c.rs", "is long")]);
    let expected = [
        "a.rs: 3 lines, more than 2",
        "b.rs is not above 2 lines: drop its row",
    ];
    assert_eq!(found, expected);
}
