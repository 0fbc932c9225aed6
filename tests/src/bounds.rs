//! The stored bounds of what a change may cost: `tests/bounds.toml`, sections of `name = integer`.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

/// How far a new bound is above its figure: what other kernels and another compiler may make of it.
const ROOM: f64 = 1.1;

/// One section of the file, by name.
#[derive(Debug)]
pub struct Bounds {
    section: String,
    all: BTreeMap<String, f64>,
}

impl Bounds {
    /// Reads a section.
    ///
    /// # Panics
    ///
    /// When it is not there, or has something else in it than integers.
    pub fn of(section: &str) -> Self {
        let text = text();
        let all = parse(&text, section);
        assert!(
            !all.is_empty(),
            "tests/bounds.toml has no section [{section}]"
        );
        Self {
            section: section.to_owned(),
            all,
        }
    }

    /// The names that have a bound.
    pub fn names(&self) -> Vec<&str> {
        self.all.keys().map(String::as_str).collect()
    }

    /// Says by how much each figure is below its bound, or, where `UPDATE_BOUNDS` is set, writes
    /// new ones.
    ///
    /// # Panics
    ///
    /// When one is above it or has none, or a bound has no figure.
    pub fn check(&self, figures: &BTreeMap<String, f64>) {
        if env::var_os("UPDATE_BOUNDS").is_some() {
            return write(&replaced(&text(), &self.section, figures));
        }
        let mut wrong = Vec::new();
        for (name, figure) in figures {
            match self.all.get(name) {
                Some(bound) if figure <= bound => println!("{}", self.below(name, *figure, *bound)),
                Some(bound) => wrong.push(format!("{name} is {figure}, above its bound {bound}")),
                None => wrong.push(format!("{name} is {figure} and has no bound")),
            }
        }
        let gone = self
            .names()
            .into_iter()
            .filter(|name| !figures.contains_key(*name));
        wrong.extend(gone.map(|name| format!("{name} has a bound and is not there any more")));
        assert!(
            wrong.is_empty(),
            "{wrong:#?}\nif that is meant, run this with UPDATE_BOUNDS=1, which changes [{}] in \
             tests/bounds.toml, and say in the commit what it buys",
            self.section
        );
    }

    fn below(&self, name: &str, figure: f64, bound: f64) -> String {
        let share = 100.0 * (bound - figure) / bound.max(f64::MIN_POSITIVE);
        format!(
            "{}.{name}: {figure:.2}, {share:.0} % below its bound {bound}",
            self.section
        )
    }
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/bounds.toml")
}

fn text() -> String {
    fs::read_to_string(file()).unwrap_or_else(|error| panic!("cannot read the bounds: {error}"))
}

fn write(text: &str) {
    fs::write(file(), text).unwrap_or_else(|error| panic!("cannot write the bounds: {error}"));
}

/// With new bounds in one section, which keeps its comments.
fn replaced(text: &str, wanted: &str, figures: &BTreeMap<String, f64>) -> String {
    let title = format!("[{wanted}]\n");
    let (before, rest) = text.split_once(&title).unwrap_or((text, ""));
    let end = rest.find("\n[").map_or(rest.len(), |end| end + 1);
    let (own, after) = rest.split_at(end);
    // What stands between the last bound and the next title belongs to that.
    let last = own.rfind(" = ").map_or(0, |last| last + 1);
    let tail = own[last..].split_once('\n').map_or("", |(_, tail)| tail);
    let mut bounds: Vec<String> = Vec::new();
    for (name, figure) in figures {
        bounds.push(format!("{name} = {}\n", (figure * ROOM).ceil()));
    }
    let bounds = bounds.concat();
    format!("{before}{title}{bounds}{tail}{after}")
}

fn parse(text: &str, wanted: &str) -> BTreeMap<String, f64> {
    let mut section = "";
    let mut all = BTreeMap::new();
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        } else if section == wanted && !line.is_empty() && !line.starts_with('#') {
            let (name, value) = line.split_once('=').unwrap_or((line, ""));
            let value = value.trim().replace('_', "").parse::<u32>();
            let value = value.unwrap_or_else(|error| panic!("tests/bounds.toml: {line}: {error}"));
            all.insert(name.trim().to_owned(), f64::from(value));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::{parse, replaced};

    /// A new bound leaves the other sections, and the words above them, as they are.
    #[test]
    fn a_section_is_replaced() {
        let text = "# words\n[one]\na = 1\n\n# of two\n[two]\nc = 3\n";
        let figures = [("b".to_owned(), 20.0), ("d".to_owned(), 0.0)].into();
        assert_eq!(
            replaced(text, "one", &figures),
            "# words\n[one]\nb = 22\nd = 0\n\n# of two\n[two]\nc = 3\n"
        );
        assert_eq!(
            replaced(text, "two", &figures),
            "# words\n[one]\na = 1\n\n# of two\n[two]\nb = 22\nd = 0\n"
        );
    }

    #[test]
    fn a_section_has_names_and_integers() {
        let text = "# words\n[one]\na = 1\n\n# more\nb = 2_000\n[two]\nc = 3\n";
        let all: Vec<_> = parse(text, "one").into_iter().collect();
        assert_eq!(all, [("a".to_owned(), 1.0), ("b".to_owned(), 2000.0)]);
        assert!(parse(text, "three").is_empty());
    }
}
