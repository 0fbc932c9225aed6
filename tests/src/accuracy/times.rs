//! How long the workloads work, and how memguard is told to look. Every pace of a workload is a
//! multiple of the minimum age, so that all times together may be stretched.

use std::time::Duration;

/// The times of one run.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// memguard's `--warm-up`.
    pub warm_up: Duration,
    /// Its `--min-age`.
    pub min_age: Duration,
    /// Its `-i`.
    pub interval: Duration,
    /// How long leaks are made.
    pub span: Duration,
    /// From then on, until what was lost last has reached its age and been told of.
    pub settled: Duration,
    /// Workloads that cannot be looked at in such a hurry: whose handles live hardly longer than
    /// the second or two for which they are the kernel's alone.
    pub too_quick: &'static [&'static str],
}

/// Half a minute: for every change.
pub const SHORT: Times = Times {
    warm_up: Duration::from_secs(4),
    min_age: Duration::from_secs(3),
    interval: Duration::from_millis(500),
    span: Duration::from_secs(24),
    settled: Duration::from_secs(4),
    too_quick: &["clients_fall_silent"],
};

/// Five minutes: what is written down.
pub const LONG: Times = Times {
    warm_up: Duration::from_secs(30),
    min_age: Duration::from_secs(20),
    interval: Duration::from_secs(2),
    span: Duration::from_mins(5),
    settled: Duration::from_secs(26),
    too_quick: &[],
};

impl Times {
    /// As memguard takes them.
    pub fn options(&self) -> Vec<String> {
        let milliseconds = |time: Duration| format!("{}ms", time.as_millis());
        let seconds = |time: Duration| format!("{}s", time.as_secs());
        let interval = if self.interval.subsec_millis() == 0 {
            seconds(self.interval)
        } else {
            milliseconds(self.interval)
        };
        [
            ("--warm-up", seconds(self.warm_up)),
            ("--min-age", seconds(self.min_age)),
            ("-i", interval),
        ]
        .into_iter()
        .flat_map(|(name, value)| [name.to_owned(), value])
        .collect()
    }

    /// As the workloads take them.
    pub fn words(&self) -> [String; 3] {
        [self.min_age, self.warm_up, self.span].map(|time| time.as_secs_f64().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::{LONG, SHORT};

    #[test]
    fn times_are_said_as_each_side_takes_them() {
        let short = "--warm-up 4s --min-age 3s -i 500ms";
        assert_eq!(SHORT.options().join(" "), short);
        assert_eq!(SHORT.words(), ["3", "4", "24"]);
        let long = "--warm-up 30s --min-age 20s -i 2s";
        assert_eq!(LONG.options().join(" "), long);
    }
}
