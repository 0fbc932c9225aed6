//! Whether a name is true of an address, by the word of binutils: `nm` for functions, `addr2line`
//! for what was inlined into them.

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    names::{bare, last_part},
    recipe,
    stack::Frame,
};

/// The functions of the files that were asked about.
#[derive(Debug, Default)]
pub struct Symbols {
    files: RefCell<HashMap<PathBuf, Functions>>,
}

/// Functions of one file.
#[derive(Debug, Default)]
pub struct Functions(Vec<Function>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Function {
    start: u64,
    size: u64,
    name: String,
}

impl Symbols {
    /// Whether the function named in a frame is at its address. What has no name or no file says
    /// nothing, so nothing false.
    pub fn agree_with(&self, frame: &Frame) -> bool {
        let (Some(name), Some(module)) = (&frame.function, &frame.module) else {
            return true;
        };
        let Some(file) = file_with_symbols(module, frame.build_id.as_deref()) else {
            return true;
        };
        // A return address may be the first of the next function.
        let places = [frame.offset.saturating_sub(1), frame.offset];
        if frame.inlined {
            // Some tools know the namespace of what is inlined, and some do not.
            let name = last_part(name);
            return places
                .iter()
                .any(|place| inlined_at(&file, *place).contains(&name));
        }
        let mut files = self.files.borrow_mut();
        let functions = files
            .entry(file)
            .or_insert_with_key(|file| Functions::of(file));
        // Debug information names what is local to a file without its namespace.
        let name = bare(name);
        let is_named = |known: &String| *known == name || last_part(known) == name;
        places
            .iter()
            .any(|place| functions.at(*place).iter().any(is_named))
    }
}

impl Functions {
    fn of(file: &Path) -> Self {
        let read = |options: &[&str]| listed(Command::new("nm").args(options).arg(file));
        let all = [read(&["-CS"]), read(&["-CSD"])].concat();
        Self::parse(&all)
    }

    /// Reads what `nm -CS` prints: "START [SIZE] TYPE NAME".
    fn parse(printed: &str) -> Self {
        Self(printed.lines().filter_map(function).collect())
    }

    /// The names of what is at an address. A symbol without a size reaches to the next one.
    fn at(&self, address: u64) -> BTreeSet<String> {
        let begun = self.0.iter().filter(|it| it.start <= address);
        let last = begun.clone().map(|it| it.start).max();
        let covers = |it: &&Function| {
            address - it.start < it.size || (it.size == 0 && Some(it.start) == last)
        };
        begun.filter(covers).map(|it| bare(&it.name)).collect()
    }
}

fn function(line: &str) -> Option<Function> {
    let (start, rest) = line.split_once(' ')?;
    let start = u64::from_str_radix(start, 16).ok()?;
    let (first, behind) = rest.split_once(' ')?;
    let sized = u64::from_str_radix(first, 16)
        .ok()
        .filter(|_size| first.len() > 1);
    let (size, (kind, name)) = match sized {
        Some(size) => (size, behind.split_once(' ')?),
        None => (0, (first, behind)),
    };
    // What is of a version is written with it.
    let name = name.split('@').next().unwrap_or(name).to_owned();
    matches!(kind, "t" | "T" | "w" | "W" | "i" | "u").then_some(Function { start, size, name })
}

/// What is behind the name of a file that is gone, or whose name another file has.
const GONE: [&str; 3] = [" (deleted)", ".deleted", ".renamed"];

/// The file that has the symbols of a module: for the corpus the one it was stripped of, for others
/// the distribution's debug file, else the module itself.
fn file_with_symbols(module: &str, build_id: Option<&str>) -> Option<PathBuf> {
    let known = |module, gone| str::strip_suffix(module, gone).unwrap_or(module);
    let module = Path::new(GONE.into_iter().fold(module, known));
    if module.starts_with(recipe::folder()) {
        let whole = recipe::whole(&module.file_name()?.to_string_lossy());
        return whole.is_file().then_some(whole);
    }
    let (start, rest) = build_id
        .and_then(|id| id.split_at_checked(2))
        .unwrap_or_default();
    let debug = PathBuf::from(format!("/usr/lib/debug/.build-id/{start}/{rest}.debug"));
    [debug, module.to_owned()]
        .into_iter()
        .find(|file| file.is_file())
}

fn inlined_at(file: &Path, address: u64) -> BTreeSet<String> {
    let mut command = Command::new("addr2line");
    let printed = listed(command.arg("-fiCe").arg(file).arg(format!("{address:#x}")));
    printed.lines().step_by(2).map(last_part).collect()
}

fn listed(command: &mut Command) -> String {
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[cfg(test)]
mod tests {
    use super::Functions;

    const LISTED: &str = "\
0000000000001000 t _init
0000000000001120 0000000000000030 t leak
0000000000001120 0000000000000030 T _leak@@GLIBC_2.34
0000000000001150 T sizeless
0000000000001160 0000000000000015 T enter(int, char const*)
0000000000004010 0000000000000008 D data
                 U open@GLIBC_2.2.5
";

    /// Within the size, all names of one place, and without a size up to the next one.
    #[test]
    fn functions_are_found_by_address() {
        let functions = Functions::parse(LISTED);
        let check = |address: u64, expected: &[&str]| {
            let found: Vec<_> = functions.at(address).into_iter().collect();
            assert_eq!(found, expected, "{address:#x}");
        };
        check(0xfff, &[]);
        check(0x1010, &["_init"]);
        check(0x1120, &["_leak", "leak"]);
        check(0x114f, &["_leak", "leak"]);
        check(0x1150, &["sizeless"]);
        check(0x1160, &["enter"]);
        check(0x1175, &[]);
        check(0x4010, &[]);
    }
}
