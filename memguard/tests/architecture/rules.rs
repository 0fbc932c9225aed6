//! What the tables of `architecture.rs` forbid, and where the sources do it.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    names::Mention,
    tree::{Module, Sources},
};

/// Whether a module may have effects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Time and bytes come in as arguments: no clock, file, network, thread, `unsafe` or panic.
    Pure,
    /// Anything.
    Effects,
}

/// A module of the top level, its kind, and the modules that it may name.
pub(crate) type ModuleRow = (&'static str, Kind, &'static [&'static str]);

/// What only some files may mention: a sentence, the names, and those files and folders.
pub(crate) type NameRow = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

/// A file that may be long, and why.
pub(crate) type LongRow = (&'static str, &'static str);

/// Edges between modules that have no row, and rows that no source needs.
pub(crate) fn wrong_edges(modules: &[Module], table: &[ModuleRow]) -> Vec<String> {
    let found = edges(modules);
    let tops: BTreeSet<&str> = modules.iter().map(Module::top).collect();
    let allowed: BTreeSet<_> = table
        .iter()
        .flat_map(|(from, _, to)| to.iter().map(|to| (*from, *to)))
        .collect();
    let mut wrong = Vec::new();
    for ((from, to), place) in &found {
        if !allowed.contains(&(from.as_str(), to.as_str())) {
            wrong.push(format!("{place}: {from} may not name {to}"));
        }
    }
    for (from, to) in allowed {
        if !found.contains_key(&(from.to_owned(), to.to_owned())) {
            wrong.push(format!(
                "the table lets {from} name {to}, which it does not"
            ));
        }
    }
    let rows: BTreeSet<_> = table.iter().map(|(name, ..)| *name).collect();
    wrong.extend(
        tops.difference(&rows)
            .map(|name| format!("{name} has no row in the table")),
    );
    wrong.extend(
        rows.difference(&tops)
            .map(|name| format!("there is no module {name}")),
    );
    wrong
}

/// The table as the sources have it, to be compared with the one that was written by hand.
pub(crate) fn rows(modules: &[Module], table: &[ModuleRow]) -> String {
    let mut rows: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let edges = edges(modules);
    for module in modules {
        rows.entry(module.top()).or_default();
    }
    for (from, to) in edges.keys() {
        rows.entry(from).or_default().insert(to);
    }
    let kind = |name: &str| {
        table
            .iter()
            .find(|(row, ..)| *row == name)
            .map_or(Kind::Effects, |row| row.1)
    };
    let row = |(name, to): (&&str, &BTreeSet<&str>)| {
        format!("    ({name:?}, {:?}, &{to:?}),\n", kind(name))
    };
    rows.iter()
        .map(row)
        .collect::<String>()
        .replace('{', "[")
        .replace('}', "]")
}

/// Every edge between two modules of the top level, with the first place where it is.
fn edges(modules: &[Module]) -> BTreeMap<(String, String), String> {
    let tops: BTreeSet<&str> = modules
        .iter()
        .filter_map(|it| it.path.first())
        .map(String::as_str)
        .collect();
    let mut edges = BTreeMap::new();
    for module in modules {
        let from = module.top();
        for mention in &module.mentions {
            let to = mention.target(from, &tops).filter(|to| *to != from);
            if let Some(to) = to {
                let place = place(module, mention);
                edges
                    .entry((from.to_owned(), to.to_owned()))
                    .or_insert(place);
            }
        }
    }
    edges
}

/// Mentions of names outside the files that may, and files in a row that mention none of them.
pub(crate) fn wrong_names(modules: &[Module], (rule, names, allowed): NameRow) -> Vec<String> {
    let (mut wrong, mut needed) = (Vec::new(), BTreeSet::new());
    for module in modules {
        let permit = allowed.iter().find(|place| lies_in(&module.file, place));
        for mention in &module.mentions {
            if let Some(name) = names.iter().find(|name| mention.has(name)) {
                match permit {
                    Some(permit) => _ = needed.insert(*permit),
                    None => wrong.push(format!("{}: {name}: {rule}", place(module, mention))),
                }
            }
        }
    }
    let idle = allowed.iter().filter(|place| !needed.contains(*place));
    wrong.extend(idle.map(|place| format!("{place} needs no permission: {rule}")));
    wrong
}

/// Mentions, in pure modules, of what has effects.
pub(crate) fn impure(modules: &[Module], table: &[ModuleRow], names: &[&str]) -> Vec<String> {
    let is_pure = |module: &&Module| {
        let mut rows = table.iter();
        rows.any(|(name, kind, _)| *kind == Kind::Pure && *name == module.top())
    };
    let mut wrong = Vec::new();
    for module in modules.iter().filter(is_pure) {
        for mention in &module.mentions {
            if let Some(name) = names.iter().find(|name| mention.has(name)) {
                wrong.push(format!(
                    "{}: {name} in a pure module",
                    place(module, mention)
                ));
            }
        }
    }
    wrong
}

/// Files above the limit that have no row, and rows of files that are not.
pub(crate) fn too_long(sources: &Sources, limit: usize, table: &[LongRow]) -> Vec<String> {
    let lines = |file: &str| sources.get(file).map_or(0, |text| text.lines().count());
    let has_row = |file: &str| table.iter().any(|(name, _)| *name == file);
    let long = sources
        .keys()
        .filter(|file| lines(file) > limit && !has_row(file));
    let mut wrong: Vec<_> = long
        .map(|file| format!("{file}: {} lines, more than {limit}", lines(file)))
        .collect();
    let idle = table.iter().filter(|(file, _)| lines(file) <= limit);
    wrong.extend(idle.map(|(file, _)| format!("{file} is not above {limit} lines: drop its row")));
    wrong
}

fn lies_in(file: &str, place: &str) -> bool {
    file == place
        || file
            .strip_prefix(place)
            .is_some_and(|rest| rest.starts_with('/'))
}

fn place(module: &Module, mention: &Mention) -> String {
    format!(
        "{}:{}: {}",
        module.file,
        mention.line,
        mention.words.join("::")
    )
}
