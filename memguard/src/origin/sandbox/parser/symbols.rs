//! What blazesym finds in one file, without what it only guesses.

use std::{
    fs::File,
    os::fd::AsRawFd as _,
    path::{Path, PathBuf},
    rc::Rc,
};

use blazesym::{
    helper::ElfResolver,
    symbolize::{
        CodeInfo, FindSymOpts, Input, ResolvedSym, Sym, Symbolize as _, Symbolized, Symbolizer,
        source::{Elf, Source},
    },
};

use super::super::trap;
use crate::origin::symbolize::wire::{INLINED, NAME_BYTES, Name};

/// The symbols of a file, and its debug information where that is wanted and can be read.
pub(super) struct Symbols {
    /// The file's tables of symbols.
    tables: Source<'static>,
    /// The same with its debug information.
    everything: Source<'static>,
    dwarf: Option<Rc<ElfResolver>>,
    /// Open, because the path leads through its number.
    file: File,
    /// Gives names as they stand in the file.
    plain: Symbolizer,
    /// Gives names as people read them.
    demangling: Symbolizer,
}

/// An entry of a table of symbols.
pub(super) struct Symbol {
    pub(super) name: String,
    pub(super) start: u64,
    pub(super) size: Option<u64>,
}

impl Symbols {
    pub(super) fn open(file: File, lines: bool) -> Self {
        let path = trap::path(file.as_raw_fd());
        let elf = |debug_syms| {
            let mut elf = Elf::new(&path);
            elf.debug_syms = debug_syms;
            Source::Elf(elf)
        };
        let symbolizer = |demangle| {
            let builder = Symbolizer::builder().enable_demangling(demangle);
            builder.enable_auto_reload(false).build()
        };
        let mut symbols = Self {
            tables: elf(false),
            everything: elf(true),
            dwarf: None,
            file,
            plain: symbolizer(false),
            demangling: symbolizer(true),
        };
        if lines {
            symbols.dwarf = symbols.read_debug_information(&path);
        }
        symbols
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Both symbolizers share what is read. The list of places to look for more is empty: it was
    /// looked for already, with more care.
    fn read_debug_information(&mut self, path: &Path) -> Option<Rc<ElfResolver>> {
        let nowhere = Vec::<PathBuf>::new();
        let dwarf = Rc::new(ElfResolver::open_with_debug_dirs(path, nowhere).ok()?);
        for symbolizer in [&mut self.plain, &mut self.demangling] {
            let shared = symbolizer.register_elf_resolver(path, Rc::clone(&dwarf));
            shared.ok()?;
        }
        Some(dwarf)
    }

    /// By debug information, the innermost function first; the outermost has no name where debug
    /// information has none that can be trusted.
    pub(super) fn described(&self, address: u64) -> Option<Vec<Name>> {
        let options = FindSymOpts::CodeInfoAndInlined;
        let found = self.dwarf.as_ref()?.find_sym(address, &options);
        let plain = found.ok()?.ok().filter(|plain| plain.addr <= address)?;
        if is_of_discarded(&plain) {
            return None;
        }
        let pretty = self
            .demangling
            .symbolize_single(&self.everything, Input::VirtOffset(address));
        let Ok(Symbolized::Sym(pretty)) = pretty else {
            return None;
        };
        let covered = self.covers(&plain, address);
        let mut names = inlined(&plain, &pretty);
        names.push(Name {
            function: readable(plain.name, &pretty.name).filter(|_| covered),
            ..place(pretty.code_info.as_deref())
        });
        let told = |name: &Name| name.function.is_some() || name.file.is_some();
        names.iter().any(told).then_some(names)
    }

    /// Whether a function of debug information, or the symbol that blazesym takes where that has
    /// none, covers the address. Functions in several parts have no size, and the address zero.
    fn covers(&self, plain: &ResolvedSym<'_>, address: u64) -> bool {
        match plain.size {
            Some(size) => address - plain.addr < size as u64,
            None => plain.addr == 0 && self.symbol(address).is_none_or(|symbol| symbol.start != 0),
        }
    }

    /// By the tables of symbols: the nearest before the address. Whoever asks has to check that it
    /// covers it.
    pub(super) fn symbol(&self, address: u64) -> Option<Symbol> {
        let find = |symbolizer: &'_ Symbolizer| {
            let found = symbolizer.symbolize_single(&self.tables, Input::VirtOffset(address));
            found.ok()?.into_sym().map(Sym::into_owned)
        };
        let (plain, pretty) = (find(&self.plain)?, find(&self.demangling)?);
        Some(Symbol {
            name: readable(&plain.name, &pretty.name)?,
            start: plain.addr,
            size: plain.size.map(|size| size as u64),
        })
    }
}

