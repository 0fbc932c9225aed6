//! The table in `docs/overhead.md`, between two markers that stay where they are.

use std::{fs, path::Path};

use super::{host::Host, report, row::Row};

const BEGIN: &str = "<!-- bench: begin -->\n";
const END: &str = "<!-- bench: end -->";

/// Replaces what is between the markers.
pub(super) fn write(path: &Path, host: &Host, rows: &[Row]) {
    let old = fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    let fresh = format!("{host}\n{}\n", report::markdown(rows));
    let new = replaced(&old, &fresh)
        .unwrap_or_else(|| panic!("{} has not the markers {BEGIN}{END}", path.display()));
    fs::write(path, new).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
    println!("wrote {}", path.display());
}

fn replaced(old: &str, fresh: &str) -> Option<String> {
    let (before, rest) = old.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}{fresh}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is around the markers stays; without them nothing is written.
    #[test]
    fn only_the_table_changes() {
        let old = format!("head\n{BEGIN}old\n{END}\ntail\n");
        let new = format!("head\n{BEGIN}new\n{END}\ntail\n");
        assert_eq!(replaced(&old, "new\n"), Some(new));
        assert_eq!(replaced("head\n", "new\n"), None);
    }
}
