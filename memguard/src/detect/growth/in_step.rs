//! Does memory grow because handles do? A handle that is forgotten keeps what belongs to it: an
//! object of the language, a buffer. Such growth is no finding of its own.

use super::stats::mean;
use crate::model::{finding::InStep, ids::Stamp};

/// Fewest moments at which both are known.
const MOMENTS: usize = 8;
/// From this correlation on they go in step.
const CORRELATED: f64 = 0.9;
/// A handle that keeps more than this, in bytes, is not what the memory is about.
const LARGEST: f64 = 65_536.0;
/// Less than this, in bytes, is not worth a word.
const LEAST: f64 = 1_048_576.0;

/// What of the memory grows with the count: where both go in step, and a handle keeps a sensible
/// number of bytes. Both are samples over time, oldest first; only times that both have count.
pub fn in_step(
    counts: impl IntoIterator<Item = (Stamp, f64)>,
    sizes: &[(Stamp, f64)],
) -> Option<InStep> {
    let counts = counts.into_iter();
    let pairs: Vec<(f64, f64)> = counts
        .filter_map(|(at, count)| Some((count, size_at(sizes, at)?)))
        .collect();
    let per_handle = Line::of(&pairs)?.slope_in_step()?;
    let ((first, small), (last, large)) = (pairs.first()?, pairs.last()?);
    let bytes = (per_handle * (last - first)).min(large - small);
    (LEAST <= bytes).then_some(InStep {
        bytes: bytes as u64,
        bytes_per_handle: per_handle as u64,
    })
}

/// Between the samples around this time; `None` where there are none.
fn size_at(sizes: &[(Stamp, f64)], at: Stamp) -> Option<f64> {
    let behind = sizes.partition_point(|(stamp, _)| *stamp < at);
    let (later, after) = *sizes.get(behind)?;
    let Some((earlier, before)) = behind.checked_sub(1).and_then(|at| sizes.get(at).copied())
    else {
        return (later == at).then_some(after);
    };
    let share = at.since(earlier).as_secs_f64() / later.since(earlier).as_secs_f64();
    Some(before + (after - before) * share)
}

/// Least squares of bytes over counts.
#[derive(Clone, Copy, Debug)]
struct Line {
    slope: f64,
    correlation: f64,
}

impl Line {
    fn of(pairs: &[(f64, f64)]) -> Option<Self> {
        if pairs.len() < MOMENTS {
            return None;
        }
        let count = mean(pairs.iter().map(|(count, _)| *count))?;
        let size = mean(pairs.iter().map(|(_, size)| *size))?;
        let spread = mean(pairs.iter().map(|(it, _)| (it - count).powi(2)))?;
        let scatter = mean(pairs.iter().map(|(_, it)| (it - size).powi(2)))?;
        let common = mean(pairs.iter().map(|(x, y)| (x - count) * (y - size)))?;
        Some(Self {
            slope: common / spread,
            correlation: common / (spread * scatter).sqrt(),
        })
    }

    /// Bytes for one more; NaN, of what does not change, is neither.
    fn slope_in_step(self) -> Option<f64> {
        let sensible = 0.0 < self.slope && self.slope <= LARGEST;
        (sensible && CORRELATED <= self.correlation).then_some(self.slope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: f64 = 1_048_576.0;

    fn samples(value: impl Fn(f64) -> f64) -> Vec<(Stamp, f64)> {
        let seconds = (0..60u64).map(|at| (Stamp((3 * at + 7) * 1_000_000_000), at as f64));
        seconds.map(|(at, second)| (at, value(second))).collect()
    }

    /// Counted at other times than the sizes.
    fn counted(value: impl Fn(f64) -> f64) -> Vec<(Stamp, f64)> {
        let seconds = (0..44u64).map(|at| (Stamp((4 * at + 9) * 1_000_000_000), at as f64));
        seconds.map(|(at, second)| (at, value(second))).collect()
    }

    #[test]
    fn memory_of_leaked_handles_goes_in_step_with_them() {
        // Ten a second, of 3 KiB each, in arenas of 256 KiB.
        let counts = counted(|at| 40.0 * at);
        let sizes = samples(|at| 9.0 * MIB + (30.0 * at * 3072.0 / 262_144.0).floor() * 262_144.0);
        let told = in_step(counts, &sizes).unwrap();
        assert!((2_900..3_250).contains(&told.bytes_per_handle), "{told:?}");
        assert!((4_900_000..5_400_000).contains(&told.bytes), "{told:?}");
    }

    #[test]
    fn what_does_not_go_in_step_is_not_explained() {
        let climbing = |per_second: f64| samples(move |at| 9.0 * MIB + 3.0 * at * per_second);
        let leaking = || counted(|at| 4.0 * at);
        for (counts, sizes, why) in [
            (leaking(), climbing(1.4 * MIB), "1.4 MiB each"),
            (leaking(), climbing(-9000.0), "it falls"),
            (leaking(), climbing(0.0), "it rests"),
            (leaking(), climbing(1000.0), "hardly worth a word"),
            (counted(|_| 90.0), climbing(30_000.0), "no more of them"),
            (
                counted(|at| if at < 5.0 { 0.0 } else { 900.0 }),
                climbing(30_000.0),
                "all at once",
            ),
            (leaking().split_off(40), climbing(30_000.0), "too few"),
        ] {
            assert_eq!(in_step(counts, &sizes), None, "{why}");
        }
        assert_eq!(in_step(leaking(), &[]), None, "no sizes");
    }
}
