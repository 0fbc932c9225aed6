//! Judges what grows, once it is known what it is made of.

use super::Engine;
use crate::{
    detect::growth::{Growth, in_step},
    judge::{
        cgroups::GrowingCgroup,
        growth::{self, Ranked},
        question::Inspected,
    },
    ledger::population::GroupId,
    model::{
        finding::{Finding, InStep, Resolution, Verdict},
        ids::Stamp,
        resource::{Kind, Resource},
    },
};

impl Engine {
    /// Counts first: memory that grows in step with one is told with it.
    pub(super) fn conclude_growths(
        &mut self,
        growths: Vec<(GroupId, Growth)>,
        inspected: &Inspected,
    ) {
        let is_memory = |group: &GroupId| group.kind.resource() == Resource::Heap;
        let (memory, counts): (Vec<_>, Vec<_>) =
            growths.into_iter().partition(|(group, _)| is_memory(group));
        for (group, growth) in counts.into_iter().chain(memory) {
            self.conclude_growth(group, &growth, inspected);
        }
    }

    fn conclude_growth(&mut self, group: GroupId, growth: &Growth, inspected: &Inspected) {
        if !self.is_meant(group, growth, inspected) {
            return self.resolve(group, Resolution::Withdrawn);
        }
        let ranked = self.ranked(group, inspected);
        let touchers = self.fault_sites.touchers(&self.context, group, inspected);
        let touched = touchers.map(|it| self.fault_sites.describe(&self.context, &it));
        let mut finding = Finding {
            history: self.usages.course(group.process, group.kind),
            touched,
            ..growth::describe(&self.context, group, growth, ranked, inspected)
        };
        if group.kind == Kind::Zombie {
            finding.samples = self.zombies.samples(group.process, self.context.now);
        }
        let counts = self.usages.samples(group.process, group.kind);
        finding.in_step = self.in_step(&finding, counts);
        self.tell(group, finding);
    }

    /// Who has what grows.
    pub(super) fn ranked(&self, group: GroupId, inspected: &Inspected) -> Ranked {
        if matches!(group.kind, Kind::PosixShm | Kind::Key) {
            self.persistent.ranked(group.process, group.kind)
        } else {
            growth::ranked(&self.context, group, inspected)
        }
    }

    /// Whether it is a growth to be told. What is told already need not be shown to matter again:
    /// it is told until it stops.
    fn is_meant(&mut self, group: GroupId, growth: &Growth, inspected: &Inspected) -> bool {
        match group.kind {
            Kind::HeapShm if !self.objects_grow(group, growth, inspected) => return false,
            Kind::HeapAnon if self.is_explained(group, growth) => return false,
            _ => {}
        }
        self.groups.findings().is_open(group) || growth::matters(group.kind, growth, inspected)
    }

    /// Whether there is more shared memory, and not only more of it touched.
    fn objects_grow(&mut self, group: GroupId, growth: &Growth, inspected: &Inspected) -> bool {
        let (process, resident) = (group.process, growth.to);
        inspected
            .shared_capacity
            .is_some_and(|capacity| self.usages.objects_grow(process, capacity, resident))
    }

    /// Whether the handles of a leak account for it, with which it is told.
    fn is_explained(&self, group: GroupId, growth: &Growth) -> bool {
        let in_step = self.groups.findings().in_step(group.process);
        growth::is_explained(growth, in_step)
    }

    /// Memory of the process that grows as the handles of a finding do.
    pub(super) fn in_step(
        &self,
        finding: &Finding,
        counts: impl IntoIterator<Item = (Stamp, f64)>,
    ) -> Option<InStep> {
        let piles_up = matches!(finding.verdict, Verdict::Leak | Verdict::Suspect);
        let sizes = self.usages.samples(finding.process.id, Kind::HeapAnon);
        in_step(counts, &sizes).filter(|_| piles_up)
    }

