//! From a window to the frames of its stack.
//!
//! A frame is believed because the unwind information of the function it was called from says where
//! it is, and because a call instruction ends right before the address that is returned to. Where a
//! module has no unwind information the frame pointer is tried, and the call must fit: where its
//! target is known, it must be the function that we come from. The innermost address must lie
//! behind a system call instruction, or the list of modules is not the one of that time. What does
//! not hold ends the stack, with the reason.
//!
//! `walk` goes outwards; here is what it knows of the places it comes to.

use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use hashbrown::HashMap;

use super::{
    calls::{Calls, LONGEST, SYSCALL, is_sigreturn},
    image::{Fault, Image, ImageId, Images, Row, Saved, register},
    layout::{Layout, Mapped, MappedFile},
    walk::Walk,
};
use crate::model::origin::{BuildId, Frame, Incomplete, Mapping, Module, Window};

/// Most places whose rules are remembered; beyond it all are forgotten.
const RULES: usize = 16 * 1024;

/// How long all files of one process may take to read.
const BUDGET: Duration = Duration::from_secs(5);

/// Most processes whose time is counted; beyond it all begin again.
const PROCESSES: usize = 4096;

/// What the frames of a window came to; `incomplete` as in [`crate::model::origin::Stack`].
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unwound {
    pub(super) frames: Vec<Frame>,
    pub(super) incomplete: Option<Incomplete>,
}

/// How to get from one place of a file to its caller.
#[derive(Debug)]
pub(super) enum Rule {
    /// There is no caller.
    Outermost,
    /// As the unwind information says.
    Row(Box<Row>),
    /// By what the kernel saved for a signal handler, which returns here.
    Signal,
    /// Nobody says.
    Unsaid,
}

/// What is known of one place of a file.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) rule: Rule,
    /// The code right before it, where that can be read.
    before: Option<[u8; LONGEST]>,
}

/// Where an address is: a file, and the address in it as its headers count.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) image: ImageId,
    pub(super) module: Arc<Module>,
    pub(super) address: u64,
}

/// See the module. It belongs to one thread and remembers what it met.
#[derive(Debug)]
pub(super) struct Unwinder {
    images: Images,
    /// How long the files of processes took so far.
    spent: HashMap<u32, Duration>,
    rules: HashMap<(ImageId, u64, bool), Rc<Known>>,
}

impl Unwinder {
    pub(super) fn new(images: Images) -> Self {
        Self {
            images,
            spent: HashMap::new(),
            rules: HashMap::new(),
        }
    }

    /// Images that had to go.
    pub(super) fn evicted(&self) -> u64 {
        self.images.evicted
    }

    /// Follows a window outwards. Files are looked for through `processes`, of which the first is
    /// the window's.
    pub(super) fn unwind(
        &mut self,
        window: &Window,
        layout: &Layout,
        processes: &[u32],
    ) -> Unwound {
        Walk::new(self, window, layout, processes).run()
    }

    /// What is known of a place; of one that is returned to, the call lies before it.
    pub(super) fn known(&mut self, place: &Place, is_return: bool) -> Rc<Known> {
        let key = (place.image, place.address, is_return);
        if let Some(known) = self.rules.get(&key) {
            return Rc::clone(known);
        }
        let Some(image) = self.images.get(place.image) else {
            return Rc::new(Known::NOTHING);
        };
        let known = Rc::new(Known::of(image, place.address, is_return));
        if self.rules.len() >= RULES {
            self.rules.clear();
        }
        self.rules.insert(key, Rc::clone(&known));
        known
    }

    /// The image of a place.
    pub(super) fn image(&mut self, place: &Place) -> Option<&Image> {
        self.images.get(place.image)
    }

    /// The place of an offset in the file of a mapping; `None` where there is no code, or the file
    /// is not a program's.
    pub(super) fn place(
        &mut self,
        mapped: &Mapped,
        offset: u64,
        processes: &[u32],
    ) -> Result<Option<Place>, Incomplete> {
        let Some((id, module)) = self.file(mapped, processes)? else {
            return Ok(None);
        };
        let address = self.images.get(id).and_then(|image| image.address(offset));
        Ok(address.map(|address| Place {
            image: id,
            module,
            address,
        }))
    }

