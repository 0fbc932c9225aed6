//! What the compiler has made of a program, by binutils: so that a site is what it is called.

use std::{path::Path, process::Command};

/// A file of the corpus.
#[derive(Clone, Copy, Debug)]
pub struct Shape<'a>(pub &'a Path);

impl Shape<'_> {
    /// Type in the file's header: `EXEC` or `DYN`.
    pub fn kind(self) -> String {
        let header = self.said("readelf", &["-hW"]);
        let kind = header
            .lines()
            .find_map(|line| line.trim().strip_prefix("Type:"));
        let word = kind.and_then(|kind| kind.split_whitespace().next());
        word.unwrap_or_default().to_owned()
    }

    /// Whether it needs a loader.
    pub fn has_loader(self) -> bool {
        self.said("readelf", &["-lW"]).contains("INTERP")
    }

    /// Whether it has a section of this name.
    pub fn has_section(self, name: &str) -> bool {
        let sections = self.said("readelf", &["-SW"]);
        sections.split_whitespace().any(|word| word == name)
    }

    /// Whether a function keeps its frame pointer in the register for it.
    pub fn keeps_frame_pointer(self, function: &str) -> bool {
        let code = self.instructions(function);
        code.iter()
            .any(|line| line.contains("mov") && line.ends_with("%rsp,%rbp"))
    }

    /// The last instruction of a function, without what fills the gap to the next one.
    pub fn last_instruction(self, function: &str) -> String {
        self.instructions(function).pop().unwrap_or_default()
    }

    /// Whether there is a call from one function to the other.
    pub fn calls(self, caller: &str, callee: &str) -> bool {
        let code = self.instructions(caller);
        let target = format!("<{callee}>");
        code.iter()
            .any(|line| line.starts_with("call") && line.ends_with(&target))
    }

    /// Whether there is a function of this name.
    pub fn has_function(self, function: &str) -> bool {
        let symbols = self.said("nm", &[]);
        symbols
            .lines()
            .any(|line| line.rsplit(' ').next() == Some(function))
    }

    /// Whether a function has unwind information.
    pub fn can_unwind(self, function: &str) -> bool {
        let symbols = self.said("nm", &[]);
        let start = symbols
            .lines()
            .find(|line| line.split(' ').next_back() == Some(function));
        let start = start.and_then(|line| line.split(' ').next());
        let start =
            start.unwrap_or_else(|| panic!("no function {function} in {}", self.0.display()));
        self.said("readelf", &["--debug-dump=frames"])
            .contains(&format!("pc={start}"))
    }

    fn instructions(self, function: &str) -> Vec<String> {
        let option = format!("--disassemble={function}");
        let code = self.said("objdump", &["--no-show-raw-insn", &option]);
        let instruction = |line: &str| {
            let (address, instruction) = line.split_once(":\t")?;
            let is_code = address.trim().bytes().all(|byte| byte.is_ascii_hexdigit());
            is_code.then(|| instruction.trim().to_owned())
        };
        let lines: Vec<_> = code.lines().filter_map(instruction).collect();
        assert!(
            !lines.is_empty(),
            "no function {function} in {}",
            self.0.display()
        );
        lines
    }

    fn said(self, program: &str, options: &[&str]) -> String {
        let output = Command::new(program).args(options).arg(self.0).output();
        let output = output.unwrap_or_else(|error| panic!("cannot run {program}: {error}"));
        assert!(
            output.status.success(),
            "{program} {options:?} {}",
            self.0.display()
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}
