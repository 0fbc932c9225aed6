//! Where handles were acquired.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    model::origin::{NamedFrame, Origin},
    sink::wire::scribe::{Scribe, Text},
};

/// The user stack of the acquisition, innermost frame first.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Stack {
    /// `s-` and a hexadecimal number, the same for equal stacks of one run of memguard.
    pub id: String,
    /// It reaches the beginning of the program or thread.
    pub complete: bool,
    /// Why it does not; null where it does.
    pub reason: Option<Text>,
    /// Name of the interpreter whose native frames these are; null where it is none. Its scripts
    /// acquire everything from the same frames.
    pub interpreter: Option<&'static str>,
    /// Its frames; an inlined function comes before the one it was inlined into.
    pub frames: Vec<Frame>,
}

/// One step of a stack.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Frame {
    /// Address in the process, hexadecimal.
    pub ip: String,
    /// Function, demangled; null where no symbol covers the address.
    pub function: Option<Text>,
    /// Source file.
    pub file: Option<Text>,
    /// Line in it.
    pub line: Option<u32>,
    /// File that the code is from; null for code of no file.
    pub module: Option<Text>,
    /// Build id of that file.
    pub build_id: Option<String>,
    /// Address within the file as its headers count, hexadecimal.
    pub offset: String,
    /// The function was inlined into the next frame's.
    pub inlined: bool,
    /// It is the program's own code, not a system's or language's library.
    pub application: bool,
}

impl Stack {
    pub(super) fn new(origin: &Origin, scribe: &Scribe<'_>) -> Self {
        let stack = &origin.stack;
        let reason = stack.incomplete.as_ref().map(ToString::to_string);
        Self {
            id: format!("s-{:x}", stack.id.0),
            complete: stack.incomplete.is_none(),
            reason: scribe.maybe(reason.as_deref()),
            interpreter: stack.interpreter,
            frames: scribe.list(&stack.frames, |frame| Frame::new(frame, scribe)),
        }
    }
}

impl Frame {
    fn new(frame: &NamedFrame, scribe: &Scribe<'_>) -> Self {
        let module = frame.module.as_ref();
        Self {
            ip: format!("{:#x}", frame.ip),
            function: scribe.maybe(frame.function.as_deref()),
            file: scribe.maybe(frame.file.as_deref()),
            line: frame.line,
            module: scribe.maybe(module.map(|module| &*module.path)),
            build_id: module.and_then(|module| module.build_id.map(|id| id.to_string())),
            offset: format!("{:#x}", frame.offset),
            inlined: frame.inlined,
            application: frame.application,
        }
    }
}
