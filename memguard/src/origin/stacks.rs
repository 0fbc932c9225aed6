//! Equal stacks are kept once, under a number.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use hashbrown::{Equivalent, HashMap};

use super::unwind::Unwound;
use crate::model::origin::{Frame, Incomplete, Stack, StackId};

/// Most stacks; beyond it an eighth is forgotten, those that were not met for longest.
const STACKS: usize = 16 * 1024;

/// What a stack is recognised by. Addresses in the process are not of it where there is a file:
/// every process has the file elsewhere.
#[derive(Debug)]
struct Key {
    frames: Arc<[Frame]>,
    incomplete: Option<Incomplete>,
}

/// A key that is only looked up.
struct Look<'a> {
    frames: &'a [Frame],
    incomplete: &'a Option<Incomplete>,
}

impl Key {
    fn look(&self) -> Look<'_> {
        Look {
            frames: &self.frames,
            incomplete: &self.incomplete,
        }
    }
}

impl Hash for Look<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for frame in self.frames {
            (frame.offset, frame.is_return).hash(state);
        }
        self.incomplete.is_some().hash(state);
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.look().hash(state);
    }
}

impl PartialEq for Look<'_> {
    fn eq(&self, other: &Self) -> bool {
        let alike = |(one, other): (&Frame, &Frame)| {
            one.offset == other.offset
                && one.is_return == other.is_return
                && one.module == other.module
        };
        self.frames.len() == other.frames.len()
            && self.incomplete == other.incomplete
            && self.frames.iter().zip(other.frames).all(alike)
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.look() == other.look()
    }
}

impl Eq for Key {}

impl Equivalent<Key> for Look<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        *self == key.look()
    }
}

#[derive(Debug)]
struct StoredStack {
    stack: Stack,
    used: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Stacks {
    numbers: HashMap<Key, StackId>,
    held: HashMap<StackId, StoredStack>,
    next: StackId,
    clock: u64,
    limit: usize,
    /// Stacks that had to go.
    pub(super) evicted: u64,
}

impl Stacks {
    pub(super) fn new() -> Self {
        Self::with_limit(STACKS)
    }

    fn with_limit(limit: usize) -> Self {
        Self {
            numbers: HashMap::new(),
            held: HashMap::new(),
            next: StackId(0),
            clock: 0,
            limit,
            evicted: 0,
        }
    }

    /// The number of a stack. When all numbers are used up, new stacks share the last one, under
    /// which none is kept.
    pub(super) fn intern(&mut self, unwound: Unwound) -> StackId {
        self.clock += 1;
        let look = Look {
            frames: &unwound.frames,
            incomplete: &unwound.incomplete,
        };
        let known = self.numbers.get(&look).copied();
        if let Some(held) = known.and_then(|id| self.held.get_mut(&id)) {
            held.used = self.clock;
            return held.stack.id;
        }
        if self.next == StackId(u32::MAX) {
            return self.next;
        }
        if self.held.len() >= self.limit {
            self.evict();
        }
        self.add(unwound)
    }

    fn add(&mut self, unwound: Unwound) -> StackId {
        let id = self.next;
        self.next = StackId(id.0 + 1);
        let frames = Arc::<[Frame]>::from(unwound.frames);
        let stack = Stack {
            id,
            frames: Arc::clone(&frames),
            incomplete: unwound.incomplete.clone(),
        };
        let key = Key {
            frames,
            incomplete: unwound.incomplete,
        };
        let used = self.clock;
        self.numbers.insert(key, id);
        self.held.insert(id, StoredStack { stack, used });
        id
    }

    /// A stack by its number, unless it had to go.
    pub(super) fn get(&mut self, id: StackId) -> Option<&Stack> {
        self.clock += 1;
        let held = self.held.get_mut(&id)?;
        held.used = self.clock;
        Some(&held.stack)
    }

    fn evict(&mut self) {
        let mut used: Vec<_> = self.held.values().map(|held| held.used).collect();
        let (_, bound, _) = used.select_nth_unstable(self.limit / 8);
        let bound = *bound;
        let before = self.held.len();
        self.held.retain(|_, held| bound < held.used);
        self.evicted += (before - self.held.len()) as u64;
        let Self { numbers, held, .. } = self;
        numbers.retain(|_, id| held.contains_key(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::origin::Module;

    fn frame(ip: u64, module: Option<&str>, offset: u64) -> Frame {
        let module = module.map(|path| {
            Arc::new(Module {
                path: path.into(),
                build_id: None,
            })
        });
        Frame {
            ip,
            module,
            offset,
            is_return: false,
        }
    }

    fn unwound(frames: &[Frame], incomplete: Option<Incomplete>) -> Unwound {
        Unwound {
            frames: frames.to_vec(),
            incomplete,
        }
    }

    #[test]
    fn a_stack_is_what_it_is_in_files() {
        let mut stacks = Stacks::new();
        let one = stacks.intern(unwound(&[frame(100, Some("/a"), 1)], None));
        for (other, same) in [
            (unwound(&[frame(200, Some("/a"), 1)], None), true),
            (unwound(&[frame(100, Some("/b"), 1)], None), false),
            (unwound(&[frame(100, Some("/a"), 2)], None), false),
            (unwound(&[frame(100, None, 100)], None), false),
            (unwound(&[], None), false),
            (
                unwound(&[frame(100, Some("/a"), 1)], Some(Incomplete::TooDeep)),
                false,
            ),
        ] {
            let text = format!("{other:?}");
            assert_eq!(stacks.intern(other) == one, same, "{text}");
        }
        assert_eq!(stacks.get(one).unwrap().frames[0].ip, 100);
    }

    #[test]
    fn the_number_of_stacks_is_bounded_and_numbers_are_never_used_again() {
        let mut stacks = Stacks::with_limit(16);
        let mut ids = Vec::new();
        for offset in 0..100 {
            ids.push(stacks.intern(unwound(&[frame(0, Some("/a"), offset)], None)));
            stacks.get(StackId(0));
        }
        ids.dedup();
        assert_eq!(ids.len(), 100);
        assert!(stacks.held.len() <= 16 && stacks.numbers.len() == stacks.held.len());
        assert_eq!(stacks.evicted, 100 - stacks.held.len() as u64);
        assert!(stacks.get(StackId(0)).is_some(), "it was used all the time");
        assert!(stacks.get(StackId(1)).is_none());
        let again = stacks.intern(unwound(&[frame(0, Some("/a"), 1)], None));
        assert_eq!(again, StackId(100));
    }

    #[test]
    fn when_numbers_are_used_up_no_stack_takes_the_place_of_another() {
        let mut stacks = Stacks::new();
        stacks.next = StackId(u32::MAX - 1);
        let last = stacks.intern(unwound(&[frame(0, Some("/a"), 1)], None));
        let none = stacks.intern(unwound(&[frame(0, Some("/a"), 2)], None));
        assert_eq!((last.0, none.0), (u32::MAX - 1, u32::MAX));
        assert!(stacks.get(last).is_some() && stacks.get(none).is_none());
    }
}
