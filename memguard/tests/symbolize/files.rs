//! Files to name from.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use memguard::model::origin::BuildId;
use object::{
    LittleEndian, Object as _, ObjectSymbol as _,
    elf::{FileHeader64, STT_NOTYPE},
    read::elf::ElfFile,
};
use tempfile::TempDir;

/// A program, in a directory of its own.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) directory: TempDir,
}

/// Functions that are called, inlined, and never come back; lines are counted by the tests.
const SOURCE: &str = r#"
#include <stdlib.h>
#include <unistd.h>
#define APART __attribute__((noinline, noclone, noipa))
static volatile int sink;
static inline __attribute__((always_inline)) void inner(int n) {
    sink = n;                                                   /* 7 */
}
static inline __attribute__((always_inline)) void middle(int n) {
    inner(n + 1);                                               /* 10 */
}
APART void outer(int n) {
    middle(n);                                                  /* 13 */
}
APART void f(void) { sink = 1; }                                /* 15 */
APART _Noreturn void stop(void) {
    exit(sink);                                                 /* 17 */
}
APART void last_call(void) {
    stop();                                                     /* 20 */
}
APART void after(void) { sink = 2; }
__asm__(".text\n"
    "described:\n .cfi_startproc\n nop\n nop\n nop\n nop\n .cfi_endproc\n"
    "undescribed:\n nop\n nop\n nop\n nop\n"
    ".globl sized\n .type sized, @function\nsized:\n nop\n"
    "label:\n nop\n nop\n .size sized, . - sized\n");
int main(int count, char **words) {
    if (count > 1) pause();
    outer(count); f(); after(); if (count > 2) last_call();
    return 0;
}
"#;

impl Program {
    /// Compiled with `arguments` for the compiler, which is `cc` as for every Rust program.
    pub(crate) fn compile(arguments: &[&str]) -> Self {
        let directory = TempDir::new().unwrap();
        let source = directory.path().join("program.c");
        let path = directory.path().join("program");
        fs::write(&source, SOURCE).unwrap();
        let mut cc = Command::new("cc");
        cc.args(["-O1", "-o"])
            .arg(&path)
            .arg(&source)
            .args(arguments);
        run(&mut cc);
        Self { path, directory }
    }

    pub(crate) fn build_id(&self) -> Option<BuildId> {
        let bytes = fs::read(&self.path).unwrap();
        BuildId::new(elf(&bytes).build_id().unwrap()?)
    }

    /// Address of a symbol.
    pub(crate) fn address(&self, name: &str) -> u64 {
        let bytes = fs::read(&self.path).unwrap();
        let elf = elf(&bytes);
        let mut symbols = elf.symbols().filter(|symbol| symbol.name() == Ok(name));
        symbols
            .next()
            .unwrap_or_else(|| panic!("no {name}"))
            .address()
    }

    /// Address right behind a symbol.
    pub(crate) fn end(&self, name: &str) -> u64 {
        let bytes = fs::read(&self.path).unwrap();
        let elf = elf(&bytes);
        let mut symbols = elf.symbols().filter(|symbol| symbol.name() == Ok(name));
        let symbol = symbols.next().unwrap();
        symbol.address() + symbol.size()
    }

    /// Runs a tool of binutils; `{}` in an argument is the program.
    pub(crate) fn tool(&self, tool: &str, arguments: &[&str]) {
        let path = self.path.to_str().unwrap();
        let arguments = arguments
            .iter()
            .map(|argument| argument.replace("{}", path));
        run(Command::new(tool)
            .args(arguments)
            .current_dir(&self.directory));
    }
}

/// Symbols that say nothing of their size are what these tests are about.
pub(crate) fn has_no_size(program: &Program, name: &str) -> bool {
    let bytes = fs::read(&program.path).unwrap();
    let elf = elf(&bytes);
    let mut symbols = elf.symbols().filter(|symbol| symbol.name() == Ok(name));
    let symbol = symbols.next().unwrap();
    symbol.size() == 0 && symbol.elf_symbol().st_type() == STT_NOTYPE
}

fn elf(bytes: &[u8]) -> ElfFile<'_, FileHeader64<LittleEndian>> {
    ElfFile::parse(bytes).unwrap()
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}

/// Bytes that are the same in every run and look like nothing.
pub(crate) fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..count).map(next).collect()
}

pub(crate) fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
}
