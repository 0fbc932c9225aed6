//! One place that leaks, and what is right to say of it.

use super::{
    names::bare,
    recipe::{Recipe, Tool},
    stack::Frame,
};

/// A program that keeps descriptors at one place; its findings are told from those of the others by
/// the name of its executable.
#[derive(Clone, Debug)]
#[must_use]
pub struct Site {
    /// Name of the executable.
    pub name: &'static str,
    /// How it is made.
    pub recipe: Recipe,
    /// What else has to be made, by name.
    pub needs: Vec<(&'static str, Recipe)>,
    /// Runs it, as a shell has it; `@` is the folder with everything that was made.
    pub command: String,
    /// The program's own functions on the stack, innermost first. Several spellings have `|`
    /// between, and a function that calls itself has `*` behind.
    pub chain: &'static [&'static str],
    /// Which of them may be called the place of the leak, as in `chain`.
    pub right: &'static str,
    /// Source file, and what stands behind the word LEAK on the line; where the program has debug
    /// information.
    pub mark: Option<(&'static str, &'static str)>,
    /// Whether the place has to be named. Else nothing may be told, but never anything wrong.
    pub named: bool,
    /// How many descriptors stay.
    pub count: u64,
    /// Only findings of this kind are meant: runtimes keep descriptors of their own.
    pub kind: Option<&'static str>,
}

impl Site {
    /// A site that runs without arguments, keeps three descriptors and has to be named.
    pub fn new(name: &'static str, recipe: Recipe, chain: &'static [&'static str]) -> Self {
        Self {
            name,
            recipe,
            needs: Vec::new(),
            command: format!("@/{name}"),
            chain,
            right: chain.first().copied().unwrap_or_default(),
            mark: None,
            named: true,
            count: 3,
            kind: None,
        }
    }

    /// Arguments of the program.
    pub fn with(mut self, arguments: &str) -> Self {
        self.command = format!("@/{} {arguments}", self.name);
        self
    }

    /// Another way to run it than by its name.
    pub fn by(mut self, command: &str) -> Self {
        command.clone_into(&mut self.command);
        self
    }

    /// Something else has to be made first.
    pub fn needs(mut self, name: &'static str, recipe: Recipe) -> Self {
        self.needs.push((name, recipe));
        self
    }

    /// Debug information leads to the line with this mark in this source.
    pub fn at(mut self, source: &'static str, mark: &'static str) -> Self {
        self.mark = Some((source, mark));
        self
    }

    /// Nobody can know the name, or not always.
    pub fn may_be_unnamed(mut self) -> Self {
        self.named = false;
        self
    }

    /// Other than three descriptors.
    pub fn keeps(mut self, count: u64) -> Self {
        self.count = count;
        self
    }

    /// Only descriptors of this kind count.
    pub fn of_kind(mut self, kind: &'static str) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Whether a frame in the program's files is not the program's own: what was linked statically,
    /// what the compiler or the runtime added, and what headers of others were inlined.
    pub fn is_library(&self, frame: &Frame) -> bool {
        let is_others = |file: &String| !file.contains("programs/origins/");
        let name = bare(frame.function.as_deref().unwrap_or_default());
        let begins = |starts: &[&str]| starts.iter().any(|start| name.starts_with(start));
        let of_runtime = match self.recipe.tool {
            Tool::Gcc | Tool::Musl | Tool::Extension => begins(&LIBC),
            Tool::Gxx => begins(&CXX) || begins(&LIBC),
            Tool::Rustc => begins(&RUST) || name == "main" || begins(&LIBC),
            Tool::Go => !name.starts_with("main.") || name.starts_with("main._C"),
            Tool::Interpreter(_) => true,
        };
        of_runtime || frame.file.as_ref().is_some_and(is_others)
    }
}

/// How the names of libc's own functions begin: what begins with `_` is reserved.
const LIBC: [&str; 10] = [
    "_",
    "open",
    "fopen",
    "tmpfile",
    "socket",
    "raise",
    "gsignal",
    "clone",
    "start_thread",
    "call_init",
];

const CXX: [&str; 1] = ["std::"];

const RUST: [&str; 4] = ["std::", "core::", "alloc::", "rust_"];
