//! Where a handle was acquired: the user stack, from the bytes the kernel copied to the names that
//! people read.
//!
//! [`Window`] → unwound → [`Stack`] of [`Frame`]s (files and addresses) → named → [`NamedStack`].

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{ids::Stamp, interned::Name};

/// What the kernel copied at an acquisition, or where memory was touched: registers, and the user
/// stack from its top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Instruction pointer: behind the instruction that entered the kernel, or the one that was
    /// interrupted.
    pub ip: u64,
    /// Stack pointer: the address of the first byte of `stack`.
    pub sp: u64,
    /// Frame pointer, or whatever the program keeps in that register.
    pub bp: u64,
    /// Bytes of the stack, from `sp` upwards.
    pub stack: Box<[u8]>,
    /// The configured size was reached: there was more to copy.
    pub cut: bool,
    /// The kernel was not called: the instruction at `ip` touched a page that was not there.
    pub interrupted: bool,
}

/// Number of an interned stack; never given to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StackId(pub u32);

/// Most bytes of a build id: SHA-1 has 20, which is also what the kernel's side-band carries.
pub const BUILD_ID_BYTES: usize = 20;

/// What the linker named a file by its content (`.note.gnu.build-id`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BuildId {
    bytes: [u8; BUILD_ID_BYTES],
    len: u8,
}

impl BuildId {
    /// `None` where it is empty or longer than [`BUILD_ID_BYTES`].
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut place = [0; BUILD_ID_BYTES];
        place.get_mut(..bytes.len())?.copy_from_slice(bytes);
        let len = bytes.len() as u8;
        (len > 0).then_some(Self { bytes: place, len })
    }

    /// The bytes it was made of.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl fmt::Display for BuildId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes()
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for BuildId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// A file that code was run from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Module {
    /// As the kernel names it, in the mount namespace of the process; or `[vdso]`.
    pub path: Arc<str>,
    /// Where the file has one.
    pub build_id: Option<BuildId>,
}

/// Executable memory backed by a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// First address.
    pub start: u64,
    /// First address behind it.
    pub end: u64,
    /// Where in the file it begins, bytes.
    pub file_offset: u64,
    /// The file.
    pub module: Arc<Module>,
    /// Device of the file, as `makedev(3)` packs it.
    pub device: u64,
    /// Inode of the file.
    pub inode: u64,
}

/// What changes which code a process has mapped: from the kernel's side-band, in any order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModuleEvent {
    /// A process mapped executable memory.
    Mapped {
        /// When.
        stamp: Stamp,
        /// Thread group.
        tgid: u32,
        /// What.
        mapping: Mapping,
    },
    /// A process became another program: its mappings are gone, the new ones follow.
    Execed {
        /// When.
        stamp: Stamp,
        /// Thread group.
        tgid: u32,
    },
    /// A process was born, with its parent's mappings. Not told of threads.
    Forked {
        /// When.
        stamp: Stamp,
        /// Thread group of the parent.
        parent: u32,
        /// Thread group of the child.
        child: u32,
    },
    /// A process ended.
    Exited {
        /// When.
        stamp: Stamp,
        /// Thread group.
        tgid: u32,
    },
    /// Some of these were lost.
    Lost {
        /// How many.
        count: u64,
    },
}

/// One step of a stack: an address in a file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Frame {
    /// Address in the process.
    pub ip: u64,
    /// File that is mapped there; `None` for code that is of no file.
    pub module: Option<Arc<Module>>,
    /// Address within the file as its own headers count (`addr2line`'s); the address in the
    /// process where there is no file.
    pub offset: u64,
    /// The instruction that got here ends right before the address: a call, or the entry into the
    /// kernel. Names are those of that instruction.
    pub is_return: bool,
}

/// Why a stack does not reach the program's beginning.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Incomplete {
    /// The copied bytes ended first; `--stack-bytes` copies more.
    WindowEnded,
    /// Code without unwind information, and what its frame pointer led to is not a call.
    NoUnwindInformation,
    /// The stack is deeper than what is followed.
    TooDeep,
    /// It is the stack of many handles, and from here on not of all of them.
    CallersDiffer,
    /// The file could not be read, with the reason.
    Unreadable(Arc<str>),
    /// The process had ended before its mappings could be read.
    ProcessGone,
    /// The address belongs to no mapping that is known.
    UnknownMapping,
    /// The kernel copied nothing: the stack was not in memory, or the ring was too full.
    NoWindow,
}

