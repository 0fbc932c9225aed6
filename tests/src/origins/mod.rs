//! Places that leak, and what memguard tells of them: for each the function and the line that are
//! right, as declared in [`sites`], against the stack in the finding.
//!
//! The sources are in `tests/programs/origins`. A name is *false* when it is of another function
//! than the program has called there, or when the symbols of the file have another function at the
//! address; neither may ever happen. That a place has no name is allowed only where nobody can know
//! it.

pub mod judge;
pub mod names;
pub mod recipe;
pub mod report;
pub mod shape;
pub mod site;
pub mod sites;
pub mod stack;
pub mod symbols;

use std::{collections::BTreeMap, fs, path::Path, sync::OnceLock, time::Duration};

use self::{
    judge::{Told, Truth, judge},
    names::is_one_of,
    recipe::{Tool, folder},
    report::{Report, Row},
    site::Site,
    stack::{Frame, Stack},
    symbols::Symbols,
};
use crate::{
    finding::Finding, invoke::Memguard, lines::text, programs::sources, running::Ran,
    scratch::Scratch,
};

const PATIENCE: Duration = Duration::from_mins(3);

/// Makes every site that this machine has the compilers for; the others are said to be skipped.
pub fn made() -> &'static [Site] {
    static MADE: OnceLock<Vec<Site>> = OnceLock::new();
    MADE.get_or_init(make)
}

fn make() -> Vec<Site> {
    for name in ["", "compiled", "whole"] {
        let folder = folder().join(name);
        fs::create_dir_all(&folder)
            .unwrap_or_else(|error| panic!("cannot make {}: {error}", folder.display()));
    }
    let mut sites = sites::all();
    sites.retain(is_possible);
    let mut recipes = BTreeMap::new();
    for site in &sites {
        recipes.insert(site.name, site.recipe);
        recipes.extend(site.needs.iter().copied());
    }
    for (name, recipe) in recipes {
        recipe.make(name);
    }
    sites
}

fn is_possible(site: &Site) -> bool {
    let others = site.needs.iter().map(|(_, recipe)| recipe);
    let lacks = others.chain([&site.recipe]).find_map(recipe::Recipe::lacks);
    if let Some(reason) = &lacks {
        println!("SKIPPED: {}: {reason}", site.name);
    }
    lacks.is_none()
}

/// Runs all of them under one `memguard run`, one after the other.
///
/// # Panics
///
/// When a program fails.
pub fn run(sites: &[Site]) -> Ran {
    let scratch = Scratch::new();
    let script = scratch.write("run.sh", &script(sites));
    let ran = Memguard::run(&[], &["sh", &script]).finish_within(PATIENCE);
    assert_eq!(ran.stdout, "", "programs that fail: {}", ran.stderr);
    ran
}

/// A line for each site, which prints nothing where all is well.
fn script(sites: &[Site]) -> String {
    let line = |site: &Site| {
        let folder = folder().display().to_string();
        let sources = sources().join("origins").display().to_string();
        let command = site
            .command
            .replace('@', &folder)
            .replace("SOURCES", &sources);
        format!(
            "{{ {command}; }} </dev/null >/dev/null || echo {} ended with $?\n",
            site.name
        )
    };
    sites.iter().map(line).collect()
}

/// What the findings say of each site.
pub fn compare(sites: &[Site], findings: &[Finding<'_>]) -> Report {
    let symbols = Symbols::default();
    let row = |site: &Site| {
        let told = told(site, findings);
        let truth = Truth {
            line: site.mark.map(|(source, mark)| marked_line(source, mark)),
            is_own: &|frame| is_own(site, frame),
            is_true: &|frame| is_unknowable(site, frame) || symbols.agree_with(frame),
        };
        Row::new(site, truth.line, &told, judge(site, &told, truth))
    };
    Report::new(sites.iter().map(row).collect())
}

fn told(site: &Site, findings: &[Finding<'_>]) -> Vec<Told> {
    let is_meant = |finding: &&Finding<'_>| {
        let name = text(finding.0, "/process/executable/name");
        name == site.name && site.kind.is_none_or(|kind| kind == finding.kind())
    };
    let read = |finding: &Finding<'_>| Told {
        count: finding.open_count(),
        stack: Stack::of(finding.0),
    };
    findings.iter().filter(is_meant).map(read).collect()
}

/// Whether a frame is of a file that was made for a site.
fn is_own(site: &Site, frame: &Frame) -> bool {
    let Some(module) = frame.module.as_deref() else {
        return false;
    };
    // A file that is gone has the kernel's remark behind its name.
    let module = Path::new(module.trim_end_matches(" (deleted)"));
    let interpreted = matches!(site.recipe.tool, Tool::Interpreter(_));
    let is_program = module.file_name().is_some_and(|name| name == site.name);
    module.starts_with(folder()) && !(interpreted && is_program)
}

/// Binutils take what Go has inlined for the function that it was inlined into, and say of a lambda
/// where it is. What is declared is judged by its place in the chain.
fn is_unknowable(site: &Site, frame: &Frame) -> bool {
    let is_declared = |name: &String| site.chain.iter().any(|wanted| is_one_of(name, wanted));
    let declared = frame.function.as_ref().is_some_and(is_declared);
    frame.inlined && (declared || site.recipe.tool == Tool::Go)
}

/// The number of the line that ends in this mark.
fn marked_line(source: &str, mark: &str) -> u64 {
    let path = sources().join("origins").join(source);
    let content = fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    let is_marked = |line: &str| {
        let line = line.trim_end().trim_end_matches("*/").trim_end();
        let before = line.strip_suffix(mark);
        before.is_some_and(|before| before.ends_with("/* ") || before.ends_with("// "))
    };
    let places: Vec<_> = (1..)
        .zip(content.lines())
        .filter(|(_, line)| is_marked(line))
        .collect();
    assert_eq!(places.len(), 1, "{mark} in {source}: {places:?}");
    places[0].0
}