    /// The file of a mapping, read where it is not there yet.
    fn file(
        &mut self,
        mapped: &Mapped,
        processes: &[u32],
    ) -> Result<Option<(ImageId, Arc<Module>)>, Incomplete> {
        match &*mapped.file.borrow() {
            MappedFile::Read(id, module) if self.images.get(*id).is_some() => {
                return Ok(Some((*id, Arc::clone(module))));
            }
            MappedFile::NoProgram => return Ok(None),
            MappedFile::Failed(process, reason) if processes.first() == Some(process) => {
                return Err(reason.clone());
            }
            _ => {}
        }
        let file = self.read(mapped, processes);
        let found = match &file {
            MappedFile::Read(id, module) => Ok(Some((*id, Arc::clone(module)))),
            MappedFile::Failed(_, reason) => Err(reason.clone()),
            MappedFile::New | MappedFile::NoProgram => Ok(None),
        };
        mapped.file.replace(file);
        found
    }

    fn read(&mut self, mapped: &Mapped, processes: &[u32]) -> MappedFile {
        let Mapped { mapping, .. } = mapped;
        match self.load(mapping, processes) {
            Ok(id) => {
                let build_id = self.images.get(id).and_then(Image::build_id);
                let module = named(&mapping.module, build_id);
                MappedFile::Read(id, module)
            }
            Err(Fault::NotElf) => MappedFile::NoProgram,
            Err(fault) => {
                let reason = format!("{}: {fault}", mapping.module.path);
                let process = processes.first().copied().unwrap_or_default();
                MappedFile::Failed(process, Incomplete::Unreadable(reason.into()))
            }
        }
    }

    /// A process whose files take too long all together is not read any further.
    fn load(&mut self, mapping: &Mapping, processes: &[u32]) -> Result<ImageId, Fault> {
        let process = processes.first().copied().unwrap_or_default();
        if self.spent.len() >= PROCESSES {
            self.spent.clear();
        }
        let spent = self.spent.entry(process).or_default();
        if BUDGET < *spent {
            return Err(Fault::Late);
        }
        let start = Instant::now();
        let found = self.images.load(mapping, processes);
        *spent += start.elapsed();
        found
    }
}

/// The module with the build id that was found in its file.
fn named(module: &Arc<Module>, build_id: Option<BuildId>) -> Arc<Module> {
    if module.build_id == build_id {
        return Arc::clone(module);
    }
    Arc::new(Module {
        path: Arc::clone(&module.path),
        build_id,
    })
}

impl Known {
    const NOTHING: Self = Self {
        rule: Rule::Unsaid,
        before: None,
    };

    fn of(image: &Image, address: u64, is_return: bool) -> Self {
        let before = before(image, address);
        let called = before.is_some_and(|code| Calls::before(&code).any());
        let rule = if is_return && !called && image.starts(address, is_sigreturn) {
            Rule::Signal
        } else {
            Rule::of(image, address.wrapping_sub(u64::from(is_return)))
        };
        Self { rule, before }
    }

    /// The calls that may end here; `None` where the code cannot be read.
    pub(super) fn calls(&self) -> Option<Calls> {
        self.before.as_ref().map(|code| Calls::before(code))
    }

    /// Whether the kernel may have been entered right before.
    pub(super) fn is_behind_syscall(&self) -> bool {
        self.before.is_none_or(|code| code.ends_with(&SYSCALL))
    }

    /// Whether a call may return here, or the kernel when it makes a handler return.
    pub(super) fn is_returned_to(&self) -> bool {
        let by_kernel = self.rule.is_signal() || matches!(self.rule, Rule::Outermost);
        by_kernel || self.calls().is_none_or(Calls::any)
    }
}

impl Rule {
    /// Whether the caller did not call, but was interrupted.
    pub(super) fn is_signal(&self) -> bool {
        match self {
            Self::Signal => true,
            Self::Row(row) => row.signal,
            Self::Outermost | Self::Unsaid => false,
        }
    }

    fn of(image: &Image, address: u64) -> Self {
        match image.row(address) {
            Some(row) if row.saved[register::RETURN] == Saved::Undefined => Self::Outermost,
            Some(row) => Self::Row(Box::new(row)),
            None if image.is_entry(address) => Self::Outermost,
            None => Self::Unsaid,
        }
    }
}

fn before(image: &Image, address: u64) -> Option<[u8; LONGEST]> {
    let start = address.checked_sub(LONGEST as u64)?;
    let (code, length) = image.code(start)?;
    (length == LONGEST).then_some(code)
}
