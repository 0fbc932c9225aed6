//! What code a process had mapped at one moment.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use super::image::ImageId;
use crate::{
    model::origin::{Incomplete, Mapping, Module},
    source::procfs::maps::{MAPPINGS, VDSO},
};

/// A mapping, and what is known of its file. Shared by a process and its children.
#[derive(Debug)]
pub(super) struct Mapped {
    pub(super) mapping: Mapping,
    pub(super) file: RefCell<MappedFile>,
}

/// What is known of the file of a mapping.
#[derive(Clone, Debug, Default)]
pub(super) enum MappedFile {
    /// Nobody has looked.
    #[default]
    New,
    /// It was read; the module has the build id that was found in it.
    Read(ImageId, Arc<Module>),
    /// It is no program's: code that somebody wrote into a file and mapped.
    NoProgram,
    /// It could not be read through this process.
    Failed(u32, Incomplete),
}

impl Mapped {
    pub(super) fn new(mapping: Mapping) -> Rc<Self> {
        Rc::new(Self {
            mapping,
            file: RefCell::default(),
        })
    }

    /// Whether it is of a file at all: not what the kernel calls `//anon`. Of files with a build id
    /// the side-band does not tell the inode.
    fn is_file(&self) -> bool {
        let Mapping { inode, module, .. } = &self.mapping;
        *inode != 0 || module.build_id.is_some() || &*module.path == VDSO
    }
}

/// The part of a mapping that others, mapped later, have left.
#[derive(Clone, Debug)]
struct LayoutRange {
    start: u64,
    end: u64,
    mapped: Rc<Mapped>,
}

/// See the module: ranges by address, which do not overlap.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    ranges: Vec<LayoutRange>,
}

impl Layout {
    /// What `/proc/PID/maps` said.
    pub(super) fn of(mappings: Vec<Mapping>) -> Self {
        let mut layout = Self::default();
        for mapping in mappings {
            layout.map(&Mapped::new(mapping));
        }
        layout
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Maps something, in the place of whatever was there; false where there is no room for more.
    pub(super) fn map(&mut self, mapped: &Rc<Mapped>) -> bool {
        let (start, end) = (mapped.mapping.start, mapped.mapping.end);
        self.cut(start, end);
        let room = self.ranges.len() < MAPPINGS;
        if room && mapped.is_file() && start < end {
            let at = self.ranges.partition_point(|range| range.start < start);
            let mapped = Rc::clone(mapped);
            self.ranges.insert(at, LayoutRange { start, end, mapped });
        }
        room
    }

    /// Takes a range out.
    fn cut(&mut self, start: u64, end: u64) {
        let first = self.ranges.partition_point(|range| range.end <= start);
        let behind = self.ranges.partition_point(|range| range.start < end);
        if behind <= first {
            return;
        }
        let left = |range: &LayoutRange| {
            [(range.start, start), (end, range.end)].map(|(start, end)| LayoutRange {
                start,
                end,
                mapped: Rc::clone(&range.mapped),
            })
        };
        let ranges = self.ranges.get(first..behind).unwrap_or_default();
        let kept: Vec<_> = ranges.iter().flat_map(left).collect();
        let kept = kept.into_iter().filter(|range| range.start < range.end);
        self.ranges.splice(first..behind, kept);
    }

    /// What is mapped at an address, and where in the file that is.
    pub(super) fn find(&self, address: u64) -> Option<(&Rc<Mapped>, u64)> {
        let at = self.ranges.partition_point(|range| range.end <= address);
        let range = self.ranges.get(at)?;
        let mapping = &range.mapped.mapping;
        let distance = address.checked_sub(mapping.start)?;
        let offset = mapping.file_offset.checked_add(distance)?;
        (range.start <= address).then_some((&range.mapped, offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(start: u64, end: u64, file_offset: u64, inode: u64) -> Rc<Mapped> {
        let path = format!("/lib/{inode}").into();
        Mapped::new(Mapping {
            start,
            end,
            file_offset,
            module: Arc::new(Module {
                path,
                build_id: None,
            }),
            device: 1,
            inode,
        })
    }

    fn found(layout: &Layout, address: u64) -> Option<(u64, u64)> {
        let (mapped, offset) = layout.find(address)?;
        Some((mapped.mapping.inode, offset))
    }

    #[test]
    fn what_is_mapped_later_covers_what_was_there() {
        let mut layout = Layout::default();
        layout.map(&mapped(100, 200, 1000, 1));
        layout.map(&mapped(300, 400, 0, 2));
        layout.map(&mapped(120, 140, 0, 3));
        for (address, expected) in [
            (99, None),
            (100, Some((1, 1000))),
            (119, Some((1, 1019))),
            (120, Some((3, 0))),
            (139, Some((3, 19))),
            (140, Some((1, 1040))),
            (199, Some((1, 1099))),
            (200, None),
            (399, Some((2, 99))),
            (400, None),
        ] {
            assert_eq!(found(&layout, address), expected, "{address}");
        }
        layout.map(&mapped(50, 350, 0, 4));
        assert_eq!(found(&layout, 199), Some((4, 149)));
        assert_eq!(found(&layout, 350), Some((2, 50)));
        assert_eq!(layout.ranges.len(), 2);
    }

    #[test]
    fn anonymous_memory_covers_files_and_is_none() {
        let mut layout = Layout::default();
        layout.map(&mapped(100, 200, 0, 1));
        layout.map(&mapped(150, 250, 0, 0));
        assert_eq!(found(&layout, 149), Some((1, 49)));
        assert_eq!(found(&layout, 150), None);
    }

    #[test]
    fn the_number_of_ranges_is_bounded() {
        let mut layout = Layout::default();
        let mut room = true;
        for page in 0..2 * MAPPINGS as u64 {
            room = layout.map(&mapped(page * 10, page * 10 + 5, 0, page + 1));
        }
        assert!(!room && layout.ranges.len() == MAPPINGS);
        assert!(!layout.map(&mapped(0, u64::MAX, 0, 7)) || layout.ranges.len() == 1);
    }

    proptest::proptest! {
        /// Against the plain list, the latest first.
        #[test]
        fn any_order_of_mappings(list: Vec<(u8, u8, bool)>, address: u8) {
            let mut layout = Layout::default();
            let mut all = Vec::new();
            for (number, (start, length, file)) in list.into_iter().enumerate() {
                let inode = if file { number as u64 + 1 } else { 0 };
                let start = u64::from(start);
                let mapped = mapped(start, start + u64::from(length), start * 3, inode);
                layout.map(&mapped);
                all.push(mapped);
            }
            let address = u64::from(address);
            let mut latest = all.iter().rev().map(|mapped| &mapped.mapping);
            let expected = latest
                .find(|mapping| (mapping.start..mapping.end).contains(&address))
                .filter(|mapping| mapping.inode != 0)
                .map(|mapping| (mapping.inode, mapping.file_offset + address - mapping.start));
            proptest::prop_assert_eq!(found(&layout, address), expected);
            let ordered = layout.ranges.is_sorted_by(|one, other| one.end <= other.start);
            proptest::prop_assert!(ordered);
        }
    }
}