impl fmt::Display for Incomplete {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::WindowEnded => "the copied part of the stack ended here",
            Self::NoUnwindInformation => "code without unwind information",
            Self::CallersDiffer => "from here on the callers differ",
            Self::TooDeep => "deeper than memguard follows",
            Self::Unreadable(reason) => reason,
            Self::ProcessGone => "the process ended before its mappings were read",
            Self::UnknownMapping => "the address belongs to no known mapping",
            Self::NoWindow => "no part of the stack was copied",
        })
    }
}

/// An unwound stack, innermost frame first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    /// Its number.
    pub id: StackId,
    /// Its frames.
    pub frames: Arc<[Frame]>,
    /// Why it ends early; `None` where it reaches the program's beginning.
    pub incomplete: Option<Incomplete>,
}

/// A frame with its names; a function that was inlined comes before the one it was inlined into,
/// both of the same address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedFrame {
    /// As in [`Frame`].
    pub ip: u64,
    /// As in [`Frame`].
    pub module: Option<Arc<Module>>,
    /// As in [`Frame`].
    pub offset: u64,
    /// Function, demangled; `None` where no symbol covers the address.
    pub function: Option<Arc<str>>,
    /// Source file.
    pub file: Option<Arc<str>>,
    /// Line in it, from 1.
    pub line: Option<u32>,
    /// Whether the function was inlined into the next frame's.
    pub inlined: bool,
    /// Whether it is the program's own code: not libc's, the loader's or a language runtime's.
    pub application: bool,
}

/// Most application frames that a stack is recognised by.
const SIGNATURE_FRAMES: usize = 5;

/// A stack for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedStack {
    /// Its number.
    pub id: StackId,
    /// Its frames, innermost first.
    pub frames: Vec<NamedFrame>,
    /// As in [`Stack`].
    pub incomplete: Option<Incomplete>,
    /// The interpreter whose native frames these are: every handle that its scripts acquire has
    /// the same ones.
    #[serde(deserialize_with = "super::interned::optional")]
    pub interpreter: Option<Name>,
}

/// Where handles were acquired, as a finding tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The whole stack.
    pub stack: Arc<NamedStack>,
    /// Its first frame of the program's own code in a few words: `connect_upstream (pool.c:88)`,
    /// or `sock_accept_impl (socketmodule.c:2717) in python`.
    pub place: Option<String>,
    /// In an interpreter, what the handles are of: their target with its digits folded.
    pub topic: Option<String>,
}

impl NamedStack {
    /// The first frame of the program's own code: what a person calls the place of the leak.
    pub fn application_frame(&self) -> Option<&NamedFrame> {
        self.frames.iter().find(|frame| frame.application)
    }

    /// The file of the outermost frame of the program's own code, which is the program itself but
    /// for threads of libraries; without its directory.
    pub fn program(&self) -> Option<&str> {
        let outermost = self.frames.iter().rfind(|frame| frame.application)?;
        outermost.module_name()
    }

    /// What the stack is recognised by in other runs and on other hosts: the first application
    /// frames as module and function, without addresses where there are names.
    pub fn signature(&self) -> Vec<String> {
        let own = self.frames.iter().filter(|frame| frame.application);
        own.take(SIGNATURE_FRAMES)
            .map(NamedFrame::signature)
            .collect()
    }
}

impl NamedFrame {
    /// Name of the module's file, without its directory.
    pub fn module_name(&self) -> Option<&str> {
        let path = &self.module.as_ref()?.path;
        path.rsplit('/').next()
    }

    fn signature(&self) -> String {
        let module = self.module_name().unwrap_or("?");
        match &self.function {
            Some(function) => format!("{module}!{function}"),
            None => format!("{module}+{:#x}", self.offset),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_id_is_its_bytes_in_hex() {
        let id = BuildId::new(&[0x9f, 0x3c, 0x00]).unwrap();
        assert_eq!(id.to_string(), "9f3c00");
        assert_eq!(BuildId::new(&[]), None);
        assert_eq!(BuildId::new(&[1; 21]), None);
    }
}
