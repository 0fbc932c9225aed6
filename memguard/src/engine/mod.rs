//! What is held, whether it leaks, and what to say: the pure core, which can be replayed.
//!
//! [`Engine::handle`] takes what happened ([`Input`]) and returns what is to be done ([`Effect`]).
//! It reads no clock and no file, waits for nothing and cannot fail: whoever owns it answers its
//! questions, in any order. The ledger, the policies of [`crate::judge`] and the findings are
//! parts of it; nobody else changes them.

mod apply;
mod conclude;
mod counters;
mod descriptors;
pub mod effect;
mod ended;
mod groups;
mod growing;
pub mod input;
mod limits;
mod passes;
mod persistent;
mod samples;
mod setup;
mod short_lives;
mod survey;
mod tick;

#[cfg(test)]
mod tests;

use hashbrown::{HashMap, HashSet};

pub use self::{effect::Effect, input::Input, setup::Setup};
use self::{ended::EndedQueue, groups::Groups, passes::Passes, short_lives::ShortLived};
use crate::{
    findings::suggestions::suggest,
    judge::{
        Context, cgroups::Cgroups, context::whole_stacks::Sample, exhaustion::Exhaustion,
        fault_sites::FaultSites, hoard::Hoards, persistent::PersistentObjects, question::Survey,
        untracked::Untracked, usage::Usages, watches::Watches, zombies::Zombies,
    },
    ledger::{Sweep, population::GroupId},
    model::{
        baseline::BaselineRecord,
        finding::{Finding, Resolution},
        ids::{ProcessId, Stamp},
        report::Report,
    },
};

/// See the module.
#[derive(Debug)]
pub struct Engine {
    context: Context,
    groups: Groups,
    usages: Usages,
    untracked: Untracked,
    zombies: Zombies,
    watches: Watches,
    persistent: PersistentObjects,
    cgroups: Cgroups,
    fault_sites: FaultSites,
    exhaustion: Exhaustion,
    hoards: Hoards,
    passes: Passes,
    telling: conclude::Telling,
    ended: EndedQueue,
    attaching: apply::Attaching,
    /// A sweep that has begun.
    sweep: Option<Sweep>,
    /// A survey that is not answered yet.
    survey: Option<Survey>,
    /// Samples between two surveys are not answered yet.
    sampling: bool,
    /// Processes whose start only `/proc` knows, by thread group.
    identified: HashMap<u32, ProcessId>,
    /// Processes that had gone when it was last asked, although no end was told; since when.
    gone: HashMap<ProcessId, Stamp>,
    /// Likewise thread groups of which only the birth was told.
    gone_numbers: HashMap<u32, Stamp>,
    /// Released in the nursery; where they were acquired is not known yet.
    short_lives: ShortLived,
    /// Thread groups that hold something of which is to be judged.
    holders: HashSet<u32>,
    /// What an earlier run knew; `None` where nothing is kept.
    kept: Option<HashMap<ProcessId, BaselineRecord>>,
    /// The process at which the looks of a judgement were used up.
    looks_ended_at: Option<ProcessId>,
    effects: Vec<Effect>,
    tally: Tally,
}

/// What the engine itself counts.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    judged: u64,
    left: u64,
    /// Judgements that went without a survey, for the last one was not answered.
    surveys_skipped: u64,
}

impl Engine {
    /// Takes one thing in, and returns what is to be done.
    pub fn handle(&mut self, input: Input) -> Vec<Effect> {
        match input {
            Input::Event(event) => self.apply(event),
            Input::Attributed { acquisition, stack } => self.attribute(acquisition, stack),
            Input::WholeStack {
                acquisition,
                process,
                stamp,
                short,
                whole,
            } => {
                let sample = Sample {
                    acquisition,
                    stamp,
                    whole,
                };
                self.learn_whole_stack(process, short, sample);
            }
            Input::DiedYoung { acquired, lingered } => self.died_young(&acquired, lingered),
            Input::Seeded {
                process,
                parent,
                open,
            } => self.seed(process, parent, open),
            Input::Fault { tgid, has_window } => self.fault(tgid, has_window),
            Input::FaultUnwound {
                process,
                address,
                stamp,
                stack,
            } => self.fault_unwound(process, address, stamp, stack),
            Input::FaultsLost(count) => self.fault_sites.lost(count),
            Input::FaultRefused => self.fault_sites.refused(),
            Input::SweepBegins => self.begin_sweep(),
            Input::Resume => self.tell_ended(),
            timed => self.handle_timed(timed),
        }
        std::mem::take(&mut self.effects)
    }

