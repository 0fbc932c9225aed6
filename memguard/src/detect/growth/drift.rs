//! Could a walk without direction have come here?
//!
//! Sizes of processes depend on what they were before: allocators keep what they have, caches fill.
//! Tests for independent samples take each such wandering for a trend. The guard: of the *changes*
//! from sample to sample, or from block to block, ups must outweigh downs by Wilcoxon's signed-rank
//! test. It is exact for any walk whose steps are symmetric, and errs to the safe side for noise
//! around a level, whose changes cancel each other. Changes of nothing do not count, so a series
//! that climbs in steps needs ten of them.

use super::{
    series::Point,
    stats::{mean, upper_tail},
};

/// Fewest changes that can be significant at 1/1000: 2^-10.
pub(super) const CHANGES: usize = 10;
/// Up to here the distribution is counted, above taken as normal.
const EXACT: usize = 30;

/// One-sided p, the least over all block sizes that leave enough changes; 1 where none does.
pub(super) fn p_value(points: &[Point]) -> f64 {
    let largest = points.len() / (CHANGES + 1);
    let sizes = std::iter::successors(Some(1), |size| Some(size * 2));
    sizes
        .take_while(|size| *size <= largest)
        .map(|size| signed_rank(&changes(points, size)))
        .fold(1.0, f64::min)
}

/// From block to block of so many points, the newest block whole.
fn changes(points: &[Point], size: usize) -> Vec<f64> {
    let whole = points.rchunks_exact(size);
    let means: Vec<f64> = whole
        .filter_map(|block| mean(block.iter().map(|point| point.low)))
        .collect();
    means
        .windows(2)
        .filter_map(|pair| Some(pair.first()? - pair.last()?))
        .filter(|change| *change != 0.0)
        .collect()
}

/// F. Wilcoxon, Individual comparisons by ranking methods, Biometrics Bulletin 1 (1945) 80–83:
/// p of a sum of the ranks of rises that is at least as large, where each sign is a coin's toss.
fn signed_rank(changes: &[f64]) -> f64 {
    if changes.len() < CHANGES {
        return 1.0;
    }
    let ranks = doubled_ranks(changes);
    let rises = ranks
        .iter()
        .zip(changes)
        .filter(|(_, change)| **change > 0.0);
    let sum: usize = rises.map(|(rank, _)| *rank).sum();
    if changes.len() <= EXACT {
        exact(&ranks, sum)
    } else {
        normal(&ranks, sum)
    }
}

/// Twice the rank of each by its size, so that equals, which share the mean of theirs, are whole.
fn doubled_ranks(changes: &[f64]) -> Vec<usize> {
    let mut sizes: Vec<f64> = changes.iter().map(|change| change.abs()).collect();
    sizes.sort_unstable_by(f64::total_cmp);
    changes
        .iter()
        .map(|change| {
            let below = sizes.partition_point(|size| *size < change.abs());
            let upto = sizes.partition_point(|size| *size <= change.abs());
            below + upto + 1
        })
        .collect()
}

fn exact(ranks: &[usize], sum: usize) -> f64 {
    let total: usize = ranks.iter().sum();
    let mut ways = vec![0.0f64; total + 1];
    if let Some(none) = ways.first_mut() {
        *none = 1.0;
    }
    for rank in ranks {
        for at in (*rank..=total).rev() {
            let with = ways.get(at - rank).copied().unwrap_or(0.0);
            if let Some(slot) = ways.get_mut(at) {
                *slot += with;
            }
        }
    }
    let reached: f64 = ways.iter().skip(sum).sum();
    reached / 2f64.powi(ranks.len() as i32)
}

/// Mean and variance of the sum are Σr/2 and Σr²/4, ties or not.
fn normal(ranks: &[usize], sum: usize) -> f64 {
    let mean = ranks.iter().sum::<usize>() as f64 / 2.0;
    let squares: f64 = ranks.iter().map(|rank| (*rank as f64).powi(2)).sum();
    let above = sum as f64 - mean - 1.0;
    upper_tail(above / (squares / 4.0).sqrt())
}

#[cfg(test)]
mod tests {
    use super::{super::testing::points, *};

    /// Table values for ten changes: a sum of ranks of 55 has p = 1/1024, of 50 p = 10/1024.
    #[test]
    fn known_probabilities() {
        let all: Vec<f64> = (1..=10).map(f64::from).collect();
        assert!((signed_rank(&all) - 1.0 / 1024.0).abs() < 1e-12);
        let mut but_five = all.clone();
        but_five[4] = -5.0;
        assert!((signed_rank(&but_five) - 10.0 / 1024.0).abs() < 1e-12);
        assert!(signed_rank(&all[..9]) >= 1.0);
        let many: Vec<f64> = (1..=31)
            .map(|at| if at % 3 == 0 { -1.0 } else { 1.0 } * f64::from(at))
            .collect();
        let ranks = doubled_ranks(&many);
        let sum = ranks
            .iter()
            .zip(&many)
            .filter(|(_, change)| **change > 0.0)
            .map(|(rank, _)| rank)
            .sum();
        assert!((exact(&ranks, sum) - normal(&ranks, sum)).abs() < 0.002);
    }

    #[test]
    fn a_walk_there_and_back_is_no_drift_and_a_climb_is() {
        let climb = points(1.0, (0..15).map(f64::from));
        assert!(p_value(&climb) < 0.001);
        let walk = points(1.0, (0..40).map(|at| f64::from(at % 7 * (at % 3))));
        assert!(p_value(&walk) > 0.1, "{}", p_value(&walk));
        let step = points(1.0, (0..40).map(|at| f64::from(i8::from(at > 20))));
        assert!(p_value(&step) >= 1.0);
    }
}
