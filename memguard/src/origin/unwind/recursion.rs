//! Recursion: the same calls again and again, as deep as the data has it.

use crate::model::origin::Frame;

/// Most functions that call each other in a circle.
const CIRCLE: usize = 8;

/// Leaves each circle of calls out but once: a site is the same however deep its stack was.
pub(super) fn folded(frames: Vec<Frame>) -> Vec<Frame> {
    let mut folded: Vec<Frame> = Vec::with_capacity(frames.len());
    for frame in frames {
        folded.push(frame);
        while let Some(length) = circle(&folded) {
            folded.truncate(folded.len() - length);
        }
    }
    folded
}

/// The length of the circle that the frames end with twice.
fn circle(frames: &[Frame]) -> Option<usize> {
    (1..=CIRCLE).find(|length| {
        let mut rounds = frames.rchunks_exact(*length);
        let last = rounds.next();
        last.is_some() && last == rounds.next()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &str) -> String {
        let frame = |name: char| Frame {
            ip: u64::from(name),
            module: None,
            offset: u64::from(name),
            is_return: true,
        };
        let frames = folded(names.chars().map(frame).collect());
        let names = frames.iter().map(|frame| frame.ip as u8 as char);
        names.collect()
    }

    #[test]
    fn a_stack_is_the_same_however_deep_it_recurs() {
        assert_eq!(of(""), "");
        assert_eq!(of("abcd"), "abcd");
        assert_eq!(of("abbbbbc"), "abc");
        assert_eq!(of("axyxyxyz"), "axyz");
        assert_eq!(of("axyzxyzxyzm"), "axyzm");
        assert_eq!(of("aabbabab"), "ab");
        assert_eq!(of("abacad"), "abacad", "another way each time");
    }

    #[test]
    fn what_ended_in_the_middle_of_a_circle_keeps_its_part() {
        assert_eq!(of("axyxyx"), "axyx");
    }
}
