//! What is known of the names of stacks, and which were asked for.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use hashbrown::HashMap;

use crate::{
    model::{
        ids::Stamp,
        origin::{Incomplete, NamedStack, Origin, StackId},
    },
    origin::application,
};

/// Longest wait for the names of a stack: longer than the naming gives a file.
const NAMING: Duration = Duration::from_secs(15);
/// Most stacks whose names are kept; those of reported ones, so more are rare.
const NAMES: usize = 4096;

/// Most stacks of one request; those beyond stay without names. A request that fills what is kept
/// would push itself out.
const OF_REQUEST: usize = NAMES / 4;

/// What is known of a stack's names.
#[derive(Debug)]
enum Name {
    Asked(Stamp),
    Known(Arc<NamedStack>),
}

impl Name {
    /// It is there, or has been waited for long enough.
    fn is_settled(&self, now: Stamp) -> bool {
        match self {
            Self::Known(_) => true,
            Self::Asked(since) => now.since(*since) >= NAMING,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Names {
    /// With the number of the request that they were wanted by last.
    stacks: HashMap<StackId, (Name, u64)>,
    requests: u64,
    /// There is somebody to ask.
    available: bool,
    /// No name is waited for any more.
    hurry: bool,
}

/// Whether the names of some stacks are there.
#[derive(Debug, PartialEq, Eq)]
pub enum Naming {
    /// They are, or have been waited for long enough.
    Done,
    /// They are not; these are still to be asked for.
    Waiting(Vec<StackId>),
}

impl Names {
    /// None is known; `available` says whether there is somebody to ask.
    pub fn new(available: bool) -> Self {
        Self {
            stacks: HashMap::new(),
            requests: 0,
            available,
            hurry: false,
        }
    }

    /// Whether there is somebody to ask.
    pub fn are_available(&self) -> bool {
        self.available
    }

    /// Whether names are not waited for.
    pub fn hurry(&mut self, hurry: bool) {
        self.hurry = hurry;
    }

    /// Names have come.
    pub fn learn(&mut self, stacks: Vec<Arc<NamedStack>>) {
        for stack in stacks {
            self.keep(stack.id, Name::Known(stack));
        }
    }

    /// Whether the names of these are there; those not asked for yet count as asked for now.
    pub fn want(&mut self, stacks: impl IntoIterator<Item = StackId>, now: Stamp) -> Naming {
        let mut named = true;
        let mut unasked = Vec::new();
        self.requests += 1;
        let stacks: BTreeSet<StackId> = stacks.into_iter().collect();
        for stack in stacks.into_iter().take(OF_REQUEST) {
            match self.stacks.get_mut(&stack) {
                Some((name, wanted)) => {
                    *wanted = self.requests;
                    named &= name.is_settled(now);
                }
                None => unasked.push(stack),
            }
        }
        if self.hurry || !self.available || (named && unasked.is_empty()) {
            return Naming::Done;
        }
        self.ask(&unasked, now);
        Naming::Waiting(unasked)
    }

    fn ask(&mut self, stacks: &[StackId], now: Stamp) {
        for stack in stacks {
            self.keep(*stack, Name::Asked(now));
        }
    }

    /// Where there are too many, the half goes that was not wanted for the longest time.
    fn keep(&mut self, stack: StackId, name: Name) {
        self.stacks.insert(stack, (name, self.requests));
        if self.stacks.len() > NAMES {
            let mut wanted: Vec<u64> = self.stacks.values().map(|(_, wanted)| *wanted).collect();
            let (_, middle, _) = wanted.select_nth_unstable(NAMES / 2);
            let middle = *middle;
            self.stacks.retain(|_, (_, wanted)| *wanted > middle);
        }
    }

    fn known(&self, stack: Option<StackId>) -> Option<&Arc<NamedStack>> {
        match self.stacks.get(&stack?)? {
            (Name::Known(stack), _) => Some(stack),
            (Name::Asked(_), _) => None,
        }
    }

    /// What a finding tells of a stack.
    pub fn origin(&self, stack: Option<StackId>) -> Option<Origin> {
        self.known(stack).cloned().map(told)
    }

    /// What a finding tells of handles that have all the stack `short`; of some it is known how it
    /// goes on, as in `whole`, which is told as far as these agree.
    pub fn origin_of(&self, short: Option<StackId>, whole: &[StackId]) -> Option<Origin> {
        let known: Option<Vec<_>> = whole.iter().map(|id| self.known(Some(*id))).collect();
        let agreed = known.and_then(|known| agreed(&known));
        agreed.map(told).or_else(|| self.origin(short))
    }

    /// Whether a stack maps memory for many, as far as it is named.
    pub fn is_allocators(&self, stack: Option<StackId>) -> bool {
        let named = self.known(stack);
        named.is_some_and(|stack| application::maps_for_many(&stack.frames))
    }

    /// Whether a stack is an interpreter's, as far as it is named.
    pub fn is_interpreted(&self, stack: Option<StackId>) -> bool {
        let named = self.known(stack);
        named.is_some_and(|stack| stack.interpreter.is_some())
    }
}

fn told(stack: Arc<NamedStack>) -> Origin {
    let place = stack.application_frame().map(application::brief);
    let place = place.map(|place| match stack.interpreter {
        Some(interpreter) => format!("{place} in {interpreter}"),
        None => place,
    });
    Origin {
        stack,
        place,
        topic: None,
    }
}

/// What stacks have in common, from the innermost frame on.
fn agreed(stacks: &[&Arc<NamedStack>]) -> Option<Arc<NamedStack>> {
    let (first, others) = stacks.split_first()?;
    let shared = |other: &&Arc<NamedStack>| {
        let pairs = first.frames.iter().zip(&other.frames);
        pairs.take_while(|(one, other)| one == other).count()
    };
    let Some(shared) = others.iter().map(shared).min() else {
        return Some(Arc::clone(first));
    };
    Some(Arc::new(NamedStack {
        id: first.id,
        frames: first.frames.iter().take(shared).cloned().collect(),
        incomplete: Some(Incomplete::CallersDiffer),
        interpreter: first.interpreter,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::origin::NamedFrame;

    fn named(id: u32) -> Arc<NamedStack> {
        Arc::new(NamedStack {
            id: StackId(id),
            frames: Vec::new(),
            incomplete: None,
            interpreter: Some("python"),
        })
    }

    fn second(second: u64) -> Stamp {
        Stamp(second * 1_000_000_000)
    }

    #[test]
    fn a_stack_is_asked_for_once_and_waited_for_with_an_end() {
        let mut names = Names::new(true);
        let both = [StackId(2), StackId(1), StackId(2)];
        let asked = Naming::Waiting(vec![StackId(1), StackId(2)]);
        assert_eq!(names.want(both, second(0)), asked);
        assert_eq!(names.want(both, second(1)), Naming::Waiting(Vec::new()));
        names.learn(vec![named(1)]);
        assert!(names.is_interpreted(Some(StackId(1))));
        assert_eq!(names.want([StackId(1)], second(1)), Naming::Done);
        assert_eq!(names.want(both, second(15)), Naming::Done, "long enough");
    }

    fn stack(id: u32, addresses: &[u64]) -> Arc<NamedStack> {
        let frame = |ip: &u64| NamedFrame {
            ip: *ip,
            module: None,
            offset: *ip,
            function: None,
            file: None,
            line: None,
            inlined: false,
            application: true,
        };
        Arc::new(NamedStack {
            id: StackId(id),
            frames: addresses.iter().map(frame).collect(),
            incomplete: None,
            interpreter: None,
        })
    }

    #[test]
    fn whole_stacks_are_told_as_far_as_they_agree() {
        let mut names = Names::new(true);
        names.learn(vec![
            stack(1, &[1, 2]),
            stack(2, &[1, 2, 3, 4]),
            stack(3, &[1, 2, 3, 5]),
        ]);
        let told = |whole: &[StackId]| {
            let origin = names.origin_of(Some(StackId(1)), whole).unwrap();
            (origin.stack.frames.len(), origin.stack.incomplete.clone())
        };
        assert_eq!(told(&[]), (2, None));
        assert_eq!(told(&[StackId(2)]), (4, None));
        let differ = Some(Incomplete::CallersDiffer);
        assert_eq!(told(&[StackId(2), StackId(3)]), (3, differ));
        assert_eq!(
            told(&[StackId(2), StackId(4)]),
            (2, None),
            "one has no names"
        );
    }

    #[test]
    fn nobody_waits_where_nobody_names_or_the_end_is_near() {
        let mut names = Names::new(false);
        assert_eq!(names.want([StackId(1)], second(0)), Naming::Done);
        let mut names = Names::new(true);
        names.hurry(true);
        assert_eq!(names.want([StackId(1)], second(0)), Naming::Done);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut names = Names::new(true);
        for id in 0..20_000 {
            assert_ne!(names.want([StackId(id)], second(0)), Naming::Done);
        }
        assert!(names.stacks.len() <= NAMES);
    }
}
