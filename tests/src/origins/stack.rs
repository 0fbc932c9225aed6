//! The stack of a finding, as its line has it.

use serde_json::Value;

use crate::lines::address;

/// The frames of one finding, innermost first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stack {
    /// It reaches the beginning of the program.
    pub complete: bool,
    /// Its frames.
    pub frames: Vec<Frame>,
}

/// One frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// Name of the function, where it has one.
    pub function: Option<String>,
    /// Source file.
    pub file: Option<String>,
    /// Line in it.
    pub line: Option<u64>,
    /// Path of the file with the code.
    pub module: Option<String>,
    /// Which build of the file it was.
    pub build_id: Option<String>,
    /// Address within the file, as its headers count.
    pub offset: u64,
    /// Whether the function is part of the next frame's.
    pub inlined: bool,
    /// Whether it is the first of the program's own.
    pub application: bool,
}

impl Stack {
    /// The stack in a finding's line; `None` where it has none.
    ///
    /// # Panics
    ///
    /// When the stack is not of the form that is promised.
    pub fn of(line: &Value) -> Option<Self> {
        let stack = line.pointer("/memguard/stack")?;
        if stack.is_null() {
            return None;
        }
        let frames = stack.get("frames").and_then(Value::as_array);
        let frames = frames.unwrap_or_else(|| panic!("no frames in {stack}"));
        let complete = stack.get("complete").and_then(Value::as_bool);
        Some(Self {
            complete: complete.unwrap_or_else(|| panic!("complete or not? {stack}")),
            frames: frames.iter().map(Frame::of).collect(),
        })
    }

    /// The first frame of the program's own code.
    pub fn application(&self) -> Option<&Frame> {
        self.frames.iter().find(|frame| frame.application)
    }
}

impl Frame {
    fn of(frame: &Value) -> Self {
        let text = |name: &str| frame.get(name).and_then(Value::as_str).map(str::to_owned);
        let is = |name: &str| frame.get(name).and_then(Value::as_bool).unwrap_or(false);
        Self {
            function: text("function"),
            file: text("file"),
            line: frame.get("line").and_then(Value::as_u64),
            module: text("module"),
            build_id: text("build_id"),
            offset: text("offset").map_or(0, |offset| address(&offset)),
            inlined: is("inlined"),
            application: is("application"),
        }
    }

    /// Name of the source file without its directories.
    pub fn file_name(&self) -> Option<&str> {
        self.file.as_deref()?.rsplit('/').next()
    }

    /// Name of the file with the code, without its directories.
    pub fn module_name(&self) -> Option<&str> {
        self.module.as_deref()?.rsplit('/').next()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Frame, Stack};

    /// All the fields, and none of those that may be missing.
    #[test]
    fn reads_the_contract() {
        let line = json!({"memguard": {"stack": {"id": "s-1", "complete": true, "frames": [
            {"ip": "0x7f", "function": "leak", "file": "/src/chain.c", "line": 10, "inlined": true,
             "module": "/bin/chain", "build_id": "9f", "offset": "0x14e10", "application": true},
            {"ip": "0x80", "function": null, "module": null, "offset": "0x80"},
        ]}}});
        let stack = Stack::of(&line).unwrap();
        assert!(stack.complete);
        let leak = stack.application().unwrap();
        assert_eq!(leak.file_name(), Some("chain.c"));
        assert_eq!(leak.module_name(), Some("chain"));
        assert_eq!(
            (leak.line, leak.offset, leak.inlined),
            (Some(10), 0x14e10, true)
        );
        let nameless = Frame {
            offset: 0x80,
            ..Frame::default()
        };
        assert_eq!(stack.frames[1], nameless);
    }

    #[test]
    fn a_finding_may_have_no_stack() {
        assert_eq!(Stack::of(&json!({"memguard": {"stack": null}})), None);
        assert_eq!(Stack::of(&json!({"memguard": {}})), None);
    }
}
