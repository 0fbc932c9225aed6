//! What the periodic look at everything found.

use std::time::Duration;

use super::{Effect, Engine};
use crate::{
    detect::growth::{Baseline, Growth, Outcome},
    judge::{
        cgroups::GrowingCgroup,
        growth,
        question::{Answer, Purpose, Surveyed, SurveyedProcess},
        threads,
        usage::alert,
    },
    ledger::population::GroupId,
    model::{
        baseline::BaselineRecord, event::Event, finding::Resolution, ids::ProcessId, memory::Usage,
        report::Report, resource::Kind,
    },
};

/// After this time without a process the record of its end cannot be under way any more: the ring
/// is drained at least once a second.
const UNTOLD: Duration = Duration::from_secs(3);

impl Engine {
    pub(super) fn answered(&mut self, answer: Answer) {
        match answer {
            Answer::Surveyed(surveyed) => self.surveyed(surveyed),
            Answer::Sampled(found) => self.sampled(found),
            Answer::Inspected(inspected) => self.inspected(*inspected),
            Answer::Peers { finding, peers } => self.peers_known(finding, peers),
            Answer::Segments {
                segments,
                boot_seconds,
            } => self.segments_known(segments, boot_seconds),
            Answer::Objects(files) => self.objects_found(files),
            Answer::SegmentSize { id, bytes } => self.segment_sized(id, bytes),
            Answer::Census(census) => self.report(Report::Census(*census)),
            Answer::HeldBefore(held) => self.held_before(*held),
        }
    }

    fn surveyed(&mut self, surveyed: Surveyed) {
        let Some(asked) = self.survey.take().filter(|_| !surveyed.refused) else {
            return;
        };
        self.identify(&asked.unidentified, surveyed.identified);
        for found in surveyed.processes {
            self.surveyed_process(found);
        }
        if self.context.wants(Kind::HeapAnon) {
            let Self {
                context,
                usages,
                zombies,
                ..
            } = self;
            threads::count(context, usages);
            zombies.found(&asked.ended, &surveyed.zombies, context, usages);
            self.judge_growth();
            self.judge_cgroups(&surveyed.cgroups);
        }
        self.judge_limits();
        self.begin_passes();
        self.are_gone(surveyed.gone);
    }

    /// Thread groups of which only the birth was told and that have not been found for a while have
    /// ended without a word.
    fn identify(&mut self, asked: &[u32], found: Vec<ProcessId>) {
        let before = std::mem::take(&mut self.gone_numbers);
        let now = self.context.now;
        self.identified
            .extend(found.into_iter().map(|id| (id.tgid, id)));
        self.forget_identified();
        for tgid in asked
            .iter()
            .filter(|tgid| !self.identified.contains_key(*tgid))
        {
            let since = before.get(tgid).copied().unwrap_or(now);
            if now.since(since) < UNTOLD {
                self.gone_numbers.insert(*tgid, since);
            } else {
                self.context.ledger.missed_end_of_number(*tgid);
            }
        }
    }

    /// Of those that have ended, or are known by now, nothing is kept.
    fn forget_identified(&mut self) {
        let processes = &self.context.ledger.processes;
        let unknown: hashbrown::HashSet<u32> = processes
            .running()
            .filter_map(|(tgid, id)| id.is_none().then_some(tgid))
            .collect();
        self.identified.retain(|tgid, _| unknown.contains(tgid));
    }

    /// Nothing is learned of a process that has ended since it was asked about.
    pub(super) fn surveyed_process(&mut self, mut found: SurveyedProcess) {
        if !self.is_there(found.process) {
            return;
        }
        if let Some(info) = found.info.take() {
            let known = self.context.ledger.processes.get(found.process);
            self.context.identities.learn(info, known);
        }
        for acquired in self.untracked.compare(&found, &mut self.context) {
            self.context.ledger.apply(Event::Acquired(acquired));
        }
        self.take_counts(&found);
        if let Some(usage) = found.usage {
            self.take_sample(&found, usage);
        }
        if let Some(watches) = found.watches {
            let Self {
                context, usages, ..
            } = self;
            self.watches
                .counted(found.process, watches, context, usages);
            self.exhaustion.counted(
                found.process,
                Kind::AllWatches,
                self.context.now,
                watches.watches,
            );
        }
    }

    fn take_sample(&mut self, found: &SurveyedProcess, usage: Usage) {
        let (process, now) = (found.process, self.context.now);
        let before = self.baseline_before(process);
        self.usages.sampled(process, usage, now, before);
        for alarm in self.usages.alarms(process, &found.ceilings) {
            let process = self.context.identity(process);
            let alert = alert(alarm, usage.anonymous_bytes, process, now);
            self.report(Report::Crossed(Box::new(alert)));
        }
    }

