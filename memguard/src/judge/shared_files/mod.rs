//! Files in memory that outlive their makers, of `shm_open(3)` and `sem_open(3)`: nobody has them
//! open or mapped, and nobody removes their names.
//!
//! The kernel says who made a file; that its name is still there, and who holds it, is asked of
//! `/proc`. While its maker runs it is one of the maker's, and piles up with others like any count.
//! When its maker has ended it is looked for after a while, for another process may be about to
//! remove it; under `run` at the end of the command.

mod leftover;
mod standing;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use hashbrown::HashMap;

use self::{
    leftover::{Ended, Leftover, Made},
    standing::Standing,
};
use super::{Context, exits::End, growth::Ranked, question::SharedFilesRequest};
use crate::model::{
    finding::{Finding, Site, Verdict},
    ids::{ProcessId, Stamp},
    origin::StackId,
    resource::Kind,
    shared_file::{CreatedFile, SharedFile, SharedFileId},
};

/// Most files that are followed; those made beyond are not, and are counted.
const FILES: usize = 65_536;
/// Time between two looks at the files whose makers run.
const PERIOD: Duration = Duration::from_secs(5);
/// See the module.
#[derive(Debug, Default)]
pub struct SharedFiles {
    /// Their makers run.
    made: HashMap<SharedFileId, Made>,
    ended: VecDeque<Ended>,
    /// Files of `ended`.
    waiting: usize,
    leftovers: VecDeque<Leftover>,
    standing: Standing,
    /// Whose files were counted.
    counted: BTreeSet<ProcessId>,
    asked: Option<SharedFilesRequest>,
    /// What is asked is of all files whose makers run.
    asks_all: bool,
    next_look: Stamp,
    /// Nothing is waited for any more.
    last: bool,
    dropped: u64,
}

