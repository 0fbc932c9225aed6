//! Which processes there are, and who descends from whom.

use std::collections::{BTreeSet, VecDeque};

use super::{ProcError, Procfs};

impl Procfs {
    /// Thread groups of all processes.
    pub fn processes(&self) -> Result<Vec<u32>, ProcError> {
        Ok(self.numbers(".", usize::MAX)?.0)
    }

    /// These processes and all their direct and indirect children, sorted. Every process's parent
    /// is read once; what is forked meanwhile may be missed.
    pub fn with_descendants(&self, tgids: &[u32]) -> Result<Vec<u32>, ProcError> {
        let parents = self.parents()?;
        let mut family: BTreeSet<u32> = tgids.iter().copied().collect();
        let mut queue: VecDeque<u32> = family.iter().copied().collect();
        while let Some(parent) = queue.pop_front() {
            let from = parents.partition_point(|&(of, _)| of < parent);
            let children = parents
                .iter()
                .skip(from)
                .take_while(|&&(of, _)| of == parent);
            queue.extend(
                children
                    .map(|&(_, child)| child)
                    .filter(|&child| family.insert(child)),
            );
        }
        Ok(family.into_iter().collect())
    }

    /// Parent and child of every process, sorted; without those that cannot be read.
    fn parents(&self) -> Result<Vec<(u32, u32)>, ProcError> {
        let mut parents: Vec<_> = self
            .processes()?
            .into_iter()
            .filter_map(|child| Some((self.stat(&format!("{child}/stat")).ok()?.parent, child)))
            .collect();
        parents.sort_unstable();
        Ok(parents)
    }
}

#[cfg(test)]
mod tests {
    use crate::source::procfs::testing::TestProcfs;

    #[test]
    fn descendants_are_found_over_generations() {
        let tree = TestProcfs::new();
        for (tgid, parent) in [
            (1, 0),
            (10, 1),
            (30, 10),
            (20, 30),
            (21, 30),
            (40, 1),
            (50, 40),
        ] {
            tree.process(tgid, b"sh", 'S', parent);
        }
        // The two say that they are each other's parent: numbers were reused during the walk.
        tree.process(60, b"sh", 'S', 61).process(61, b"sh", 'S', 60);
        tree.file("70/stat", b"garbage")
            .file("self/stat", b"")
            .file("71", b"no directory");
        let procfs = tree.procfs();
        for (tgids, expected) in [
            (&[10][..], &[10, 20, 21, 30][..]),
            (&[30, 40], &[20, 21, 30, 40, 50]),
            (&[30, 10, 10], &[10, 20, 21, 30]),
            (&[60], &[60, 61]),
            (&[99], &[99]),
            (&[], &[]),
        ] {
            assert_eq!(
                procfs.with_descendants(tgids).unwrap(),
                expected,
                "{tgids:?}"
            );
        }
    }
}
