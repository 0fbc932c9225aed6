//! Turns plain values into what may stand in a line: strings and lists within bounds, stamps as
//! wall time.

use std::{cell::Cell, collections::BTreeMap};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    model::ids::{ProcessId, Stamp},
    output::{self, Clock, Redaction},
};

/// Longest string of the output, in characters.
const TEXT_MAX: usize = 4_096;

/// What a line needs to know besides the report.
#[derive(Clone, Debug)]
pub struct Context {
    /// The host that is reported about.
    pub host: output::Host,
    /// From stamps to wall time.
    pub clock: Clock,
    /// Whether secrets in command lines are hidden.
    pub redaction: Redaction,
}

/// How long a string (in characters) and how long a list of a line may be.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    text: usize,
    list: usize,
}

impl Bounds {
    /// From generous to tight: lists give way first. A character takes six bytes at most
    /// (`\u001b`), so the longest line within the last ones (a census: 8 kinds with 8 targets)
    /// is well under 100 KiB.
    pub const LADDER: [Self; 5] = [
        Self {
            text: TEXT_MAX,
            list: 1_024,
        },
        Self {
            text: TEXT_MAX,
            list: 64,
        },
        Self {
            text: TEXT_MAX,
            list: 4,
        },
        Self {
            text: 512,
            list: 16,
        },
        Self { text: 128, list: 8 },
    ];
}

/// A string of at most 4096 characters; a longer one ends in `…`.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
#[schemars(extend("maxLength" = TEXT_MAX))]
pub struct Text(String);

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.0
    }
}

/// A moment as RFC 3339 in UTC, with nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend("format" = "date-time"))]
pub struct Time(String);

impl Time {
    /// As it stands in the line.
    pub(in crate::output) fn as_str(&self) -> &str {
        &self.0
    }

    fn new(unix_ns: i128) -> Self {
        let end = if unix_ns < 0 {
            Timestamp::MIN
        } else {
            Timestamp::MAX
        };
        let time = Timestamp::from_nanosecond(unix_ns).unwrap_or(end);
        Self(format!("{time:.9}"))
    }
}

/// Makes the values of one line, and remembers whether it had to cut any.
#[derive(Debug)]
pub struct WireBuilder<'a> {
    context: &'a Context,
    bounds: Bounds,
    cut: Cell<bool>,
}

impl<'a> WireBuilder<'a> {
    pub(super) fn new(context: &'a Context, bounds: Bounds) -> Self {
        Self {
            context,
            bounds,
            cut: Cell::new(false),
        }
    }

    /// Something was left out so far.
    pub(super) fn has_cut(&self) -> bool {
        self.cut.get()
    }

    pub(super) fn text(&self, text: &str) -> Text {
        let max = self.bounds.text;
        if text.chars().nth(max).is_none() {
            return Text(text.to_owned());
        }
        self.cut.set(true);
        Text(text.chars().take(max - 1).chain(['…']).collect())
    }

    pub(super) fn optional(&self, text: Option<&str>) -> Option<Text> {
        text.map(|text| self.text(text))
    }

    /// A text that may hold a command line.
    pub(super) fn redacted(&self, text: &str) -> Text {
        self.text(&self.context.redaction.apply(text))
    }

    /// As many items as the bounds allow, the first ones.
    pub(super) fn list<T, U>(&self, items: &[T], make: impl Fn(&T) -> U) -> Vec<U> {
        self.first(items).iter().map(make).collect()
    }

    pub(super) fn texts(&self, texts: &[String]) -> Vec<Text> {
        self.list(texts, |text| self.text(text))
    }

    /// Numbers by name; those of equal names are added up.
    pub(super) fn numbers(&self, numbers: &[(String, u64)]) -> BTreeMap<Text, u64> {
        let mut by_name = BTreeMap::new();
        for (name, number) in self.first(numbers) {
            let sum: &mut u64 = by_name.entry(self.text(name)).or_default();
            *sum = sum.saturating_add(*number);
        }
        by_name
    }

    pub(super) fn time(&self, stamp: Stamp) -> Time {
        Time::new(self.context.clock.wall_ns(stamp))
    }

    pub(super) fn birth(&self, process: ProcessId) -> Time {
        Time::new(self.context.clock.birth_ns(process))
    }

    fn first<'t, T>(&self, items: &'t [T]) -> &'t [T] {
        let kept = items.get(..self.bounds.list);
        self.cut
            .set(self.cut.get() || kept.is_some_and(|kept| kept.len() < items.len()));
        kept.unwrap_or(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::testing;

    fn check_text(text: &str, expected: &str, cut: bool) {
        let context = testing::context();
        let builder = WireBuilder::new(&context, Bounds { text: 4, list: 2 });
        assert_eq!(builder.text(text).0, expected);
        assert_eq!(builder.has_cut(), cut, "{text}");
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        check_text("", "", false);
        check_text("äöüß", "äöüß", false);
        check_text("äöüßé", "äöü…", true);
    }

    #[test]
    fn long_lists_are_cut() {
        let context = testing::context();
        let builder = WireBuilder::new(&context, Bounds { text: 4, list: 2 });
        assert_eq!(builder.list(&[1, 2], |item| *item), [1, 2]);
        assert!(!builder.has_cut());
        assert_eq!(builder.list(&[1, 2, 3], |item| *item), [1, 2]);
        assert!(builder.has_cut());
    }

    #[test]
    fn numbers_of_names_that_were_cut_alike_add_up() {
        let context = testing::context();
        let builder = WireBuilder::new(&context, Bounds { text: 4, list: 9 });
        let names = [("lost_a".to_owned(), 1), ("lost_b".to_owned(), u64::MAX)];
        let numbers = builder.numbers(&names);
        assert_eq!(
            numbers.into_iter().collect::<Vec<_>>(),
            [(Text("los…".to_owned()), u64::MAX)]
        );
    }

    #[test]
    fn times_have_nine_digits_and_no_end() {
        for (unix_ns, expected) in [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (1_795_212_530_123_456_789, "2026-11-20T22:08:50.123456789Z"),
            (-1, "1969-12-31T23:59:59.999999999Z"),
            (i128::MAX, "9999-12-30T22:00:00.999999999Z"),
        ] {
            assert_eq!(Time::new(unix_ns).0, expected);
        }
    }
}
