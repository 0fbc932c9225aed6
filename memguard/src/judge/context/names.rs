//! What is known of the names of stacks, and which were asked for.

use std::{sync::Arc, time::Duration};

use hashbrown::HashMap;

use crate::{
    model::{
        ids::Stamp,
        origin::{NamedStack, Origin, StackId},
    },
    origin::application,
};

/// Longest wait for the names of a stack: longer than the naming gives a file.
const NAMING: Duration = Duration::from_secs(15);
/// Most stacks whose names are kept; those of reported ones, so more are rare.
const NAMES: usize = 4096;

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
        for stack in stacks {
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
        unasked.sort_unstable();
        unasked.dedup();
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
        let stack = Arc::clone(self.known(stack)?);
        let place = stack.application_frame().map(application::brief);
        let place = place.map(|place| match stack.interpreter {
            Some(interpreter) => format!("{place} in {interpreter}"),
            None => place,
        });
        Some(Origin {
            stack,
            place,
            topic: None,
        })
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

#[cfg(test)]
mod tests {
    use super::*;

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