/// Functions that the linker threw away keep their debug information, at address zero, where they
/// overlap what is really there.
fn is_of_discarded(plain: &ResolvedSym<'_>) -> bool {
    plain.addr == 0 && plain.size.is_some()
}

fn inlined(plain: &ResolvedSym<'_>, pretty: &Sym<'_>) -> Vec<Name> {
    let functions = plain.inlined.iter().zip(&pretty.inlined);
    let names = functions.map(|(plain, pretty)| Name {
        function: readable(&plain.name, &pretty.name),
        ..place(pretty.code_info.as_ref())
    });
    let mut names: Vec<_> = names.collect();
    names.reverse();
    names.truncate(INLINED);
    names
}

/// A source file and a line in it.
fn place(info: Option<&CodeInfo<'_>>) -> Name {
    let file = info.map(|info| info.to_path().to_string_lossy().into_owned());
    Name {
        function: None,
        file: file.filter(|file| !file.is_empty()).map(shortened),
        line: info.and_then(|info| info.line).filter(|line| *line > 0),
    }
}

/// What is no mangled name is not demangled: to a demangler of C++ the function `f` is `float`.
fn readable(plain: &str, pretty: &str) -> Option<String> {
    let mangled = ["_Z", "__Z", "_R"];
    let mangled = mangled.iter().any(|prefix| plain.starts_with(prefix));
    let name = if mangled { pretty } else { plain };
    // `fopen@@GLIBC_2.2.5`
    let name = name.split('@').next().unwrap_or(name);
    (!name.is_empty()).then(|| shortened(without_clone(name).to_owned()))
}

/// Without what compilers append to a copy of a function: `parse.isra.0`.
fn without_clone(name: &str) -> &str {
    let copies = [".constprop.", ".isra.", ".part.", ".lto_priv.", ".llvm."];
    let end = copies.iter().filter_map(|copy| {
        let at = name.find(copy)?;
        let number = name
            .get(at + copy.len()..)?
            .starts_with(|char: char| char.is_ascii_digit());
        (number && at > 0).then_some(at)
    });
    end.min().and_then(|end| name.get(..end)).unwrap_or(name)
}

pub(super) fn shortened(mut name: String) -> String {
    if NAME_BYTES < name.len() {
        name.truncate(name.floor_char_boundary(NAME_BYTES));
        name.push('…');
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_of_a_function_have_its_name() {
        for (name, expected) in [
            ("parse", "parse"),
            ("parse.isra.0", "parse"),
            ("parse.constprop.0.isra.0", "parse"),
            ("parse.part.12", "parse"),
            // A method of Go.
            ("main.part.run", "main.part.run"),
            (".part.1", ".part.1"),
        ] {
            assert_eq!(without_clone(name), expected);
        }
    }

    #[test]
    fn plain_names_stay_as_they_are() {
        assert_eq!(readable("f", "float").as_deref(), Some("f"));
        assert_eq!(readable("_Z1fv", "f()").as_deref(), Some("f()"));
        assert_eq!(readable("fopen@@GLIBC_2.2.5", "").as_deref(), Some("fopen"));
        assert_eq!(readable("", ""), None);
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        let name = shortened("ü".repeat(NAME_BYTES));
        assert!(name.len() <= NAME_BYTES + '…'.len_utf8() && name.ends_with("ü…"));
    }
}
