//! Of lines told with some confidence, how many are so: the confidence is worth as much.

/// One line that may be so or not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Claim {
    /// As it was told, from 0 to 1.
    pub confidence: f64,
    /// Whether it is so.
    pub is_so: bool,
}

/// Lines of about the same confidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bin {
    /// The least confidence in it.
    pub from: f64,
    /// That of the next bin.
    pub to: f64,
    /// How many lines.
    pub count: usize,
    /// How many of them are so.
    pub right: usize,
}

impl Bin {
    /// The share that is so; `None` where there is no line.
    pub fn share(&self) -> Option<f64> {
        (self.count > 0).then(|| self.right as f64 / self.count as f64)
    }
}

/// The limits of the bins; the last one has both its ends.
const LIMITS: [f64; 5] = [0.0, 0.5, 0.8, 0.9, 1.0];

/// All lines by their confidence.
pub fn bins(claims: &[Claim]) -> Vec<Bin> {
    let limits = LIMITS.iter().zip(LIMITS.iter().skip(1));
    let bin = |(from, to): (&f64, &f64)| {
        let inside =
            |claim: &&Claim| claim.confidence >= *from && (claim.confidence < *to || *to >= 1.0);
        let inside: Vec<_> = claims.iter().filter(inside).collect();
        Bin {
            from: *from,
            to: *to,
            count: inside.len(),
            right: inside.iter().filter(|claim| claim.is_so).count(),
        }
    };
    limits.map(bin).collect()
}

/// The 95 % interval of a share by Wilson's score: from and to.
pub fn wilson(right: usize, count: usize) -> (f64, f64) {
    /// Of the normal distribution, 95 % are within so many deviations.
    const Z: f64 = 1.959_964;
    if count == 0 {
        return (0.0, 1.0);
    }
    let (n, share) = (count as f64, right as f64 / count as f64);
    let scale = 1.0 + Z * Z / n;
    let center = (share + Z * Z / (2.0 * n)) / scale;
    let half = Z / scale * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    ((center - half).max(0.0), (center + half).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::{Claim, bins, wilson};

    #[test]
    fn each_line_is_in_one_bin() {
        let claims = [0.0, 0.49, 0.5, 0.79, 0.8, 0.9, 0.9999, 1.0].map(|confidence| Claim {
            confidence,
            is_so: confidence > 0.6,
        });
        let bins = bins(&claims);
        let counts: Vec<_> = bins.iter().map(|bin| (bin.count, bin.right)).collect();
        assert_eq!(counts, [(2, 0), (2, 1), (1, 1), (3, 3)]);
        assert_eq!(bins[1].share(), Some(0.5));
        assert_eq!(super::bins(&[])[0].share(), None);
    }

    /// Values of the textbook.
    #[test]
    fn intervals_are_wilsons() {
        let check = |right, count, from: f64, to: f64| {
            let interval = wilson(right, count);
            assert!((interval.0 - from).abs() < 5e-4, "{interval:?}");
            assert!((interval.1 - to).abs() < 5e-4, "{interval:?}");
        };
        check(8, 10, 0.490, 0.943);
        check(0, 10, 0.0, 0.278);
        check(40, 40, 0.912, 1.0);
        check(0, 0, 0.0, 1.0);
    }
}
