//! The functions of a binary: by its debug information, which may be in a file of its own, by the
//! table that programs of Go carry, and by its tables of symbols.
//!
//! A wrong name is worse than none, so a symbol names an address only where it covers it: by its
//! size, or, where it has none, by the function that the call frame information begins there.

use std::{cell::OnceCell, fs::File};

use super::{
    recent::Files,
    symbols::{Symbol, Symbols, shortened},
};
use crate::origin::{
    image::{GoName, GoProgram, Image},
    symbolize::wire::Name,
};

/// Labels without a size that are stepped over on the way to the function they are in.
const LABELS: usize = 8;

/// See the module.
pub(super) struct Binary {
    main: Symbols,
    /// The file that has its debug information, where that is another.
    debug: Option<Symbols>,
    /// Its unwind information; read when it is needed, which is seldom, `None` where there is
    /// none.
    image: OnceCell<Option<Image>>,
    /// Its table of Go's functions, likewise.
    golang: OnceCell<Option<GoProgram>>,
}

impl Binary {
    pub(super) fn open(files: Files) -> Self {
        let Files { file, debug, lines } = files;
        let debug = debug.map(|file| Symbols::open(file, lines));
        Self {
            main: Symbols::open(file, lines && debug.is_none()),
            debug,
            image: OnceCell::new(),
            golang: OnceCell::new(),
        }
    }

    /// What it is read from.
    pub(super) fn files(&self) -> [Option<&File>; 2] {
        [
            Some(self.main.file()),
            self.debug.as_ref().map(Symbols::file),
        ]
    }

    /// The functions of an address, the innermost first.
    pub(super) fn names(&self, address: u64) -> Vec<Name> {
        let mut sources = self.debug.iter().chain([&self.main]);
        let described = sources.find_map(|symbols| symbols.described(address));
        let mut names = described.unwrap_or_default();
        let of_go = self.of_go(address);
        if says_more(&of_go, &names) {
            names.clone_from(&of_go);
        }
        if names.last().is_none_or(|name| name.function.is_none()) {
            let of_go = of_go.into_iter().next_back();
            let function = of_go.and_then(|name| name.function);
            let function = function.or_else(|| self.symbol(address));
            match names.last_mut() {
                Some(outermost) => outermost.function = function,
                None if function.is_some() => names.push(Name {
                    function,
                    ..Name::default()
                }),
                None => {}
            }
        }
        names
    }

    fn of_go(&self, address: u64) -> Vec<Name> {
        let read = || GoProgram::read(self.main.file().try_clone().ok()?);
        let program = self.golang.get_or_init(read).as_ref();
        let names = program.map(|program| program.names(address));
        names.into_iter().flatten().map(Name::from).collect()
    }

    /// By the tables of symbols: what the file exports, then what only its debug information has.
    fn symbol(&self, address: u64) -> Option<String> {
        let exported = self.covering(address, |binary| Some(&binary.main));
        exported.or_else(|| self.covering(address, |binary| binary.debug.as_ref()))
    }

    fn covering(&self, address: u64, of: fn(&Self) -> Option<&Symbols>) -> Option<String> {
        let mut at = address;
        for _ in 0..LABELS {
            let Symbol { name, start, size } = of(self)?.symbol(at)?;
            match size {
                Some(size) if address.wrapping_sub(start) < size => return Some(name),
                Some(_) => return None,
                None if self.is_function(start, address) => return Some(name),
                // A label; the function that it stands in begins before it.
                None => at = start.checked_sub(1)?,
            }
        }
        None
    }

    fn is_function(&self, start: u64, address: u64) -> bool {
        let read = || Image::read(self.main.file().try_clone().ok()?).ok();
        let image = self.image.get_or_init(read);
        image
            .as_ref()
            .is_some_and(|image| image.covers(start, address))
    }
}

impl From<GoName> for Name {
    fn from(name: GoName) -> Self {
        let GoName { function, place } = name;
        let (file, line) = place.unzip();
        Self {
            function: Some(shortened(function)),
            file: file.map(shortened),
            line,
        }
    }
}

/// Whether Go's own table has a function or a line that debug information lacks, and lacks none.
fn says_more(of_go: &[Name], described: &[Name]) -> bool {
    let functions = |names: &[Name]| names.iter().filter(|name| name.function.is_some()).count();
    let lines = |names: &[Name]| names.iter().filter(|name| name.line.is_some()).count();
    let more = (functions(of_go), lines(of_go));
    let known = (functions(described), lines(described));
    more != known && known.0 <= more.0 && known.1 <= more.1
}
