//! Names for stacks, with the real child process, from files that a C compiler made and files that
//! nobody should have made.

#![cfg(test)] // so that the allowances for tests in clippy.toml reach the helpers too

mod files;
mod hostile;
mod names;
mod rights;
mod speed;

use std::{path::Path, sync::Arc, time::Duration};

use memguard::{
    model::{
        ids::ProcessId,
        origin::{BuildId, Frame, Module, NamedFrame, Stack, StackId},
    },
    origin::symbolize::{Program, Symbolizer},
};

/// As the agent starts it.
fn reader() -> Program {
    let path = std::env::var_os("MEMGUARD_BIN");
    let path = path.unwrap_or_else(|| env!("CARGO_BIN_EXE_memguard").into());
    Program {
        path: path.into(),
        arguments: vec!["symbolize".to_owned()],
    }
}

fn symbolizer() -> Symbolizer {
    Symbolizer::with_program("/proc", reader())
}

/// With little patience.
fn hasty(program: Program) -> Symbolizer {
    Symbolizer::with_deadline("/proc", program, Duration::from_millis(500))
}

/// A process by its number.
fn process(tgid: u32) -> ProcessId {
    let stat = std::fs::read_to_string(format!("/proc/{tgid}/stat")).unwrap();
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    let start = rest.split(' ').nth(19).unwrap();
    ProcessId {
        tgid,
        start_ticks: start.parse().unwrap(),
    }
}

fn this_process() -> ProcessId {
    process(std::process::id())
}

fn module(path: &Path, build_id: Option<BuildId>) -> Arc<Module> {
    Arc::new(Module {
        path: Arc::from(path.to_str().unwrap()),
        build_id,
    })
}

/// A stack of one frame: an instruction at an address of a file.
fn stack(module: &Arc<Module>, offset: u64) -> Stack {
    stack_of(&[(module, offset, false)])
}

fn stack_of(frames: &[(&Arc<Module>, u64, bool)]) -> Stack {
    let frames = frames.iter().map(|(module, offset, is_return)| Frame {
        ip: 0,
        module: Some(Arc::clone(module)),
        offset: *offset,
        is_return: *is_return,
    });
    Stack {
        id: StackId(1),
        frames: frames.collect(),
        incomplete: None,
    }
}

/// `function file-name:line`, with `?` for what is unknown, `(inlined)` behind what was.
fn told(frame: &NamedFrame) -> String {
    let function = frame.function.as_deref().unwrap_or("?");
    let file = frame.file.as_deref().unwrap_or("?");
    let file = file.rsplit('/').next().unwrap();
    let line = frame
        .line
        .map_or_else(|| "?".to_owned(), |line| line.to_string());
    let inlined = if frame.inlined { " (inlined)" } else { "" };
    format!("{function} {file}:{line}{inlined}")
}
