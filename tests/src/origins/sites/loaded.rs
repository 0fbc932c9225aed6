//! Files that come and go while the program runs: `loads.c` with its plugin, and `swaps.c`.

use crate::origins::{
    recipe::{Recipe, Symbols, Tool},
    site::Site,
};

pub(super) fn sites() -> Vec<Site> {
    [libraries(), programs()].concat()
}

fn libraries() -> Vec<Site> {
    let host = Recipe::new(Tool::Gcc, "loads.c", "-O2 -g");
    let shared = |source| Recipe::new(Tool::Gcc, source, "-O2 -g -fPIC -shared");
    let site = |name, chain, mode: &str| {
        Site::new(name, host, chain)
            .needs("plugin.so", shared("plugin.c"))
            .needs("impostor.so", shared("impostor.c"))
            .with(&format!("{mode} @/plugin.so @/impostor.so"))
            .at("plugin.c", "LEAK")
    };
    const CLOSED: &[&str] = &["leak", "enter", "uses", "closed", "main"];
    const REPLACED: &[&str] = &["leak", "enter", "uses", "replaced", "main"];
    const DELETED: &[&str] = &["leak", "enter", "uses", "deleted", "main"];
    const RENAMED: &[&str] = &["leak", "enter", "uses", "renamed", "main"];
    let stripped = shared("plugin.c").symbols(Symbols::Stripped);
    // The file may be gone before anybody could open it, except where the program lingers.
    let living = |site: Site| Site {
        command: format!("LINGER=2 {}", site.command),
        ..site
    };
    vec![
        site("loaded_closed", CLOSED, "closed"),
        site("loaded_replaced", REPLACED, "replaced"),
        site("loaded_deleted", DELETED, "deleted").may_be_unnamed(),
        site("loaded_renamed", RENAMED, "renamed").may_be_unnamed(),
        living(site("loaded_deleted_living", DELETED, "deleted")),
        living(site("loaded_renamed_living", RENAMED, "renamed")),
        Site::new("loaded_stripped", host, CLOSED)
            .needs("plugin_stripped.so", stripped)
            .with("closed @/plugin_stripped.so")
            .may_be_unnamed(),
    ]
}

/// Another program has the name of the one that leaks: because it took its place, or because the
/// one that leaks is in a mount namespace of its own.
fn programs() -> Vec<Site> {
    const CHAIN: &[&str] = &["leak", "middle", "outer", "main"];
    let stranger = Recipe::new(Tool::Gcc, "depth.c", "-O2 -g");
    let swapped = |name, linger: &str| {
        let command = format!("cp @/stranger @/{name}.new; {linger} @/{name} @/{name}.new");
        Site::new(
            name,
            Recipe::new(Tool::Gcc, "swaps.c", "-O2 -g"),
            &["leak", "main"],
        )
        .needs("stranger", stranger)
        .by(&command)
        .at("swaps.c", "LEAK")
    };
    let contained = |name, linger: &str| {
        let inside = format!(
            "mount -t tmpfs none @/inside && cp @/{name} @/inside/ && {linger} exec @/inside/{name}"
        );
        let command = format!(
            "mkdir -p @/inside; cp @/stranger @/inside/{name}; unshare --mount sh -c '{inside}'"
        );
        Site::new(name, Recipe::new(Tool::Gcc, "chain.c", "-O2 -g"), CHAIN)
            .needs("stranger", stranger)
            .by(&command)
            .at("chain.c", "LEAK")
    };
    vec![
        swapped("swapped", "").may_be_unnamed(),
        swapped("swapped_living", "LINGER=2"),
        contained("contained", "").may_be_unnamed(),
        contained("contained_living", "LINGER=2"),
    ]
}
