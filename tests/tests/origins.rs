//! The line of source that acquired it: a corpus of places that leak, and what memguard says of
//! each.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use memguard_tests::{
    machine,
    origins::{
        self,
        recipe::{folder, whole},
        report::Row,
        shape::Shape,
    },
};

/// Sites that are there on a machine with nothing but `gcc` and binutils.
const AT_LEAST: usize = 40;

/// The function is right for 97 of 100 places that have a name, and for none is it false.
#[test]
fn every_place_has_its_own_name() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let sites = origins::made();
    let ran = origins::run(sites);
    let lines = ran.lines();
    let report = origins::compare(sites, &lines.left_behind());
    println!("{report}");
    assert!(report.sites() >= AT_LEAST, "hardly a compiler is installed");
    assert_eq!(listed(&report.wrong()), "", "told, but not so");
    assert_eq!(listed(&report.missing()), "", "not told in full");
    let (named, right) = report.named();
    assert!(right * 100 >= named * 97, "{right} of {named} are right");
}

fn listed(rows: &[&Row]) -> String {
    let rows: Vec<_> = rows.iter().map(ToString::to_string).collect();
    rows.join("\n")
}

/// The builds differ in what they are named for.
#[test]
fn builds_are_what_they_are_called() {
    let _made = origins::made();
    let check = |name: &str, what: &str, is_so: fn(Shape<'_>) -> bool, expected: bool| {
        assert_eq!(
            is_so(Shape(&folder().join(name))),
            expected,
            "{name}: {what}"
        );
    };
    let dynamic = |shape: Shape<'_>| shape.has_loader();
    check("c_o2", "has a loader", dynamic, true);
    check("c_o2_static", "has a loader", dynamic, false);
    check("c_o2_static_pie", "has a loader", dynamic, false);
    let relocatable = |shape: Shape<'_>| shape.kind() == "DYN";
    check("c_o2_pie", "may lie anywhere", relocatable, true);
    check("c_o2_static_pie", "may lie anywhere", relocatable, true);
    check("c_o2_nopie", "may lie anywhere", relocatable, false);
    check("c_o2_static", "may lie anywhere", relocatable, false);
    check("c_o2_elsewhere", "may lie anywhere", relocatable, false);
    let symbols = |shape: Shape<'_>| shape.has_section(".symtab");
    check("c_o2", "has symbols", symbols, true);
    check("c_o2_stripped", "has symbols", symbols, false);
    check("c_o2_g_beside", "has symbols", symbols, false);
    check("c_o2_mini", "has symbols", symbols, false);
    let lines = |shape: Shape<'_>| shape.has_section(".debug_line");
    check("c_o2", "has lines", lines, false);
    check("c_o2_g", "has lines", lines, true);
    check("c_o2_g_beside", "has lines", lines, false);
    check("c_o2_g_beside.debug", "has lines", lines, true);
    let linked = |shape: Shape<'_>| shape.has_section(".gnu_debuglink");
    check("c_o2_g_beside", "leads to its symbols", linked, true);
    let mini = |shape: Shape<'_>| shape.has_section(".gnu_debugdata");
    check("c_o2_mini", "has them compressed", mini, true);
    let named = |shape: Shape<'_>| shape.has_section(".note.gnu.build-id");
    check("c_o2", "has a build id", named, true);
    check("c_o2_no_build_id", "has a build id", named, false);
}

/// Frame pointers, unwind information and calls are there and not there as declared.
#[test]
fn functions_are_what_they_are_called() {
    let _made = origins::made();
    let check = |name: &str, what: &str, is_so: fn(Shape<'_>) -> bool, expected: bool| {
        assert_eq!(is_so(Shape(&whole(name))), expected, "{name}: {what}");
    };
    let framed = |shape: Shape<'_>| shape.keeps_frame_pointer("leak");
    for name in [
        "c_o2",
        "c_o2_g",
        "c_o3",
        "c_os",
        "c_o2_static",
        "c_o2_no_tables",
    ] {
        check(name, "keeps a frame pointer", framed, false);
    }
    for name in [
        "c_o2_fp",
        "c_os_g_fp",
        "c_o2_static_fp",
        "c_o2_fp_no_tables",
    ] {
        check(name, "keeps a frame pointer", framed, true);
    }
    let unwound = |shape: Shape<'_>| shape.can_unwind("leak");
    for (name, expected) in [
        ("c_o2", true),
        ("c_o2_no_tables", false),
        ("c_o2_fp_no_tables", false),
    ] {
        check(name, "has unwind information", unwound, expected);
    }
    let chained = |shape: Shape<'_>| {
        let pairs = [("middle", "leak"), ("outer", "middle"), ("main", "outer")];
        pairs
            .iter()
            .all(|(caller, callee)| shape.calls(caller, callee))
    };
    let sites = origins::made()
        .iter()
        .filter(|site| site.recipe.sources == "chain.c");
    for site in sites {
        check(site.name, "calls from one to the next", chained, true);
    }
}

/// What control flow is about is not optimised away.
#[test]
fn flows_are_what_they_are_called() {
    let _made = origins::made();
    let last = |name: &str, function: &str| Shape(&whole(name)).last_instruction(function);
    let jumps = last("tail_open", "jumps_to_open");
    assert!(
        jumps.starts_with("jmp") && jumps.contains("<open"),
        "{jumps}"
    );
    let jumps = last("tail_leak", "jumps_to_leak");
    assert!(
        jumps.starts_with("jmp") && jumps.contains("<leak"),
        "{jumps}"
    );
    for name in ["ending", "ending_os"] {
        let calls = last(name, "ends");
        assert!(
            calls.starts_with("call") && calls.contains("<exit"),
            "{name}: {calls}"
        );
    }
    let neighbour = last("signal_faulted", "neighbour");
    assert!(neighbour.starts_with("call"), "{neighbour}");
    // The address behind this call is the first of another function.
    let calls = last("ending_os", "ending");
    assert!(
        calls.starts_with("call") && calls.contains("<ends>"),
        "{calls}"
    );
    for name in ["inlined", "united", "part"] {
        assert!(
            !Shape(&whole(name)).has_function("leak"),
            "{name}: left as it is"
        );
    }
}