impl SharedFiles {
    /// A process made a file.
    pub fn created(&mut self, created: CreatedFile) {
        if self.made.len().saturating_add(self.waiting) < FILES {
            let stack = None;
            self.made.insert(created.id, Made { created, stack });
        } else {
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    /// It is known where a file was made.
    pub fn attribute(&mut self, id: SharedFileId, stack: StackId) {
        let ended = self.ended.iter_mut().flat_map(|ended| &mut ended.made);
        let made = self.made.values_mut().chain(ended);
        for made in made.filter(|made| made.created.id == id) {
            made.stack = Some(stack);
        }
    }

    /// Where the files of a process that runs were made.
    pub fn stacks_of(&self, process: ProcessId) -> Vec<StackId> {
        let of_process = self.of(process);
        let mut stacks: Vec<_> = of_process.filter_map(|made| made.stack).collect();
        stacks.sort_unstable();
        stacks.dedup();
        stacks
    }

    fn of(&self, process: ProcessId) -> impl Iterator<Item = &Made> {
        let made = self.made.values();
        made.filter(move |made| made.created.process == process)
    }

    /// How many files of a process that runs there are, by where they were made; the most first.
    pub fn ranked(&self, process: ProcessId) -> Ranked {
        let mut counts: BTreeMap<Option<StackId>, u64> = BTreeMap::new();
        for made in self.of(process) {
            *counts.entry(made.stack).or_default() += 1;
        }
        let sites = counts.into_iter().map(|(stack, count)| {
            let site = Site {
                place: None,
                kind: Kind::PosixShm,
                bytes: 0,
                count,
            };
            (Kind::PosixShm, stack, site)
        });
        let mut ranked: Ranked = sites.collect();
        ranked.sort_by_key(|(.., site)| std::cmp::Reverse(site.count));
        ranked
    }

    /// A process has ended. Under `run` what it left is looked for when the command has ended.
    pub fn ended(&mut self, end: &End, is_run: bool) {
        let process = end.info.id;
        let own = self
            .made
            .extract_if(|_, made| made.created.process == process);
        let mut made: Vec<_> = own.map(|(_, made)| made).collect();
        if made.is_empty() {
            return;
        }
        made.sort_unstable_by_key(|made| made.created.stamp);
        self.waiting = self.waiting.saturating_add(made.len());
        let waits = is_run && !self.last;
        self.ended.push_back(Ended::new(end, made, waits));
    }

    /// What ended without a word left nothing that could be told.
    pub fn forget(&mut self, process: ProcessId) {
        self.made.retain(|_, made| made.created.process != process);
        self.counted.remove(&process);
    }

    /// Nothing is waited for any more.
    pub fn hurry(&mut self) {
        self.last = true;
        for ended in &mut self.ended {
            ended.due = Stamp(0);
        }
    }

    /// Which files to look for now.
    pub fn request(&mut self, now: Stamp) -> Option<SharedFilesRequest> {
        if self.asked.is_some() {
            return None;
        }
        let mut request = SharedFilesRequest::default();
        let due = self.ended.iter().filter(|ended| ended.due <= now);
        let due = due.flat_map(|ended| &ended.made);
        request.left.extend(due.map(|made| made.created.id));
        if !request.left.is_empty() {
            request.made.extend(self.standing.files());
        }
        self.asks_all = self.next_look <= now;
        if self.asks_all {
            self.next_look = now.after(PERIOD);
            request.made.extend(self.made.keys());
        }
        let nothing = request.left.is_empty() && request.made.is_empty();
        self.asked = (!nothing).then_some(request);
        self.asked.clone()
    }

    /// What was found: how many files each process has that runs.
    pub fn found(
        &mut self,
        files: Option<Vec<SharedFile>>,
        now: Stamp,
    ) -> BTreeMap<ProcessId, u64> {
        let Some(asked) = self.asked.take() else {
            return BTreeMap::new();
        };
        let Some(files) = files else {
            self.ask_later(&asked, now);
            return BTreeMap::new();
        };
        let named: HashMap<_, _> = files.into_iter().map(|file| (file.id, file)).collect();
        self.standing.found(&asked, &named);
        self.conclude(&asked, &named, now);
        self.made
            .retain(|id, _| !asked.made.contains(id) || named.contains_key(id));
        self.count(&asked)
    }

    fn ask_later(&mut self, asked: &SharedFilesRequest, now: Stamp) {
        for ended in self.ended.iter_mut().filter(|it| it.was_asked(asked)) {
            ended.due = now.after(PERIOD);
        }
    }

    /// What somebody else holds is waited for.
    fn conclude(
        &mut self,
        asked: &SharedFilesRequest,
        named: &HashMap<SharedFileId, SharedFile>,
        now: Stamp,
    ) {
        for mut ended in std::mem::take(&mut self.ended) {
            if !ended.was_asked(asked) {
                self.ended.push_back(ended);
                continue;
            }
            let leftover = ended.leftover(named);
            self.leftovers.extend(leftover);
            if !ended.made.is_empty() && !self.last {
                ended.wait(now);
                self.ended.push_back(ended);
            }
        }
        self.waiting = self.ended.iter().map(|ended| ended.made.len()).sum();
    }

    /// Of those that were looked for, by maker; of who had some before and has none, zero.
    fn count(&mut self, asked: &SharedFilesRequest) -> BTreeMap<ProcessId, u64> {
        if !self.asks_all {
            return BTreeMap::new();
        }
        let counted = self.counted.iter().map(|process| (*process, 0));
        let mut counts: BTreeMap<ProcessId, u64> = counted.collect();
        let made = self.made.values().map(|made| made.created);
        for created in made.filter(|created| asked.made.contains(&created.id)) {
            *counts.entry(created.process).or_default() += 1;
        }
        let some = counts.iter().filter(|(_, count)| **count > 0);
        self.counted = some.map(|(process, _)| *process).collect();
        counts
    }

    /// Whose leftovers are told next, and where they were made.
    pub fn next_stacks(&self) -> Option<(ProcessId, Vec<StackId>)> {
        let next = self.leftovers.front()?;
        let stacks = next.files.iter().filter_map(|(made, _)| made.stack);
        Some((next.end.info.id, stacks.collect()))
    }

    /// The findings about them, one for each place.
    pub fn describe_next(&mut self, context: &Context) -> Vec<Finding> {
        let Some(Leftover { end, files }) = self.leftovers.pop_front() else {
            return Vec::new();
        };
        let mut places: BTreeMap<Option<StackId>, Vec<(Made, SharedFile)>> = BTreeMap::new();
        for (made, file) in files {
            places.entry(made.stack).or_default().push((made, file));
        }
        let findings = places.into_iter().map(|(stack, files)| {
            let finding = leftover::describe(context, &end, stack, &files);
            self.judge(finding, &files)
        });
        findings.collect()
    }

    /// What one process leaves is news; what many leave at one place, and nobody removes, is a
    /// leak.
    fn judge(&mut self, finding: Finding, files: &[(Made, SharedFile)]) -> Finding {
        match self.standing.add(&finding, files) {
            Some((count, bytes)) => Finding {
                verdict: Verdict::Leak,
                open_count: count,
                open_bytes: Some(bytes),
                resident_bytes: None,
                acquired_count: count,
                ..finding
            },
            None => finding,
        }
    }

    /// Whether something is asked, or waits to be told.
    pub fn is_busy(&self) -> bool {
        self.asked.is_some() || !self.leftovers.is_empty()
    }

    /// Files that are not followed, for there were too many.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Whether anything is to be told of a process, or waits for its end; for tests.
    pub fn mentions(&self, process: ProcessId) -> bool {
        self.of(process).next().is_some() || self.counted.contains(&process)
    }
}

#[cfg(test)]
mod tests;
