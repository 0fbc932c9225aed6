//! How long the workloads work, and how memguard is told to look. The paces of most workloads are
//! multiples of the minimum age, so that all times together may be stretched.

use std::time::Duration;

use super::{Workload, workloads::Scale};

/// The times of one run.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// memguard gets none of the next three: they only set the paces. Workloads that measure in
    /// seconds work too, and many have been at work for a while when memguard comes.
    pub by_default: bool,
    /// memguard's `--warm-up`.
    pub warm_up: Duration,
    /// Its `--min-age`.
    pub min_age: Duration,
    /// Its `-i`.
    pub interval: Duration,
    /// How long leaks are made, from when memguard comes.
    pub span: Duration,
    /// From then on, until what was lost last has reached its age and been told of.
    pub settled: Duration,
    /// Workloads that cannot be looked at in such a hurry: whose handles live hardly longer than
    /// the second or two for which they are the kernel's alone, or that do not grow by enough to
    /// matter.
    pub too_quick: &'static [&'static str],
}

/// Half a minute: for every change.
pub const SHORT: Times = Times {
    by_default: false,
    warm_up: Duration::from_secs(4),
    min_age: Duration::from_secs(3),
    interval: Duration::from_millis(500),
    span: Duration::from_secs(34),
    settled: Duration::from_secs(4),
    too_quick: &["clients_fall_silent", "objects"],
};

/// Five minutes: what is written down.
pub const LONG: Times = Times {
    by_default: false,
    warm_up: Duration::from_secs(30),
    min_age: Duration::from_secs(20),
    interval: Duration::from_secs(2),
    span: Duration::from_mins(5),
    settled: Duration::from_secs(26),
    too_quick: &[],
};

/// As users come: a plain `memguard watch -p`. An age is five seconds here, so that most leaks are
/// of one a second.
pub const DEFAULT: Times = Times {
    by_default: true,
    warm_up: Duration::from_secs(30),
    min_age: Duration::from_secs(5),
    interval: Duration::from_secs(2),
    span: Duration::from_secs(280),
    settled: Duration::from_secs(20),
    too_quick: &[],
};

impl Times {
    /// As memguard takes them.
    pub fn options(&self) -> Vec<String> {
        if self.by_default {
            return Vec::new();
        }
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

    /// For programs that were started so long before memguard came: the warm-up counts from the
    /// start of a process, and theirs begins when they are looked at.
    #[must_use]
    pub fn started_before(self, lead: Duration) -> Self {
        let seconds = Duration::from_secs(lead.as_secs() + 1);
        Self {
            warm_up: self.warm_up + seconds,
            ..self
        }
    }

    /// As a workload of this age takes them.
    pub fn words(&self, age: Duration) -> [String; 3] {
        let words = [self.min_age, self.warm_up, age + self.span];
        words.map(|time| time.as_secs_f64().to_string())
    }

    /// Whether the workload can be looked at by these times.
    pub fn suit(&self, workload: &Workload) -> bool {
        let measured = self.by_default || workload.scale == Scale::Ages;
        measured && !self.too_quick.contains(&workload.name)
    }

    /// For how long the workload has been at work when memguard comes.
    pub fn age_of(&self, workload: &Workload) -> Duration {
        if self.by_default {
            Duration::from_secs(workload.age_seconds)
        } else {
            Duration::ZERO
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{DEFAULT, LONG, SHORT};
    use crate::accuracy::workloads::all;

    #[test]
    fn times_are_said_as_each_side_takes_them() {
        let short = "--warm-up 4s --min-age 3s -i 500ms";
        assert_eq!(SHORT.options().join(" "), short);
        assert_eq!(SHORT.words(Duration::ZERO), ["3", "4", "34"]);
        let long = "--warm-up 30s --min-age 20s -i 2s";
        assert_eq!(LONG.options().join(" "), long);
        assert_eq!(DEFAULT.options(), Vec::<String>::new());
        assert_eq!(DEFAULT.words(Duration::from_secs(20)), ["5", "30", "300"]);
    }

    /// At default options everything is looked at, and only there is somebody older than memguard.
    #[test]
    fn what_is_in_seconds_is_for_default_options() {
        let all = all();
        assert!(all.iter().all(|workload| DEFAULT.suit(workload)));
        let storm = all.iter().find(|workload| workload.name == "storm");
        assert!(!LONG.suit(storm.unwrap()) && !SHORT.suit(storm.unwrap()));
        assert_eq!(DEFAULT.age_of(storm.unwrap()), Duration::from_secs(20));
        assert_eq!(LONG.age_of(storm.unwrap()), Duration::ZERO);
    }
}
