//! The little statistics that the rest is made of. All of them total: no input panics.

/// The middle value, or the mean of the two middle ones; `None` of nothing.
pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    let half = values.len() / 2;
    if values.is_empty() {
        return None;
    }
    let odd = values.len() % 2 == 1;
    let (below, middle, _) = values.select_nth_unstable_by(half, f64::total_cmp);
    if odd {
        return Some(*middle);
    }
    let other = below.iter().copied().reduce(f64::max)?;
    Some(f64::midpoint(*middle, other))
}

/// The arithmetic mean; `None` of nothing.
pub(super) fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values
        .into_iter()
        .fold((0.0, 0u32), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

/// Probability that a standard normal variable exceeds `z`: Abramowitz and Stegun, Handbook of
/// Mathematical Functions, 26.2.17; absolute error below 7.5e-8.
pub(super) fn upper_tail(z: f64) -> f64 {
    if z < 0.0 {
        return 1.0 - upper_tail(-z);
    }
    let t = 1.0 / (1.0 + 0.231_641_9 * z);
    let coefficients = [
        1.330_274_429,
        -1.821_255_978,
        1.781_477_937,
        -0.356_563_782,
        0.319_381_530,
    ];
    let polynomial = coefficients.iter().fold(0.0, |sum, next| (sum + next) * t);
    (-z * z / 2.0).exp() / std::f64::consts::TAU.sqrt() * polynomial
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(Vec::new()), None);
        assert_eq!(mean([1.0, 2.0, 6.0]), Some(3.0));
        for (z, expected) in [
            (0.0, 0.5),
            (1.644_854, 0.05),
            (-1.0, 0.841_345),
            (3.090_232, 0.001),
        ] {
            assert!(
                (upper_tail(z) - expected).abs() < 1e-6,
                "{z}: {}",
                upper_tail(z)
            );
        }
    }
}
