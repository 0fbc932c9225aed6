//! Where handles were acquired.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    model::origin::{NamedFrame, Origin},
    output::wire::builder::{Text, WireBuilder},
};

/// The user stack of the acquisition, innermost frame first.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(!default)]
pub struct Stack {
    /// `s-` and a hexadecimal number, the same for equal stacks of one run of memguard.
    pub id: String,
    /// It reaches the beginning of the program or thread.
    pub complete: bool,
    /// Why it does not; null where it does.
    pub reason: Option<Text>,
    /// Name of the interpreter whose native frames these are; null where it is none. Its scripts
    /// acquire everything from the same frames.
    pub interpreter: Option<Cow<'static, str>>,
    /// Its frames; an inlined function comes before the one it was inlined into.
    pub frames: Vec<Frame>,
}

/// Where a line does not say, nothing is missing.
impl Default for Stack {
    fn default() -> Self {
        Self {
            id: String::new(),
            complete: true,
            reason: None,
            interpreter: None,
            frames: Vec::new(),
        }
    }
}

/// One step of a stack.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(!default)]
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
    pub(super) fn new(origin: &Origin, builder: &WireBuilder<'_>) -> Self {
        let stack = &origin.stack;
        let reason = stack.incomplete.as_ref().map(ToString::to_string);
        Self {
            id: format!("s-{:x}", stack.id.0),
            complete: stack.incomplete.is_none(),
            reason: builder.optional(reason.as_deref()),
            interpreter: stack.interpreter.map(Into::into),
            frames: builder.list(&stack.frames, |frame| Frame::new(frame, builder)),
        }
    }
}

impl Frame {
    fn new(frame: &NamedFrame, builder: &WireBuilder<'_>) -> Self {
        let module = frame.module.as_ref();
        Self {
            ip: format!("{:#x}", frame.ip),
            function: builder.optional(frame.function.as_deref()),
            file: builder.optional(frame.file.as_deref()),
            line: frame.line,
            module: builder.optional(module.map(|module| &*module.path)),
            build_id: module.and_then(|module| module.build_id.map(|id| id.to_string())),
            offset: format!("{:#x}", frame.offset),
            inlined: frame.inlined,
            application: frame.application,
        }
    }
}
