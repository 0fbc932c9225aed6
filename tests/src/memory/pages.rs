//! Sets of addresses: what is mapped, by a history's own book, by `/proc`, and by memguard.

use std::{collections::BTreeMap, fmt, fs};

use serde_json::Value;

use crate::lines::{Lines, address, number};

/// Pieces of address space: disjoint, in order, none empty and none touching the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pages(Vec<(u64, u64)>);

const PAGE: u64 = 4096;
/// So many pieces are shown in a message.
const SHOWN: usize = 6;

impl Pages {
    /// Of pieces in any order, from the first address up to the one behind.
    pub fn of(mut pieces: Vec<(u64, u64)>) -> Self {
        pieces.retain(|(start, end)| start < end);
        pieces.sort_unstable();
        let mut joined: Vec<(u64, u64)> = Vec::new();
        for (start, end) in pieces {
            match joined.last_mut() {
                Some(last) if start <= last.1 => last.1 = last.1.max(end),
                _ => joined.push((start, end)),
            }
        }
        Self(joined)
    }

    /// How many pages.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|(start, end)| (end - start) / PAGE).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is in both.
    #[must_use]
    pub fn within(&self, other: &Self) -> Self {
        let common = |one: &(u64, u64)| {
            let (start, end) = *one;
            let clipped = other
                .0
                .iter()
                .map(move |(from, to)| (start.max(*from), end.min(*to)));
            clipped.collect::<Vec<_>>()
        };
        Self::of(self.0.iter().flat_map(common).collect())
    }

    /// What is not in `other`.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let ends = other.0.iter().map(|(_, end)| *end);
        let starts = other.0.iter().map(|(start, _)| *start);
        let gaps = [0].into_iter().chain(ends).zip(starts.chain([u64::MAX]));
        self.within(&Self::of(gaps.collect()))
    }
}

impl fmt::Display for Pages {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} pages", self.count())?;
        for (start, end) in self.0.iter().take(SHOWN) {
            write!(formatter, " {start:#x}-{end:#x}")?;
        }
        if self.0.len() > SHOWN {
            formatter.write_str(" …")?;
        }
        Ok(())
    }
}

/// A process that has carried out its history, as it says of itself
/// (`tests/programs/memory_history.c`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Its pid.
    pub pid: u32,
    /// What its random choices came from.
    pub seed: u64,
    /// Where nobody else maps anything.
    pub region: Pages,
    /// What it has mapped, there and elsewhere.
    pub book: Pages,
    /// What it did, and how often.
    pub steps: BTreeMap<String, u64>,
}

impl History {
    /// All of them. What was done is told without a pid, so it stands with the process that began
    /// last.
    ///
    /// # Panics
    ///
    /// When a line begins like one of these and is none.
    pub fn all(printed: &str) -> Vec<Self> {
        let mut histories: BTreeMap<u32, Self> = BTreeMap::new();
        let mut last = 0;
        for line in printed.lines() {
            let words: Vec<&str> = line.splitn(4, ' ').collect();
            match words.as_slice() {
                ["history", pid, seed] => {
                    last = decimal(pid) as u32;
                    let history = histories.entry(last).or_default();
                    (history.pid, history.seed) = (last, decimal(seed));
                }
                ["region", pid, start, end] => {
                    let history = histories.entry(decimal(pid) as u32).or_default();
                    history.region.add(address(start), address(end));
                }
                ["range", pid, start, end] => {
                    let history = histories.entry(decimal(pid) as u32).or_default();
                    history.book.add(address(start), address(end));
                }
                ["met", count, step @ ..] => {
                    let history = histories.entry(last).or_default();
                    *history.steps.entry(step.join(" ")).or_default() += decimal(count);
                }
                _ => {}
            }
        }
        histories.into_values().collect()
    }
}

impl Pages {
    fn add(&mut self, start: u64, end: u64) {
        let mut pieces = std::mem::take(&mut self.0);
        pieces.push((start, end));
        *self = Self::of(pieces);
    }
}

/// What `/proc/PID/maps` shows.
///
/// # Panics
///
/// When the process has gone.
pub fn maps(pid: u32) -> Pages {
    let path = format!("/proc/{pid}/maps");
    let table =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {path}: {error}"));
    let pieces: Vec<_> = table.lines().filter_map(mapping).collect();
    assert!(!pieces.is_empty(), "{path} is empty");
    Pages::of(pieces)
}

/// Reads "55d0c0000000-55d0c0021000 rw-p …".
fn mapping(line: &str) -> Option<(u64, u64)> {
    let (start, end) = line.split(' ').next()?.split_once('-')?;
    let hex = |digits| u64::from_str_radix(digits, 16).ok();
    Some((hex(start)?, hex(end)?))
}

