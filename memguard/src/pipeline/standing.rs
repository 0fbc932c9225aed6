//! What the processes hold that outlive the command of `run`: when the grace is over they are
//! judged as they stand, as if they ended.

use std::collections::BTreeMap;

use super::{Agent, dead::is_own};
use crate::{
    ledger::{Held, population::GroupId},
    model::{
        finding::{Finding, Moment, Verdict},
        ids::{ProcessId, Stamp},
    },
};

/// Most handles looked at.
const LOOKS: usize = 20_000;

impl Agent {
    /// Looks at what every running process holds, however short, and tells it once.
    pub(super) fn judge_standing(&mut self, now: Stamp) {
        let mut looks = LOOKS;
        for (group, held) in self.standing() {
            let verified = self.look_at(group, held, &mut looks, now);
            if verified.survivors.is_empty() {
                continue;
            }
            let born = self.observed_from(group.process);
            let verdict = if self.has_piled_up(group, &verified.survivors, born, now) {
                Verdict::Leak
            } else {
                Verdict::Left
            };
            let population = self.ledger.populations.get(group);
            let info = self.living(group.process);
            let finding = Finding {
                verdict,
                moment: Moment::End,
                ..self.describe(&verified, &population, info, now)
            };
            self.tally.left += finding.left_descriptors();
            self.tell_left(finding, now);
        }
    }

    /// Handles of processes that run, by group, the oldest first.
    fn standing(&self) -> BTreeMap<GroupId, Vec<Held>> {
        let mut groups: BTreeMap<GroupId, Vec<Held>> = BTreeMap::new();
        for held in self.ledger.held() {
            let group = GroupId::from(held);
            let meant = held.acquired.is_standard() || self.is_inherited(held);
            if !meant && self.judging.wants(group.kind) && self.is_judged(group.process) {
                groups.entry(group).or_default().push(*held);
            }
        }
        for held in groups.values_mut() {
            held.sort_unstable_by_key(|held| held.acquired.stamp);
        }
        groups
    }

    fn is_judged(&self, process: ProcessId) -> bool {
        let known = self.ledger.processes.get(process);
        known.is_some_and(|process| !is_own(process))
    }
}
