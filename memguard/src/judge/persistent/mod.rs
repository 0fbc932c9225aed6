//! Objects that outlive their makers: files in memory, of `shm_open(3)` and `sem_open(3)`, which
//! nobody has open or mapped and whose names nobody removes, and keys that nobody unlinks.
//!
//! The kernel's programs say who made one; that it is still there, and who holds it, is asked for.
//! While its maker runs it is one of the maker's, and piles up with others like any count. When its
//! maker has ended it is looked for after a while, for another process may be about to remove it;
//! under `run` at the end of the command.

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
use super::{Context, exits::End, growth::Ranked, question::ObjectsRequest};
use crate::model::{
    finding::{Finding, Site, Verdict},
    ids::{ProcessId, Stamp},
    origin::StackId,
    persistent::{CreatedObject, FoundObject, ObjectId},
    resource::Kind,
};

/// Most objects that are followed; those made beyond are not, and are counted.
const OBJECTS: usize = 65_536;
/// Time between two looks at the objects whose makers run.
const PERIOD: Duration = Duration::from_secs(5);
/// See the module.
#[derive(Debug, Default)]
pub struct PersistentObjects {
    /// Their makers run.
    made: HashMap<ObjectId, Made>,
    ended: VecDeque<Ended>,
    /// Objects of `ended`.
    waiting: usize,
    leftovers: VecDeque<Leftover>,
    standing: Standing,
    /// Whose objects were counted, and which.
    counted: BTreeSet<(ProcessId, Kind)>,
    asked: Option<ObjectsRequest>,
    /// What is asked is of all files whose makers run.
    asks_all: bool,
    next_look: Stamp,
    /// Nothing is waited for any more.
    last: bool,
    dropped: u64,
}