/// What memguard said at its end that each process has mapped, as far as it saw that.
///
/// # Panics
///
/// When it said so of no process, or not in the form that is promised.
pub fn tracked(lines: &Lines) -> BTreeMap<u32, Pages> {
    let lines = lines.events("memguard.mappings");
    assert!(!lines.is_empty(), "no process is shown");
    let of = |line: &Value| {
        let ranges = line
            .pointer("/memguard/mappings/ranges")
            .and_then(Value::as_array);
        let ranges = ranges.unwrap_or_else(|| panic!("no ranges in {line}"));
        let pieces = ranges
            .iter()
            .map(|range| (end_of(range, "start"), end_of(range, "end")));
        (
            number(line, "/process/pid") as u32,
            Pages::of(pieces.collect()),
        )
    };
    lines.into_iter().map(of).collect()
}

fn end_of(range: &Value, which: &str) -> u64 {
    let text = range.get(which).and_then(Value::as_str);
    address(text.unwrap_or_else(|| panic!("not two addresses: {range}")))
}

fn decimal(text: &str) -> u64 {
    text.parse()
        .unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{History, Pages, mapping, tracked};
    use crate::lines::Lines;

    fn pages(pieces: &[(u64, u64)]) -> Pages {
        Pages::of(
            pieces
                .iter()
                .map(|(from, to)| (from * 4096, to * 4096))
                .collect(),
        )
    }

    /// Pieces that touch or overlap become one, and order does not matter.
    #[test]
    fn pieces_are_joined() {
        assert_eq!(
            pages(&[(5, 7), (1, 3), (2, 4), (7, 8), (9, 9)]),
            pages(&[(1, 4), (5, 8)])
        );
        assert_eq!(pages(&[(1, 4), (5, 8)]).count(), 6);
        assert!(pages(&[(9, 9)]).is_empty());
    }

    /// What is in both, and in the first alone, at every kind of border.
    #[test]
    fn sets_are_sets() {
        let check = |one: &[(u64, u64)], other: &[(u64, u64)], both: &[_], first: &[_]| {
            assert_eq!(
                pages(one).within(&pages(other)),
                pages(both),
                "{one:?} {other:?}"
            );
            assert_eq!(
                pages(one).without(&pages(other)),
                pages(first),
                "{one:?} {other:?}"
            );
        };
        check(&[(2, 8)], &[], &[], &[(2, 8)]);
        check(&[], &[(2, 8)], &[], &[]);
        check(&[(2, 8)], &[(2, 8)], &[(2, 8)], &[]);
        check(&[(2, 8)], &[(1, 9)], &[(2, 8)], &[]);
        check(&[(2, 8)], &[(8, 9), (0, 2)], &[], &[(2, 8)]);
        check(
            &[(2, 8)],
            &[(3, 4), (6, 9)],
            &[(3, 4), (6, 8)],
            &[(2, 3), (4, 6)],
        );
        check(
            &[(1, 3), (4, 6)],
            &[(2, 5)],
            &[(2, 3), (4, 5)],
            &[(1, 2), (5, 6)],
        );
    }

    /// Histories are kept apart by their pid, and hexadecimal addresses are read.
    #[test]
    fn histories_are_read() {
        let all = History::all(
            "ready\nhistory 7 3\nregion 7 0x1000 0x9000\nrange 7 0x1000 0x3000\nmet 4 mmap over \
             others\nhistory 8 4\nrange 7 0x5000 0x6000\nrange 8 0x1000 0x2000\ndone\n",
        );
        assert_eq!(all.len(), 2);
        assert_eq!((all[0].pid, all[0].seed), (7, 3));
        assert_eq!(all[0].book, pages(&[(1, 3), (5, 6)]));
        assert_eq!(all[0].region, pages(&[(1, 9)]));
        assert_eq!(all[0].steps["mmap over others"], 4);
        assert_eq!(all[1].book, pages(&[(1, 2)]));
    }

    #[test]
    fn both_views_are_read() {
        let line = "55d0c0000000-55d0c0021000 rw-p 00000000 00:00 0   [heap]";
        assert_eq!(mapping(line), Some((0x55d0c0000000, 0x55d0c0021000)));
        let line = json!({"event_name": "memguard.mappings", "process": {"pid": 7},
            "memguard": {"mappings": {"ranges": [{"start": "0x1000", "end": "0x3000"}, {"start": "0x5000", "end": "0x6000"}]}}});
        let tracked = tracked(&Lines::of(vec![line]));
        assert_eq!(tracked[&7], pages(&[(1, 3), (5, 6)]));
    }
}
