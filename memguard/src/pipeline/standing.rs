//! What the processes hold that outlive the command of `run`: when the grace is over they are
//! judged as they stand, as if they ended.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::timeout;

use super::{Agent, dead::is_own};
use crate::{
    ledger::{Held, population::GroupId},
    model::{
        finding::{Finding, Moment, Verdict},
        ids::ProcessId,
    },
    source::kernel,
};

/// Most handles looked at, each twice.
const LOOKS: usize = 2 * 20_000;

impl Agent {
    /// Looks at what every running process holds, however short, and tells it once.
    pub(super) async fn judge_standing(&mut self) {
        let (mut looks, now) = (LOOKS, kernel::now());
        // The first look seals what each handle is, the second sees whether it still is.
        for (group, held) in self.standing() {
            self.look_at(group, held, &mut looks, now);
        }
        self.name_standing().await;
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

    /// Waits for the names of all of their stacks, or as long as one waits for names.
    async fn name_standing(&mut self) {
        const TICK: Duration = Duration::from_millis(100);
        let groups: Vec<GroupId> = self.standing().into_keys().collect();
        while !self.are_all_named(&groups) {
            if let Ok(answer) = timeout(TICK, self.stacks.next()).await {
                self.heard(answer);
            }
        }
    }

    /// All of them are asked for, whichever is not there yet.
    fn are_all_named(&mut self, groups: &[GroupId]) -> bool {
        let unnamed = groups
            .iter()
            .filter(|group| !self.stacks.are_named(group.process, group.stack));
        unnamed.count() == 0
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
