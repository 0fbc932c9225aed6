//! The images in memory: bounded, the one that was not used for longest goes first.

use std::path::PathBuf;

use hashbrown::HashMap;

use super::{
    super::with_deadline::DeadlineThread,
    Image,
    elf::{Elf, ImageError},
    file::{self, FileKey},
    vdso,
};
use crate::{model::origin::Mapping, source::procfs::maps::VDSO};

/// Most files at once: each keeps a descriptor.
const IMAGES: usize = 256;

/// Most bytes of unwind information at once; the image that is used stays whatever its size.
const BYTES: usize = 256 * 1024 * 1024;

/// Number of an image; never given to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::origin) struct ImageId(u64);

#[derive(Debug)]
pub(super) struct CachedImage {
    pub(super) image: Image,
    used: u64,
}

/// See the module.
#[derive(Debug)]
pub(in crate::origin) struct Images {
    procfs: PathBuf,
    files: DeadlineThread,
    pub(super) held: HashMap<ImageId, CachedImage>,
    keys: HashMap<FileKey, ImageId>,
    vdso: Option<(ImageId, u64)>,
    next: u64,
    clock: u64,
    pub(super) limit: usize,
    /// Images that had to go.
    pub(in crate::origin) evicted: u64,
}

impl Images {
    pub(in crate::origin) fn new(procfs: PathBuf) -> Self {
        Self {
            procfs,
            files: DeadlineThread::new(),
            held: HashMap::new(),
            keys: HashMap::new(),
            vdso: None,
            next: 0,
            clock: 0,
            limit: IMAGES,
            evicted: 0,
        }
    }

    /// The image, unless it had to go.
    pub(in crate::origin) fn get(&mut self, id: ImageId) -> Option<&Image> {
        self.clock += 1;
        let held = self.held.get_mut(&id)?;
        held.used = self.clock;
        Some(&held.image)
    }

    /// The image of what is mapped, read where it is not there yet; `processes` are those that
    /// have, or had, it mapped.
    pub(in crate::origin) fn load(
        &mut self,
        mapping: &Mapping,
        processes: &[u32],
    ) -> Result<ImageId, ImageError> {
        if &*mapping.module.path == VDSO {
            return self.load_vdso(mapping);
        }
        let (elf, key) = self.open(mapping, processes)?;
        match self.find(&key) {
            Some(known) => Ok(known),
            None => self.read(key, elf),
        }
    }

    fn find(&self, key: &FileKey) -> Option<ImageId> {
        let id = self.keys.get(key)?;
        self.held.contains_key(id).then_some(*id)
    }

    fn open(&mut self, mapping: &Mapping, processes: &[u32]) -> Result<(Elf, FileKey), ImageError> {
        let (procfs, mapping) = (self.procfs.clone(), mapping.clone());
        let processes = processes.to_vec();
        let find = move || file::find(&procfs, &processes, &mapping);
        self.files
            .with_deadline(find)
            .unwrap_or(Err(ImageError::Late))
    }

    fn read(&mut self, key: FileKey, elf: Elf) -> Result<ImageId, ImageError> {
        let image = self.files.with_deadline(move || Image::new(elf));
        let mut image = image.ok_or(ImageError::Late)?;
        for held in self.held.values() {
            image.share(&held.image);
        }
        let id = self.add(image);
        self.keys.insert(key, id);
        Ok(id)
    }

    fn add(&mut self, image: Image) -> ImageId {
        let id = ImageId(self.next);
        self.next += 1;
        self.clock += 1;
        let used = self.clock;
        self.held.insert(id, CachedImage { image, used });
        self.shrink(id);
        id
    }

    fn load_vdso(&mut self, mapping: &Mapping) -> Result<ImageId, ImageError> {
        let known = self.vdso.filter(|(id, _)| self.held.contains_key(id));
        let (id, length) = match known {
            Some(known) => known,
            None => self.read_vdso()?,
        };
        let same = mapping.end - mapping.start == length;
        same.then_some(id).ok_or(ImageError::Foreign)
    }

    fn read_vdso(&mut self) -> Result<(ImageId, u64), ImageError> {
        let (elf, length) = vdso::read()?;
        let id = self.add(Image::new(elf));
        Ok(*self.vdso.insert((id, length)))
    }

    /// Makes room, but not by what is needed now.
    fn shrink(&mut self, needed: ImageId) {
        let bytes = |held: &CachedImage| held.image.bytes();
        let mut total: usize = self.held.values().map(bytes).sum();
        while self.limit < self.held.len() || BYTES < total {
            let others = self.held.iter().filter(|(id, _)| **id != needed);
            let oldest = others.min_by_key(|(_, held)| held.used).map(|(id, _)| *id);
            let Some(held) = oldest.and_then(|id| self.held.remove(&id)) else {
                return;
            };
            total = total.saturating_sub(held.image.bytes());
            self.evicted += 1;
        }
        let Self { keys, held, .. } = self;
        keys.retain(|_, id| held.contains_key(id));
    }
}
