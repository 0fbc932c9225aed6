//! Descriptors by what they lead to.

use hashbrown::HashMap;

use crate::model::{observed::Pile, resource::Kind};

/// Fewer of the same are ordinary, whatever they are.
const LEAST: usize = 16;
/// Most piles of a process: a census looks at a few thousand descriptors.
const PILES: usize = 8;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Piles {
    by_target: HashMap<(Kind, String), Vec<u32>>,
    by_kind: HashMap<Kind, u64>,
}

impl Piles {
    /// A descriptor of this kind leads to this.
    pub(super) fn add(&mut self, kind: Kind, target: &str, fd: u32) {
        *self.by_kind.entry(kind).or_default() += 1;
        let pile = self.by_target.entry((kind, target.to_owned()));
        pile.or_default().push(fd);
    }

    /// Those that are many, the largest first.
    pub(super) fn largest(self) -> Vec<Pile> {
        let of_kind = |kind| self.by_kind.get(&kind).copied().unwrap_or(0);
        let many = self.by_target.into_iter();
        let many = many.filter(|(_, fds)| fds.len() >= LEAST);
        let mut piles: Vec<Pile> = many
            .map(|((kind, target), fds)| Pile {
                of_kind: of_kind(kind),
                kind,
                target,
                fds,
            })
            .collect();
        piles.sort_unstable_by(|a, b| {
            let by_size = b.fds.len().cmp(&a.fds.len());
            by_size.then_with(|| a.target.cmp(&b.target))
        });
        piles.truncate(PILES);
        piles
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_are_many_are_kept_the_largest_first() {
        let mut piles = Piles::default();
        for fd in 0..60 {
            let target = match fd {
                0..20 => "/a".to_owned(),
                20..45 => "/b".to_owned(),
                fd => format!("/other/{fd}"),
            };
            piles.add(Kind::File, &target, fd);
        }
        for fd in 60..75 {
            piles.add(Kind::Pipe, "pipe:[5]", fd);
        }
        let piles = piles.largest();
        let told: Vec<_> = piles
            .iter()
            .map(|pile| (pile.target.as_str(), pile.fds.len(), pile.of_kind))
            .collect();
        assert_eq!(told, [("/b", 25, 60), ("/a", 20, 60)]);
        assert_eq!(piles[1].fds, (0..20).collect::<Vec<_>>());
    }
}