    /// What moves the engine's clock.
    fn handle_timed(&mut self, input: Input) {
        match input {
            Input::Named { at, stacks } => {
                self.advance(at);
                self.context.names.learn(stacks);
                self.conclude_named();
                self.tell_ended();
                self.tell_persistent();
            }
            Input::Losses {
                at,
                counters,
                by_process,
            } => {
                self.advance(at);
                self.note_losses(counters, by_process);
            }
            Input::LossesUnreadable { at, why } => {
                self.advance(at);
                self.context.losses.unreadable(why);
            }
            Input::Swept { at, cutoff } => {
                self.advance(at);
                self.end_sweep(cutoff);
                self.sample();
            }
            Input::Tick(at) => {
                self.advance(at);
                self.tick();
            }
            Input::Answered { at, answer } => {
                self.advance(at);
                self.answered(answer);
            }
            Input::GraceOver(at) => {
                self.advance(at);
                self.judge_leftovers();
            }
            Input::Hurry(at) => {
                self.advance(at);
                self.hurry();
            }
            Input::Ended(at) => {
                self.advance(at);
                self.complete_all();
                self.say_last_words();
            }
            Input::SaveBaselines(at) => {
                self.advance(at);
                self.save_baselines();
            }
            _ => {}
        }
    }

    fn advance(&mut self, now: Stamp) {
        self.context.now = self.context.now.max(now);
    }

    /// What is told of a finding comes in order: if one waits to be completed, it goes first.
    fn report(&mut self, report: Report) {
        if let Report::Finding(finding) = &report
            && let Some(first) = self.telling.take(finding.id)
        {
            self.complete(first);
        }
        self.effects.push(Effect::Report(Box::new(report)));
    }

    fn report_findings(&mut self, findings: Vec<Finding>) {
        for finding in findings {
            self.report(Report::Finding(Box::new(finding)));
        }
    }

    /// A finding about a group is complete.
    fn say(&mut self, group: GroupId, mut finding: Finding) {
        finding.suggestion = suggest(&finding);
        self.groups.completed(group, &finding);
        self.report(Report::Finding(Box::new(finding)));
    }

    /// Of what ended, which has no life.
    fn tell_left(&mut self, mut finding: Finding) {
        finding.suggestion = suggest(&finding);
        let stamp = finding.last_seen;
        let finding = self.groups.left(finding, stamp);
        self.report(Report::Finding(Box::new(finding)));
    }

    fn resolve(&mut self, group: GroupId, why: Resolution) {
        let now = self.context.now;
        let over = self.groups.resolve(group, why, now);
        self.report_findings(over.into_iter().collect());
    }

    /// What waits for names or peers is told without them.
    fn hurry(&mut self) {
        self.context.names.hurry(true);
        self.conclude_named();
        self.complete_all();
        self.tell_all_ended();
        self.tell_persistent();
        self.context.names.hurry(false);
    }

    fn say_last_words(&mut self) {
        let words = self.groups.last_words();
        self.report_findings(words);
    }

    /// However its end was learned: afterwards nothing here speaks of the process, but for its
    /// zombie, which is its parent's.
    fn process_ended(&mut self, process: ProcessId) {
        self.complete_all_of(process);
        let over = self.groups.process_ended(process, self.context.now);
        self.report_findings(over);
        self.groups.forget_process(process);
        self.context.ledger.populations.forget(process);
        self.context.losses.forget(process);
        self.context.identities.forget(process);
        self.context.whole_stacks.forget(process);
        self.untracked.forget(process);
        self.usages.forget(process);
        self.fault_sites.forget(process);
        self.exhaustion.forget(process);
        self.hoards.forget(process);
        self.passes.forget(process);
        self.zombies.forget_parent(process);
        self.watches.forget(process);
        self.persistent.forget(process);
        self.attaching.forget(process);
        self.short_lives.forget(process);
        self.context.full.remove(&process);
        self.holders.remove(&process.tgid);
        if self.identified.get(&process.tgid) == Some(&process) {
            self.identified.remove(&process.tgid);
        }
        self.gone.remove(&process);
        if let Some(kept) = &mut self.kept {
            kept.remove(&process);
        }
        self.effects.push(Effect::Forget(process));
    }
}
