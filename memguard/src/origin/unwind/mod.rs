//! From a window to the frames of its stack.
//!
//! A frame is believed because the unwind information of the function it was called from says where
//! it is, and because a call instruction ends right before the address that is returned to. For a
//! program of Go that was stripped, the run time's own table says the same. Where a module has
//! neither the frame pointer is tried, and the call must fit: where its
//! target is known, it must be the function that we come from. The innermost address must lie
//! behind a system call instruction, or the list of modules is not the one of that time. What does
//! not hold ends the stack, with the reason.
//!
//! `walk` goes outwards, by the rules of the places it comes to (`rule`) or, where there are none,
//! by what else leads to a caller (`fallback`). `registers` has what is known of one frame. Here is
//! what is remembered from one window to the next.

mod fallback;
mod recursion;
mod registers;
mod rule;
mod walk;

#[cfg(test)]
mod tests;

use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use hashbrown::HashMap;

use self::{rule::CodeInfo, walk::Walk};
use super::{
    image::{Image, ImageError, ImageId, Images},
    layout::{Layout, Mapped, MappedFile},
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

impl Unwound {
    /// Whether this leads further out than another, which it begins with.
    pub(super) fn continues(&self, other: &Self) -> bool {
        self.frames.len() > other.frames.len() && self.frames.starts_with(&other.frames)
    }

    /// The same with each recursion told once.
    pub(super) fn without_recursion(self) -> Self {
        Self {
            frames: recursion::folded(self.frames),
            ..self
        }
    }
}

/// Where an address is: a file, and the address in it as its headers count.
#[derive(Clone, Debug)]
struct CodeLocation {
    image: ImageId,
    module: Arc<Module>,
    address: u64,
}

/// See the module. It belongs to one thread and remembers what it met.
#[derive(Debug)]
pub(super) struct Unwinder {
    images: Images,
    /// How long the files of processes took so far.
    spent: HashMap<u32, Duration>,
    rules: HashMap<(ImageId, u64, bool), Rc<CodeInfo>>,
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
    fn known(&mut self, place: &CodeLocation, is_return: bool) -> Rc<CodeInfo> {
        let key = (place.image, place.address, is_return);
        if let Some(known) = self.rules.get(&key) {
            return Rc::clone(known);
        }
        let Some(image) = self.images.get(place.image) else {
            return Rc::new(CodeInfo::NOTHING);
        };
        let known = Rc::new(CodeInfo::of(image, place.address, is_return));
        if self.rules.len() >= RULES {
            self.rules.clear();
        }
        self.rules.insert(key, Rc::clone(&known));
        known
    }

    /// The image of a place.
    fn image(&mut self, place: &CodeLocation) -> Option<&Image> {
        self.images.get(place.image)
    }

    /// The place of an offset in the file of a mapping; `None` where there is no code, or the file
    /// is not a program's.
    fn place(
        &mut self,
        mapped: &Mapped,
        offset: u64,
        processes: &[u32],
    ) -> Result<Option<CodeLocation>, Incomplete> {
        let Some((id, module)) = self.file(mapped, processes)? else {
            return Ok(None);
        };
        let address = self.images.get(id).and_then(|image| image.address(offset));
        Ok(address.map(|address| CodeLocation {
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
            Err(ImageError::NotElf) => MappedFile::NoProgram,
            Err(fault) => {
                let reason = format!("{}: {fault}", mapping.module.path);
                let process = processes.first().copied().unwrap_or_default();
                MappedFile::Failed(process, Incomplete::Unreadable(reason.into()))
            }
        }
    }

    /// A process whose files take too long all together is not read any further.
    fn load(&mut self, mapping: &Mapping, processes: &[u32]) -> Result<ImageId, ImageError> {
        let process = processes.first().copied().unwrap_or_default();
        if self.spent.len() >= PROCESSES {
            self.spent.clear();
        }
        let spent = self.spent.entry(process).or_default();
        if BUDGET < *spent {
            return Err(ImageError::Late);
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
