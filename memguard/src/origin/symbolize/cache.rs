//! A cache with a bound: two generations, of which the older is forgotten when the younger is
//! full. What is used stays.

use std::hash::Hash;

use hashbrown::HashMap;

/// See the module.
#[derive(Debug)]
pub(super) struct Cache<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    /// Weight of the young ones.
    weight: usize,
    /// Most of it.
    limit: usize,
    /// How many were forgotten.
    pub(super) evicted: u64,
}

impl<K: Hash + Eq, V: Clone> Cache<K, V> {
    /// Holds between `limit` and twice as much.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
            weight: 0,
            limit,
            evicted: 0,
        }
    }

    /// A value that is there; `weigh` as in [`Cache::insert`].
    pub(super) fn get(&mut self, key: &K, weigh: impl FnOnce(&V) -> usize) -> Option<V> {
        if let Some(value) = self.young.get(key) {
            return Some(value.clone());
        }
        let (key, value) = self.old.remove_entry(key)?;
        let weight = weigh(&value);
        self.insert(key, value.clone(), weight);
        Some(value)
    }

    /// Adds a value that is not there.
    pub(super) fn insert(&mut self, key: K, value: V, weight: usize) {
        if self.weight.saturating_add(weight) > self.limit {
            self.evicted += self.old.len() as u64;
            self.old = std::mem::take(&mut self.young);
            self.weight = 0;
        }
        self.weight += weight;
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_the_rest_is_counted() {
        let mut cache = Cache::new(4);
        for key in 0..4 {
            cache.insert(key, key, 1);
        }
        for key in 4..100 {
            assert_eq!(cache.get(&0, |_| 1), Some(0));
            cache.insert(key, key, 1);
        }
        assert_eq!(cache.get(&1, |_| 1), None);
        assert_eq!(cache.get(&99, |_| 1), Some(99));
        let kept = cache.young.len() + cache.old.len();
        assert!(kept <= 8, "{kept}");
        assert!(cache.evicted >= 90, "{}", cache.evicted);
    }
}
