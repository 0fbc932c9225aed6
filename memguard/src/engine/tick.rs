//! Judges everything that runs: which groups are suspected is decided at once, from the ledger;
//! what `/proc` is needed for is asked, and judged when it is answered.

use std::collections::BTreeMap;

use super::{Effect, Engine, passes::LOOKS};
use crate::{
    judge::{
        context::names::Naming,
        descriptors::{self, Candidate},
        leftovers,
        mappings::{self, Site},
        question::{InfoRequest, Purpose, Question, Survey, SurveyRequest},
    },
    ledger::population::GroupId,
    model::{finding::Resolution, ids::ProcessId, origin::StackId, resource::Kind},
};

impl Engine {
    pub(super) fn tick(&mut self) {
        self.conclude_named();
        self.judge_descriptors();
        self.judge_mappings();
        self.judge_hoards();
        self.begin_passes();
        self.survey();
        self.look_for_persistent();
        self.tell_ended();
    }

    /// Asks what the policies want to know of suspected processes.
    pub(super) fn begin_passes(&mut self) {
        for (inspect, stacks) in self.passes.begin() {
            let process = inspect.process;
            self.effects.push(Effect::Ask(Question::Inspect(inspect)));
            self.ask_names(process, stacks);
        }
    }

    /// Whether the names of these stacks are there; they are asked for where they were not yet.
    pub(super) fn ask_names(&mut self, process: ProcessId, stacks: Vec<StackId>) -> bool {
        match self.context.names.want(stacks, self.context.now) {
            Naming::Done => true,
            Naming::Waiting(stacks) => {
                if !stacks.is_empty() {
                    self.effects.push(Effect::Name { process, stacks });
                }
                false
            }
        }
    }

    fn judge_descriptors(&mut self) {
        let now = self.context.now;
        let groups = descriptors::groups(&self.context);
        let vanished =
            |group: GroupId| descriptors::is_descriptor(group) && !groups.contains_key(&group);
        let over = self.groups.vanished(vanished, now);
        self.report_findings(over);
        let holding = groups.iter().filter(|(_, it)| !it.survivors.is_empty());
        self.holders = holding.map(|(group, _)| group.process.tgid).collect();
        let mut looks = LOOKS;
        // Where there are too many, those that were left out last time come first.
        let first = self.looks_ended_at.take();
        let (before, after): (Vec<_>, Vec<_>) = groups
            .into_iter()
            .partition(|(group, _)| Some(group.process) < first);
        for (group, candidate) in after.into_iter().chain(before) {
            self.judge_candidate(group, candidate, &mut looks);
            if looks == 0 {
                self.looks_ended_at.get_or_insert(group.process);
            }
        }
    }

    fn judge_candidate(&mut self, group: GroupId, mut candidate: Candidate, looks: &mut usize) {
        if candidate.survivors.is_empty() {
            self.groups.forget_counts(group);
            return self.resolve(group, Resolution::Released);
        }
        let unsorted = candidate.is_unsorted(&self.context);
        if !unsorted && !self.counts_as_suspect(group, &mut candidate) {
            return self.resolve(group, Resolution::Released);
        }
        let stranger = self.context.is_stranger(group.process);
        if let Some(pass) = self.passes.of(group.process, Purpose::Held) {
            pass.look(&candidate.survivors, looks);
            pass.inspect.info |= stranger;
            pass.stacks.extend(self.context.stacks(group));
            if !unsorted {
                pass.descriptors.push(candidate);
            }
        }
    }

    fn counts_as_suspect(&mut self, group: GroupId, candidate: &mut Candidate) -> bool {
        let Self {
            context, groups, ..
        } = self;
        let total = candidate.total(context) as i64;
        let held = (candidate.survivors.len() + candidate.young.len()) as u64;
        let history = groups.record(group, context.now, [candidate.old(context), held], total);
        candidate.is_suspect(context, history)
    }

    fn judge_mappings(&mut self) {
        let now = self.context.now;
        let sites = mappings::sites(&self.context);
        let vanished = |group: GroupId| mappings::is_mapping(group) && !sites.contains_key(&group);
        let over = self.groups.vanished(vanished, now);
        self.report_findings(over);
        for (group, site) in sites {
            self.judge_site(group, site);
        }
    }

