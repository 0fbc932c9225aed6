//! What is limited, and what was held before memguard attached.

use std::collections::BTreeMap;

use super::Engine;
use crate::{
    judge::{
        exhaustion::{self, Judged},
        growth,
        hoard::Change,
        question::{Inspected, Purpose, SurveyedProcess},
    },
    ledger::population::GroupId,
    model::{
        finding::{Finding, Resolution},
        ids::ProcessId,
        observed::HeldBefore,
        resource::Kind,
    },
};

impl Engine {
    /// Takes what a survey has counted of one process.
    pub(super) fn take_counts(&mut self, found: &SurveyedProcess) {
        if !self.context.is_own(found.process) {
            self.exhaustion.surveyed(found, self.context.now);
        }
    }

    /// Looks up the limits of what may head for them.
    pub(super) fn judge_limits(&mut self) {
        self.count_mappings();
        self.count_keys();
        self.context.full = self.exhaustion.full().collect();
        for (process, kind) in self.exhaustion.due(self.context.now) {
            if !self.context.wants(kind) {
                continue;
            }
            let stranger = self.context.is_stranger(process);
            let stacks = exhaustion::stacks(&self.context, process, kind);
            if let Some(pass) = self.passes.of(process, Purpose::Limits) {
                pass.inspect.info |= stranger;
                pass.inspect.ceilings = pass.inspect.ceilings.and(exhaustion::wanted(kind));
                pass.stacks.extend(stacks);
                if kind == Kind::AllKeys {
                    pass.stacks.extend(self.persistent.stacks_of(process));
                }
                pass.limits.push(kind);
            }
        }
    }

    /// How many keys of each process are known. Some may be gone; the quota says what is in use.
    fn count_keys(&mut self) {
        let now = self.context.now;
        for (process, count) in self.persistent.counts(Kind::Key) {
            let kind = Kind::AllKeys;
            self.exhaustion.counted(process, kind, now, count);
        }
    }

    /// How many mappings of each process are known.
    fn count_mappings(&mut self) {
        let memory = &self.context.ledger.memory;
        let mut mappings: BTreeMap<ProcessId, u64> = BTreeMap::new();
        for group in memory.held().filter_map(|piece| memory.group_of(&piece)) {
            *mappings.entry(group.process).or_default() += 1;
        }
        for (process, count) in mappings {
            if self.is_there(process) && !self.context.is_own(process) {
                let now = self.context.now;
                self.exhaustion
                    .counted(process, Kind::AllMappings, now, count);
            }
        }
    }

    /// Judges counts whose limits are known now.
    pub(super) fn conclude_limits(&mut self, kinds: Vec<Kind>, inspected: &Inspected) {
        let (process, now) = (inspected.process, self.context.now);
        for kind in kinds {
            let group = GroupId::of(process, kind);
            let judged = self
                .exhaustion
                .judge(process, kind, &inspected.ceilings, now);
            match judged {
                Judged::Nearing(nearing) => {
                    let mut finding = exhaustion::describe(&self.context, process, kind, &nearing);
                    if kind == Kind::AllKeys {
                        let ranked = self.persistent.ranked(process, Kind::Key);
                        finding.sites = growth::named(&self.context, ranked);
                    }
                    self.tell(group, finding);
                }
                Judged::Over => self.resolve(group, Resolution::Stopped),
                Judged::Nothing => {}
            }
        }
    }

    /// The limit on descriptors is reached by all that the process acquires, not only at the site
    /// of a finding.
    pub(super) fn forecast(&self, finding: &mut Finding) {
        let process = finding.process.id;
        let limit = finding.limit.take();
        finding.limit = limit.map(|limit| self.exhaustion.forecast(process, limit));
    }

    /// What a process held before memguard attached.
    pub(super) fn held_before(&mut self, held: HeldBefore) {
        let process = held.process.id;
        if !self.is_there(process) || self.context.is_own(process) {
            return;
        }
        let known = self.context.ledger.processes.get(process);
        self.context.identities.learn(held.process.clone(), known);
        self.hoards.take(held, &self.context);
        self.judge_hoards();
    }

    /// Tells hoards, and which are over.
    pub(super) fn judge_hoards(&mut self) {
        for (group, change) in self.hoards.judge(&self.context) {
            match change {
                Change::Held(finding) => self.tell(group, *finding),
                Change::Closed => self.resolve(group, Resolution::Released),
            }
        }
    }

