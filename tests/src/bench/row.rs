//! One figure: what it is, its median and quartiles, what it should be, and whether it is.

use std::fmt;

/// Median and quartiles of what was measured so often.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Half of the rounds were below.
    pub median: f64,
    /// A quarter of the rounds was below.
    pub low: f64,
    /// A quarter of the rounds was above.
    pub high: f64,
    /// Rounds.
    pub n: usize,
}

impl Sample {
    /// `None` of nothing.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut values = values.to_vec();
        values.sort_unstable_by(f64::total_cmp);
        let at = |part: f64| {
            let place = part * (values.len().checked_sub(1)? as f64);
            let (below, above) = (
                *values.get(place as usize)?,
                values.get(place.ceil() as usize)?,
            );
            Some(below + (above - below) * place.fract())
        };
        Some(Self {
            median: at(0.5)?,
            low: at(0.25)?,
            high: at(0.75)?,
            n: values.len(),
        })
    }

    /// Of what can be measured only once, or is a count.
    pub fn one(value: f64) -> Self {
        Self {
            median: value,
            low: value,
            high: value,
            n: 1,
        }
    }
}

/// What a figure should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// This or less.
    AtMost(f64),
    /// This or more.
    AtLeast(f64),
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(limit) => write!(formatter, "≤ {limit}"),
            Self::AtLeast(limit) => write!(formatter, "≥ {limit}"),
        }
    }
}

/// Whether a figure is what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Met {
    /// Three quarters of the rounds say so.
    Yes,
    /// Three quarters of the rounds say not.
    No,
    /// The limit lies between the quartiles.
    Unclear,
}

impl Met {
    /// As it stands in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "NO",
            Self::Unclear => "unclear",
        }
    }
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The part of the table.
    pub section: &'static str,
    /// What was measured.
    pub name: String,
    /// In what.
    pub unit: &'static str,
    /// `None` where it could not be measured; the note says why.
    pub sample: Option<Sample>,
    /// What it should be, where somebody has said.
    pub target: Option<Target>,
    /// What it would be if memguard cost nothing: 0 of a difference, 1 of a ratio.
    pub nothing: Option<f64>,
    /// What else there is to know.
    pub note: String,
}

impl Row {
    /// A figure of its own.
    pub fn new(name: impl Into<String>, unit: &'static str, values: &[f64]) -> Self {
        Self {
            section: "",
            name: name.into(),
            unit,
            sample: Sample::of(values),
            target: None,
            nothing: None,
            note: String::new(),
        }
    }

    /// What could not be measured here, and why.
    pub fn missing(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(name, "", &[]).note(why)
    }

    /// It should be this or less.
    #[must_use]
    pub fn at_most(mut self, limit: f64) -> Self {
        self.target = Some(Target::AtMost(limit));
        self
    }

    /// It should be this or more.
    #[must_use]
    pub fn at_least(mut self, limit: f64) -> Self {
        self.target = Some(Target::AtLeast(limit));
        self
    }

    /// It is a difference or a ratio, and this is what nothing would be.
    #[must_use]
    pub fn against(mut self, nothing: f64) -> Self {
        self.nothing = Some(nothing);
        self
    }

    /// Something to know.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// It belongs to this part of the table.
    #[must_use]
    pub fn of(mut self, section: &'static str) -> Self {
        self.section = section;
        self
    }

    /// Whether the target is met; `None` without a target or a figure.
    pub fn met(&self) -> Option<Met> {
        let sample = self.sample?;
        // All rounds are turned so that less is better.
        let (low, high, limit) = match self.target? {
            Target::AtMost(limit) => (sample.low, sample.high, limit),
            Target::AtLeast(limit) => (-sample.high, -sample.low, -limit),
        };
        Some(match () {
            () if high <= limit => Met::Yes,
            () if low > limit => Met::No,
            () => Met::Unclear,
        })
    }

    /// The rounds differ by more than what was to be measured.
    pub fn is_noise(&self) -> bool {
        let between = |sample: Sample| {
            self.nothing
                .is_some_and(|nothing| sample.low < nothing && nothing < sample.high)
        };
        self.sample.is_some_and(between)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Quartiles lie between values where there is none at their place.
    #[test]
    fn a_sample_is_median_and_quartiles() {
        let sample = Sample::of(&[4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!((sample.low, sample.median, sample.high), (1.75, 2.5, 3.25));
        assert_eq!(Sample::of(&[7.0]), Some(Sample::one(7.0)));
        assert_eq!(Sample::of(&[]), None);
    }

    /// A limit that lies between the quartiles is neither met nor missed.
    #[test]
    fn a_target_may_be_unclear() {
        let row = Row::new("pair", "ns", &[1.0, 2.0, 3.0, 4.0, 5.0]);
        let met = |row: Row| row.met();
        assert_eq!(met(row.clone()), None);
        assert_eq!(met(row.clone().at_most(4.0)), Some(Met::Yes));
        assert_eq!(met(row.clone().at_most(1.9)), Some(Met::No));
        assert_eq!(met(row.clone().at_most(3.0)), Some(Met::Unclear));
        assert_eq!(met(row.clone().at_least(2.0)), Some(Met::Yes));
        assert_eq!(met(row.at_least(4.1)), Some(Met::No));
        assert_eq!(
            met(Row::missing("peer", "not installed").at_most(1.0)),
            None
        );
    }

    /// Where nothing lies between the quartiles, the figure is noise.
    #[test]
    fn noise_is_told_from_a_difference() {
        let row = Row::new("loss", "%", &[-1.0, 0.5, 1.0]);
        assert!(!row.is_noise(), "not compared with anything");
        assert!(row.clone().against(0.0).is_noise());
        assert!(!row.against(-0.5).is_noise());
    }
}