impl PersistentObjects {
    /// A process made one.
    pub fn created(&mut self, created: CreatedObject) {
        if self.knows(created.id) {
            // A key that was given another payload.
            return;
        }
        if self.made.len().saturating_add(self.waiting) < OBJECTS {
            let stack = None;
            self.made.insert(created.id, Made { created, stack });
        } else {
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    fn knows(&self, id: ObjectId) -> bool {
        let is_key = matches!(id, ObjectId::Key(_));
        let mut ended = self.ended.iter().flat_map(|ended| &ended.made);
        is_key
            && (self.made.contains_key(&id)
                || self.standing.knows(id)
                || ended.any(|made| made.created.id == id))
    }

    /// It is known where one was made.
    pub fn attribute(&mut self, id: ObjectId, stack: StackId) {
        let ended = self.ended.iter_mut().flat_map(|ended| &mut ended.made);
        let made = self.made.values_mut().chain(ended);
        for made in made.filter(|made| made.created.id == id) {
            made.stack = Some(stack);
        }
    }

    /// Where the objects of a process that runs were made.
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

    /// How many objects of a kind are known of each process that runs.
    pub fn counts(&self, kind: Kind) -> BTreeMap<ProcessId, u64> {
        let mut counts = BTreeMap::new();
        for made in self.made.values().filter(|made| made.kind() == kind) {
            *counts.entry(made.created.process).or_default() += 1;
        }
        counts
    }

    /// How many objects of a kind a process has that runs, by where they were made; the most first.
    pub fn ranked(&self, process: ProcessId, kind: Kind) -> Ranked {
        let mut counts: BTreeMap<Option<StackId>, u64> = BTreeMap::new();
        for made in self.of(process).filter(|made| made.kind() == kind) {
            *counts.entry(made.stack).or_default() += 1;
        }
        let sites = counts.into_iter().map(|(stack, count)| {
            let site = Site {
                place: None,
                kind,
                bytes: 0,
                count,
            };
            (kind, stack, site)
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
        let own = own.map(|(_, made)| made);
        let mut made: Vec<_> = own.filter(|made| made.created.outlives).collect();
        if made.is_empty() {
            return;
        }
        made.sort_unstable_by_key(|made| (made.created.stamp, made.created.id));
        self.waiting = self.waiting.saturating_add(made.len());
        let waits = is_run && !self.last;
        self.ended.push_back(Ended::new(end, made, waits));
    }

    /// What ended without a word left nothing that could be told.
    pub fn forget(&mut self, process: ProcessId) {
        self.made.retain(|_, made| made.created.process != process);
        self.counted.retain(|(of, _)| *of != process);
    }

    /// Nothing is waited for any more.
    pub fn hurry(&mut self) {
        self.last = true;
        for ended in &mut self.ended {
            ended.due = Stamp(0);
        }
    }

    /// Which objects to look for now.
    pub fn request(&mut self, now: Stamp) -> Option<ObjectsRequest> {
        if self.asked.is_some() {
            return None;
        }
        let mut request = ObjectsRequest::default();
        let due = self.ended.iter().filter(|ended| ended.due <= now);
        let due = due.flat_map(|ended| &ended.made);
        request.left.extend(due.map(|made| made.created.id));
        if !request.left.is_empty() {
            request.made.extend(self.standing.objects());
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

    /// What was found: how many objects of each kind each process has that runs.
    pub fn found(
        &mut self,
        found: Option<Vec<FoundObject>>,
        now: Stamp,
    ) -> BTreeMap<(ProcessId, Kind), u64> {
        let Some(asked) = self.asked.take() else {
            return BTreeMap::new();
        };
        let Some(found) = found else {
            self.ask_later(&asked, now);
            return BTreeMap::new();
        };
        let there: HashMap<_, _> = found.into_iter().map(|found| (found.id, found)).collect();
        self.standing.found(&asked, &there);
        self.conclude(&asked, &there, now);
        self.made
            .retain(|id, _| !asked.made.contains(id) || there.contains_key(id));
        self.count(&asked)
    }

    fn ask_later(&mut self, asked: &ObjectsRequest, now: Stamp) {
        for ended in self.ended.iter_mut().filter(|it| it.was_asked(asked)) {
            ended.due = now.after(PERIOD);
        }
    }

    /// What somebody else holds is waited for.
    fn conclude(
        &mut self,
        asked: &ObjectsRequest,
        there: &HashMap<ObjectId, FoundObject>,
        now: Stamp,
    ) {
        for mut ended in std::mem::take(&mut self.ended) {
            if !ended.was_asked(asked) {
                self.ended.push_back(ended);
                continue;
            }
            let leftover = ended.leftover(there);
            self.leftovers.extend(leftover);
            if !ended.made.is_empty() && !self.last {
                ended.wait(now);
                self.ended.push_back(ended);
            }
        }
        self.waiting = self.ended.iter().map(|ended| ended.made.len()).sum();
    }

    /// Of those that were looked for, by maker; of who had some before and has none, zero.
    fn count(&mut self, asked: &ObjectsRequest) -> BTreeMap<(ProcessId, Kind), u64> {
        if !self.asks_all {
            return BTreeMap::new();
        }
        let counted = self.counted.iter().map(|of| (*of, 0));
        let mut counts: BTreeMap<_, u64> = counted.collect();
        let made = self.made.values();
        for made in made.filter(|made| asked.made.contains(&made.created.id)) {
            let of = (made.created.process, made.kind());
            *counts.entry(of).or_default() += 1;
        }
        let some = counts.iter().filter(|(_, count)| **count > 0);
        self.counted = some.map(|(of, _)| *of).collect();
        counts
    }

    /// Whose leftovers are told next, and where they were made.
    pub fn next_stacks(&self) -> Option<(ProcessId, Vec<StackId>)> {
        let next = self.leftovers.front()?;
        let stacks = next.objects.iter().filter_map(|(made, _)| made.stack);
        Some((next.end.info.id, stacks.collect()))
    }

    /// The findings about them, one for each kind and place.
    pub fn describe_next(&mut self, context: &Context) -> Vec<Finding> {
        let Some(Leftover { end, objects }) = self.leftovers.pop_front() else {
            return Vec::new();
        };
        let mut places: BTreeMap<_, Vec<(Made, FoundObject)>> = BTreeMap::new();
        for (made, found) in objects {
            let place = (made.kind(), made.stack);
            places.entry(place).or_default().push((made, found));
        }
        let findings = places.into_iter().map(|((kind, stack), objects)| {
            let finding = leftover::describe(context, &end, kind, stack, &objects);
            self.judge(finding, &objects)
        });
        findings.collect()
    }

    /// What one process leaves is news; what many leave at one place, and nobody removes, is a
    /// leak. But not of keys: they may expire by themselves, or be another's by now.
    fn judge(&mut self, finding: Finding, objects: &[(Made, FoundObject)]) -> Finding {
        match self.standing.add(&finding, objects) {
            Some((count, bytes)) if finding.kind != Kind::Key => Finding {
                verdict: Verdict::Leak,
                open_count: count,
                open_bytes: finding.open_bytes.map(|_| bytes),
                resident_bytes: None,
                acquired_count: count,
                ..finding
            },
            _ => finding,
        }
    }

    /// Whether something is asked, or waits to be told.
    pub fn is_busy(&self) -> bool {
        self.asked.is_some() || !self.leftovers.is_empty()
    }

    /// Objects that are not followed, for there were too many.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Whether anything is to be told of a process, or waits for its end; for tests.
    pub fn mentions(&self, process: ProcessId) -> bool {
        let mut counted = self.counted.iter();
        self.of(process).next().is_some() || counted.any(|(of, _)| *of == process)
    }
}

#[cfg(test)]
mod tests;