    /// A finding about what was held before too says how many those were.
    pub(super) fn join_hoard(&self, finding: &mut Finding) {
        let same = self.hoards.same_as(finding.process.id, &finding.samples);
        finding.hoarded = finding.hoarded.max(same);
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            Effect, Input,
            tests::{
                PROCESS, answered, engine, exited, findings, questions, second, surveyed, sweep,
            },
        },
        *,
    };
    use crate::{
        judge::question::{Answer, Ceilings, Surveyed},
        model::{
            finding::{Finding, Handle, Sample, Verdict},
            memory::Ceiling,
            observed::Pile,
            process::ProcessInfo,
        },
    };

    /// What is told at a tick at which there are so many descriptors, of 1024.
    fn tick(engine: &mut Engine, at: u64, count: u64) -> Vec<Finding> {
        engine.handle(Input::Tick(second(at)));
        let found = SurveyedProcess {
            usage: None,
            descriptor_count: Some(count),
            open: None,
            ..surveyed()
        };
        let surveyed = Answer::Surveyed(Surveyed {
            processes: vec![found],
            ..Surveyed::default()
        });
        let effects = engine.handle(answered(at, surveyed));
        let (Some(inspect), _) = questions(&effects) else {
            return findings(effects);
        };
        assert_eq!(inspect.purpose, Purpose::Limits);
        let found = Inspected {
            alive: true,
            ceilings: Ceilings {
                descriptors: Some(Ceiling {
                    name: "RLIMIT_NOFILE",
                    value: 1024,
                    used: count,
                }),
                ..Ceilings::default()
            },
            ..Inspected::gone(&inspect)
        };
        findings(engine.handle(answered(at, Answer::Inspected(Box::new(found)))))
    }

    fn seeded() -> Engine {
        let mut engine = engine();
        engine.handle(Input::Seeded {
            process: PROCESS,
            parent: None,
            open: (0..100).collect(),
        });
        engine
    }

    fn held() -> Answer {
        Answer::HeldBefore(Box::new(HeldBefore {
            process: ProcessInfo::unknown(PROCESS),
            piles: vec![Pile {
                kind: Kind::File,
                target: "/etc/hostname".to_owned(),
                fds: (3..99).collect(),
                of_kind: 96,
            }],
            complete: true,
        }))
    }

    #[test]
    fn an_exhaustion_is_told_and_over() {
        let mut engine = seeded();
        let told = |engine: &mut Engine, at, count| {
            let told = tick(engine, at, count).into_iter();
            let told = told.map(|it| (it.verdict, it.resolution, it.hoarded));
            told.collect::<Vec<_>>()
        };
        assert_eq!(told(&mut engine, 10, 800), []);
        assert_eq!(told(&mut engine, 12, 820), []);
        let nearing = (Verdict::Exhaustion, None, 100);
        assert_eq!(told(&mut engine, 14, 840), [nearing]);
        assert_eq!(told(&mut engine, 16, 860), [], "it is known");
        let over = (Verdict::Exhaustion, Some(Resolution::Stopped), 100);
        assert_eq!(told(&mut engine, 18, 200), [over]);
    }

    #[test]
    fn a_hoard_is_told_at_once_and_joined() {
        let mut engine = seeded();
        let told: Vec<Effect> = engine.handle(answered(2, held()));
        let told = findings(told);
        let told: Vec<_> = told.iter().map(|it| (it.verdict, it.open_count)).collect();
        assert_eq!(told, [(Verdict::Hoard, 96)]);
        let mut finding = Finding {
            samples: vec![Sample {
                handle: Handle::Descriptor(200),
                acquired_at: None,
                age: None,
                call: None,
                target: Some("/etc/hostname".to_owned()),
            }],
            ..crate::model::testing::finding(Verdict::Leak, 20)
        };
        engine.join_hoard(&mut finding);
        assert_eq!(finding.hoarded, 96);
        tick(&mut engine, 10, 800);
        assert!(engine.mentions(PROCESS) > 0);
        engine.handle(Input::Event(exited(12)));
        sweep(&mut engine, 13);
        sweep(&mut engine, 15);
        assert_eq!(engine.mentions(PROCESS), 0);
    }
}