    fn judge_site(&mut self, group: GroupId, site: Site) {
        if !site.is_late(&self.context, group) {
            // Resident since the warm-up: no pile, and nothing to remember.
            self.groups.forget_counts(group);
            return self.resolve(group, Resolution::Released);
        }
        let Self {
            context, groups, ..
        } = self;
        let total = site.total(context, group);
        let count = site.stamps().len() as u64;
        let history = groups.record(group, context.now, [count, count], total);
        let suspect = site.is_suspect(context, group, history);
        if !suspect && !groups.findings().is_open(group) {
            return;
        }
        let stranger = context.is_stranger(group.process);
        if let Some(pass) = self.passes.of(group.process, Purpose::Held) {
            pass.range(site.pieces.iter().map(|piece| piece.range));
            pass.inspect.ceilings.mappings = true;
            pass.inspect.info |= stranger;
            pass.stacks.extend(self.context.stacks(group));
            pass.sites.push((group, site));
        }
    }

    /// Everything that is watched is looked at, unless the last look is not over.
    fn survey(&mut self) {
        if self.survey.is_some() {
            self.tally.surveys_skipped += 1;
            return;
        }
        let sampling = [Kind::HeapAnon, Kind::Anon].map(|kind| self.context.wants(kind));
        let mut survey = Survey::default();
        self.meet(sampling.contains(&true), &mut survey);
        if self.context.wants(Kind::HeapAnon) {
            survey.ended = self.zombies.candidates();
            survey.cgroups = self.cgroups.paths();
        }
        self.survey = Some(survey.clone());
        self.effects.push(Effect::Ask(Question::Survey(survey)));
    }

    /// Who runs, and what to ask of each.
    fn meet(&mut self, sampling: bool, survey: &mut Survey) {
        let running = self.running_processes();
        let mut surveyed = BTreeMap::new();
        for (tgid, known) in running {
            let id = known.or_else(|| self.identified.get(&tgid).copied());
            let Some(id) = id else {
                survey.unidentified.push(tgid);
                continue;
            };
            if sampling && !self.context.is_own(id) {
                self.meet_process(id);
            }
            let descriptors = known.and_then(|id| self.untracked.request(id, &self.context));
            surveyed.insert(
                id,
                SurveyRequest {
                    descriptors,
                    ..SurveyRequest::new(id)
                },
            );
        }
        if sampling {
            self.add_due(&mut surveyed);
        }
        if self.context.wants(Kind::InotifyWatch) {
            self.add_watchers(&mut surveyed);
        }
        survey.processes = surveyed.into_values().collect();
    }

    /// Those of which a sample is due.
    fn add_due(&mut self, surveyed: &mut BTreeMap<ProcessId, SurveyRequest>) {
        for due in self.due() {
            let (process, usage) = (due.process, due.usage);
            surveyed.entry(process).or_insert(due).usage = usage;
        }
    }

    /// Those whose watches are to be counted, as far as they are looked at.
    fn add_watchers(&mut self, surveyed: &mut BTreeMap<ProcessId, SurveyRequest>) {
        for process in self.watches.due(&self.context) {
            if let Some(request) = surveyed.get_mut(&process) {
                request.watches = true;
            }
        }
    }

    fn meet_process(&mut self, id: ProcessId) {
        self.usages.meet(id, self.context.now);
        let known = self.context.ledger.processes.get(id);
        let exec_id = known.and_then(|process| process.exec_id);
        if self.usages.runs(id, exec_id) {
            self.fault_sites.forget(id);
        }
    }

    /// Who it is is asked of a process whose baseline is to be found, or kept.
    pub(super) fn info_wanted(&self, process: ProcessId) -> InfoRequest {
        if !self.context.is_stranger(process) {
            InfoRequest::No
        } else if self.kept.is_some() {
            InfoRequest::Yes
        } else {
            InfoRequest::WhereNear
        }
    }

    /// Thread groups that have not ended, with their start where it is known; in order.
    fn running_processes(&self) -> Vec<(u32, Option<ProcessId>)> {
        let mut running: Vec<_> = self.context.ledger.processes.running().collect();
        running.sort_unstable();
        running
    }

    /// What outlives the command of `run` is looked at as if it ended.
    pub(super) fn judge_leftovers(&mut self) {
        let mut looks = 2 * LOOKS;
        for (group, held) in leftovers::groups(&self.context) {
            let stranger = self.context.is_stranger(group.process);
            if let Some(pass) = self.passes.of(group.process, Purpose::Leftovers) {
                pass.look(&held, &mut looks);
                pass.inspect.info |= stranger;
                pass.stacks.extend(self.context.stacks(group));
                pass.leftovers.push(Candidate {
                    group,
                    survivors: held,
                    young: Vec::new(),
                });
            }
        }
        self.begin_passes();
        self.look_for_persistent_at_last();
    }
}
