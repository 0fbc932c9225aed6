//! One mapping as `smaps` has it, and its part in a range.

use super::super::{pagemap::Bytes, usage::bytes};
use crate::model::{
    memory::Range,
    observed::{MappedRange, Residency},
};

/// Part of a mapping.
#[derive(Debug)]
pub(super) struct Open {
    /// Which of the asked ranges it is in.
    pub(super) at: usize,
    pub(super) range: Range,
    /// Resident and swapped bytes of the whole mapping.
    whole: Bytes,
    mapping: Range,
}

impl Open {
    /// No more than the whole has: pages of zeros are nobody's memory.
    pub(super) fn add_to(&self, found: &mut Residency, exact: Option<Bytes>) {
        let Self { whole, .. } = *self;
        let share = |value| part(value, self.range.bytes(), self.mapping.bytes());
        let estimate = || Bytes {
            resident: share(whole.resident),
            swapped: share(whole.swapped),
        };
        let Bytes { resident, swapped } = exact.unwrap_or_else(estimate);
        for (total, value, most) in [
            (&mut found.resident_bytes, resident, whole.resident),
            (&mut found.swap_bytes, swapped, whole.swapped),
        ] {
            *total = total.saturating_add(value.min(most));
        }
    }
}

/// A mapping.
#[derive(Debug)]
pub(super) struct Mapping {
    pub(super) mapped: MappedRange,
    name: Option<Vec<u8>>,
    noreserve: bool,
    resident: u64,
    swap: u64,
    dirty: u64,
    huge: u64,
}

impl Mapping {
    pub(super) fn new(mapped: MappedRange, line: &[u8]) -> Self {
        Self {
            mapped,
            name: name(line),
            noreserve: false,
            resident: 0,
            swap: 0,
            dirty: 0,
            huge: 0,
        }
    }

    /// `Rss` does not count pages of `hugetlb`. What cannot be read is 0.
    pub(super) fn number(&mut self, line: &[u8]) {
        let colon = line.iter().position(|&byte| byte == b':');
        let Some((key, value)) = colon.and_then(|colon| line.split_at_checked(colon + 1)) else {
            return;
        };
        let total = match key {
            b"Rss:" | b"Shared_Hugetlb:" | b"Private_Hugetlb:" => &mut self.resident,
            b"Swap:" => &mut self.swap,
            b"Shared_Dirty:" | b"Private_Dirty:" => &mut self.dirty,
            b"AnonHugePages:" | b"ShmemPmdMapped:" => &mut self.huge,
            b"VmFlags:" => {
                self.noreserve = value.split(|&byte| byte == b' ').any(|flag| flag == b"nr");
                return;
            }
            _ => return,
        };
        *total = total.saturating_add(bytes(value).unwrap_or(0));
    }

    /// `common` bytes of the mapping are in the range.
    pub(super) fn add_to(&self, found: &mut Residency, common: u64) {
        let all = self.mapped.range.bytes();
        let only_if = |condition| if condition { common } else { 0 };
        for (total, bytes) in [
            (&mut found.mapped_bytes, common),
            (
                &mut found.accessible_bytes,
                only_if(self.mapped.protection != 0),
            ),
            (&mut found.noreserve_bytes, only_if(self.noreserve)),
            (&mut found.dirty_bytes, part(self.dirty, common, all)),
            (&mut found.huge_bytes, part(self.huge, common, all)),
        ] {
            *total = total.saturating_add(bytes);
        }
        if found.name.is_none() {
            found.name.clone_from(&self.name);
        }
    }

    /// Adds what is resident and swapped, where all or nothing of the mapping is.
    pub(super) fn resident_in(
        &self,
        at: usize,
        common: Range,
        found: &mut Residency,
    ) -> Option<Open> {
        let mapping = self.mapped.range;
        let clear = |value| value == 0 || value >= mapping.bytes();
        let open = Open {
            at,
            range: common,
            whole: Bytes {
                resident: self.resident,
                swapped: self.swap,
            },
            mapping,
        };
        if common == mapping || (clear(self.resident) && clear(self.swap)) {
            open.add_to(found, None);
            return None;
        }
        Some(open)
    }
}

/// The part of `value` that `common` is of `all`, which is not 0.
fn part(value: u64, common: u64, all: u64) -> u64 {
    let part = u128::from(value) * u128::from(common) / u128::from(all.max(1));
    u64::try_from(part).unwrap_or(u64::MAX)
}

/// The sixth field, which may hold blanks.
fn name(line: &[u8]) -> Option<Vec<u8>> {
    let field = line.splitn(6, |&byte| byte == b' ').nth(5)?.trim_ascii();
    (!field.is_empty()).then(|| field.to_vec())
}