    /// What an earlier run knew of a process that is sampled for the first time.
    fn baseline_before(&self, process: ProcessId) -> Option<Baseline> {
        let record = self.kept.as_ref()?.get(&process)?;
        let same = self.context.identity(process).executable == record.executable;
        (same && !self.usages.knows(process)).then_some(Baseline {
            median: record.bytes,
            low: record.bytes,
            high: record.bytes,
            samples: record.samples,
        })
    }

    /// Of everything that runs; those of earlier runs where there are no new ones yet.
    pub(super) fn save_baselines(&mut self) {
        let Some(kept) = &self.kept else {
            return;
        };
        let mut records = Vec::new();
        for (process, baseline) in self.usages.baselines() {
            let record = baseline.map(|baseline| BaselineRecord {
                bytes: baseline.median,
                samples: baseline.samples,
                taken_at: self.context.now,
                executable: self.context.identity(process).executable.clone(),
            });
            let record = record.or_else(|| kept.get(&process).cloned());
            records.extend(record.map(|record| (process, record)));
        }
        self.effects.push(Effect::SaveBaselines(records));
    }

    /// Judges what the last samples say.
    fn judge_growth(&mut self) {
        for (process, kind, outcome) in self.usages.outcomes() {
            let group = GroupId::of(process, kind);
            match outcome {
                Outcome::Growing(growth) if self.may_matter(group, &growth) => {
                    self.look_at_growth(group, growth);
                }
                Outcome::Growing(_) => self.resolve(group, Resolution::Withdrawn),
                _ => {
                    self.usages.rests(process, kind);
                    self.resolve(group, Resolution::Stopped);
                }
            }
        }
    }

    fn may_matter(&self, group: GroupId, growth: &Growth) -> bool {
        let cached = || threads::cached(&self.context, group.process);
        let told = || self.groups.findings().is_open(group);
        self.context.wants(group.kind)
            && (group.kind != Kind::Unjoined || growth.to > cached())
            && (growth::may_matter(group.kind, growth) || told())
    }

    fn look_at_growth(&mut self, group: GroupId, growth: Growth) {
        let pieces = growth::pieces(&self.context, group);
        let stranger = self.context.is_stranger(group.process);
        let touched = self.fault_sites.are_told(group.kind);
        if let Some(pass) = self.passes.of(group.process, Purpose::Growth) {
            pass.range(pieces.iter().map(|piece| piece.range));
            let inspect = &mut pass.inspect;
            inspect.info |= stranger;
            inspect.mapped |= touched;
            inspect.shared_capacity |= group.kind == Kind::HeapShm;
            inspect.runtime |= group.kind == Kind::HeapAnon;
            inspect.ceilings = inspect.ceilings.and(growth::ceilings_wanted(group.kind));
            pass.growths.push((group, growth));
        }
    }

    fn judge_cgroups(&mut self, members: &[Vec<u32>]) {
        let Self {
            cgroups,
            context,
            usages,
            ..
        } = self;
        for (group, growing) in cgroups.observe(members, context, usages) {
            match growing {
                Some(growing) => self.look_at_cgroup(group, growing),
                None => self.resolve(group, Resolution::Stopped),
            }
        }
    }

    fn look_at_cgroup(&mut self, group: GroupId, growing: GrowingCgroup) {
        let stranger = self.context.is_stranger(growing.largest);
        if let Some(pass) = self.passes.of(growing.largest, Purpose::Growth) {
            let inspect = &mut pass.inspect;
            inspect.info |= stranger;
            inspect.runtime = true;
            inspect.ceilings = inspect.ceilings.and(growth::ceilings_wanted(group.kind));
            pass.cgroups.push((group, growing));
        }
    }

    /// Whether a process has not ended, as far as is known.
    pub(super) fn is_there(&self, process: ProcessId) -> bool {
        let identified = self.identified.get(&process.tgid) == Some(&process);
        identified || self.context.ledger.processes.is_running(process)
    }

    /// Those that had gone a while ago, and still are believed to run, have ended without a word:
    /// by now a record of their end would be here.
    fn are_gone(&mut self, gone: Vec<ProcessId>) {
        let before = std::mem::take(&mut self.gone);
        let now = self.context.now;
        for process in gone {
            if !self.is_there(process) {
                continue;
            }
            let since = before.get(&process).copied().unwrap_or(now);
            if now.since(since) < UNTOLD {
                self.gone.insert(process, since);
            } else {
                self.missed_end(process);
            }
        }
        self.take_missed_ends();
    }

    fn missed_end(&mut self, process: ProcessId) {
        let now = self.context.now;
        if self.context.ledger.processes.is_running(process) {
            self.context.ledger.missed_end(process, now);
        } else {
            // Only its birth was told, and `/proc` said who it was.
            self.context.ledger.missed_end_of_number(process.tgid);
            self.process_ended(process);
        }
    }

    /// Ends that no record told.
    pub(super) fn take_missed_ends(&mut self) {
        for missed in self.context.ledger.take_missed_ends() {
            self.process_ended(missed);
        }
    }
}
