//! What a workload says of its course, beside what it loses (`tests/programs/work.h`):
//!
//! ```text
//! first TIME        gave_back TIME        keeps
//! at_most COUNT     exhausts LIMIT        full
//! ```
//!
//! It says `gave_back` each time, so that those can be told apart which memguard was there to see.

/// All of it; times are in seconds since 1970.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Milestones {
    /// When something was lost for the first time.
    pub first_loss: Option<f64>,
    /// When something that had stayed was given back; in order.
    pub gave_back: Vec<f64>,
    /// Nothing is given back, and there is an end to it.
    pub keeps: bool,
    /// The most descriptors that it may have, for one that has to be taken at its word.
    pub at_most: Option<u64>,
    /// The limit that it heads for.
    pub exhausts: Option<String>,
    /// It reaches that limit, and loses nothing more from then on.
    pub fills: bool,
}

impl Milestones {
    /// Reads what the program printed; other lines are of others.
    pub fn of(printed: &str) -> Self {
        let mut all = Self::default();
        for line in printed.lines() {
            let (head, rest) = line.split_once(' ').unwrap_or((line, ""));
            match head {
                "first" => all.first_loss = rest.parse().ok(),
                "gave_back" => all.gave_back.extend(rest.parse::<f64>().ok()),
                "keeps" => all.keeps = true,
                "at_most" => all.at_most = rest.parse().ok(),
                "exhausts" => all.exhausts = Some(rest.to_owned()),
                "full" => all.fills = true,
                _ => {}
            }
        }
        all
    }

    /// When something that had stayed was given back for the first time from then on.
    pub fn first_release(&self, from: f64) -> Option<f64> {
        self.gave_back.iter().copied().find(|time| *time >= from)
    }
}

#[cfg(test)]
mod tests {
    use super::Milestones;

    #[test]
    fn reads_the_lines() {
        let printed = "exhausts RLIMIT_NOFILE\nfull\nready\nfirst 12.500\nfinds 7 leak fd file 1 * f\n\
                       gave_back 30.250\ngave_back 40.000\nat_most 40\nkeeps\ndone\n";
        let expected = Milestones {
            first_loss: Some(12.5),
            gave_back: vec![30.25, 40.0],
            keeps: true,
            at_most: Some(40),
            exhausts: Some("RLIMIT_NOFILE".to_owned()),
            fills: true,
        };
        assert_eq!(Milestones::of(printed), expected);
        let releases = [0.0, 30.25, 35.0, 50.0].map(|from| expected.first_release(from));
        assert_eq!(releases, [Some(30.25), Some(30.25), Some(40.0), None]);
        assert_eq!(Milestones::of("ready\ndone\n"), Milestones::default());
    }
}