    pub(super) fn conclude_cgroups(
        &mut self,
        cgroups: Vec<(GroupId, GrowingCgroup)>,
        inspected: &Inspected,
    ) {
        for (group, growing) in cgroups {
            let told = self.groups.findings().is_open(group);
            if !told && !growth::matters(group.kind, &growing.growth, inspected) {
                continue;
            }
            let of = GroupId::of(growing.largest, group.kind);
            let finding =
                growth::describe(&self.context, of, &growing.growth, Vec::new(), inspected);
            if let Some(finding) = self.cgroups.describe(&growing, finding) {
                self.tell(group, finding);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        engine::{
            Effect, Input,
            tests::{acquired, answered, engine, findings, questions, second, shown, surveyed},
        },
        judge::question::{Answer, Inspect, Question, Surveyed, SurveyedProcess},
        model::{event::Event, memory::Usage, observed::Runtime},
    };

    /// One that may leak a file a second, and what its memory is.
    struct Life<'a> {
        leaks: bool,
        kib: &'a dyn Fn(u64) -> u64,
        runtime: Option<Runtime>,
    }

    impl Life<'_> {
        /// What is told in 250 seconds, one sample each.
        fn told(&self) -> Vec<Finding> {
            let mut engine = engine();
            let mut told = Vec::new();
            for at in 2..250 {
                if self.leaks || at == 2 {
                    let opened = Event::Acquired(acquired(at as u32 + 3, at));
                    engine.handle(Input::Event(opened));
                }
                let effects = engine.handle(Input::Tick(second(at)));
                self.answer(&mut engine, at, effects, &mut told);
            }
            told
        }

        fn answer(
            &self,
            engine: &mut Engine,
            at: u64,
            effects: Vec<Effect>,
            told: &mut Vec<Finding>,
        ) {
            let (_, survey) = questions(&effects);
            let inspects: Vec<_> = effects.iter().filter_map(inspect).collect();
            told.extend(findings(effects));
            for inspect in inspects {
                let mut answer = shown(&inspect);
                if let Answer::Inspected(found) = &mut answer {
                    found.runtime = self.runtime.filter(|_| inspect.runtime);
                }
                let effects = engine.handle(answered(at, answer));
                self.answer(engine, at, effects, told);
            }
            if survey.is_some() {
                let found = Answer::Surveyed(Surveyed {
                    processes: vec![self.sample(at)],
                    ..Surveyed::default()
                });
                let effects = engine.handle(answered(at, found));
                self.answer(engine, at, effects, told);
            }
        }

        fn sample(&self, at: u64) -> SurveyedProcess {
            let usage = Usage {
                anonymous_bytes: (self.kib)(at) << 10,
                ..Usage::default()
            };
            SurveyedProcess {
                usage: Some(usage),
                ..surveyed()
            }
        }
    }

    fn inspect(effect: &Effect) -> Option<Inspect> {
        match effect {
            Effect::Ask(Question::Inspect(asked)) => Some(asked.clone()),
            _ => None,
        }
    }

    /// Whether memory was told to grow.
    fn grown(told: &[Finding]) -> bool {
        told.iter().any(|it| it.verdict == Verdict::Growth)
    }

    #[test]
    fn growth_that_handles_explain_is_told_with_them() {
        let kib = |at: u64| 10_240 + 60 * at;
        let leaks = Life {
            leaks: true,
            kib: &kib,
            runtime: None,
        };
        let told = leaks.told();
        let leak = told.iter().rfind(|it| it.verdict == Verdict::Leak);
        let in_step = leak.and_then(|leak| leak.in_step).unwrap();
        assert!((59 << 10..=61 << 10).contains(&in_step.bytes_per_handle));
        assert!(in_step.bytes > 8 << 20, "{in_step:?}");
        assert!(!grown(&told), "with it, and not beside it");
        let alone = Life {
            leaks: false,
            ..leaks
        };
        assert!(grown(&alone.told()), "the same without a leak");
        let another = Life {
            leaks: true,
            kib: &|at| 10_240 + 1_024 * at,
            runtime: None,
        };
        let told = another.told();
        assert!(grown(&told), "of 1 MiB a handle");
        assert!(told.iter().all(|it| it.in_step.is_none()));
    }

    #[test]
    fn a_first_ramp_is_not_told_and_what_goes_beyond_is() {
        let ramp = Life {
            leaks: false,
            kib: &|at| 18_432 + 150 * at,
            runtime: Some(Runtime::V8),
        };
        assert!(!grown(&ramp.told()), "from 18 to 55 MiB");
        let native = Life {
            runtime: None,
            ..ramp
        };
        assert!(grown(&native.told()), "there it is none");
        let beyond = Life {
            kib: &|at| 18_432 + 512 * at,
            ..ramp
        };
        let told = beyond.told();
        let mut growth = told.iter().filter(|it| it.verdict == Verdict::Growth);
        let (first, last) = (growth.next().unwrap(), growth.next_back().unwrap());
        assert!(first.open_bytes >= Some(58 << 20), "{:?}", first.open_bytes);
        assert!(
            (0.5..0.8).contains(&first.confidence),
            "{}",
            first.confidence
        );
        assert!(last.confidence > 0.8, "{}", last.confidence);
        assert!(told.iter().all(|it| it.resolution.is_none()));
    }
}
