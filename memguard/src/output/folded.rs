//! Folded stacks, as any flame graph tool takes them: `outermost;…;innermost N`, a line a stack.

use std::collections::BTreeMap;

use crate::{
    model::{
        finding::{Finding, Verdict},
        origin::NamedFrame,
    },
    output::text::clean,
    review::Review,
};

/// What a stack is weighed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// How many are held.
    Count,
    /// How many bytes they have.
    Bytes,
}

/// Longest frame, in characters.
const FRAME: usize = 512;
/// In the place of frames that are not known.
const UNKNOWN: &str = "[unknown]";

/// A line for each distinct stack, in the order of their text; those that weigh nothing are left
/// out.
pub fn folded(review: &Review, weight: Weight) -> String {
    let mut stacks: BTreeMap<String, u64> = BTreeMap::new();
    for it in review.findings().iter().filter(|it| it.counts()) {
        for (stack, number) in stacks_of(&it.finding, weight) {
            let sum = stacks.entry(stack).or_default();
            *sum = sum.saturating_add(number);
        }
    }
    let mut lines = String::new();
    for (stack, number) in stacks.into_iter().filter(|(_, number)| *number > 0) {
        lines.extend([&stack, " ", &number.to_string(), "\n"]);
    }
    lines
}

/// Memory that grows has places instead of a stack.
fn stacks_of(finding: &Finding, weight: Weight) -> Vec<(String, u64)> {
    if finding.verdict == Verdict::Growth && !finding.sites.is_empty() {
        let label = finding.process.label();
        let sites = finding.sites.iter().map(|site| {
            let place = site.place.as_deref().unwrap_or(UNKNOWN);
            let stack = format!("{};{}", frame_text(&label), frame_text(place));
            let number = match weight {
                Weight::Count => site.count,
                Weight::Bytes => site.bytes,
            };
            (stack, number)
        });
        return sites.collect();
    }
    let number = match weight {
        Weight::Count => finding.open_count,
        Weight::Bytes => finding.open_bytes.unwrap_or_default(),
    };
    vec![(stack(finding), number)]
}

fn stack(finding: &Finding) -> String {
    let origin = finding.origin.as_ref();
    let frames = origin.map_or(&[][..], |origin| &origin.stack.frames);
    if frames.is_empty() {
        let origin = finding.origin_text();
        let leaf = if origin.is_empty() { UNKNOWN } else { &origin };
        let label = finding.process.label();
        return format!("{};{UNKNOWN};{}", frame_text(&label), frame_text(leaf));
    }
    let frames: Vec<_> = frames.iter().rev().map(name).collect();
    frames.join(";")
}

/// `module!function`; `module+0xoffset` or the address where it has no name.
fn name(frame: &NamedFrame) -> String {
    let text = match (frame.module_name(), &frame.function) {
        (Some(module), Some(function)) => format!("{module}!{function}"),
        (None, Some(function)) => function.to_string(),
        (Some(module), None) => format!("{module}+{:#x}", frame.offset),
        (None, None) => format!("{:#x}", frame.ip),
    };
    frame_text(&text)
}

/// Harmless on a terminal, and without what separates frames.
fn frame_text(text: &str) -> String {
    let short: String = text.chars().take(FRAME).collect();
    clean(&short).replace(';', ":")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::testing;

    #[test]
    fn golden_folded() {
        let review = testing::review();
        for (weight, name) in [
            (Weight::Count, "review.folded"),
            (Weight::Bytes, "review.folded-bytes"),
        ] {
            testing::check_golden(name, &folded(&review, weight));
        }
    }

    #[test]
    fn frames_cannot_make_frames_or_lines() {
        for (text, expected) in [
            ("main", "main"),
            ("operator new(unsigned long)", "operator new(unsigned long)"),
            ("a;b\nc 7", "a:b\\u{a}c 7"),
            ("\u{1b}[2J", "\\u{1b}[2J"),
        ] {
            assert_eq!(frame_text(text), expected);
        }
        assert_eq!(frame_text(&"x".repeat(9_000)).len(), FRAME);
    }
}
