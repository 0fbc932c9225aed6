//! Answers to questions that nobody could take: nothing is known.

use crate::judge::question::{Answer, Inspected, Question, Surveyed};

/// One answer to every question, but for a census, which is told or not.
pub(super) fn answers(question: Question) -> Vec<Answer> {
    let answer = match question {
        Question::Survey(_) => Answer::Surveyed(Surveyed {
            refused: true,
            ..Surveyed::default()
        }),
        Question::Samples(_) => Answer::Sampled(Vec::new()),
        Question::Inspect(inspect) => Answer::Inspected(Box::new(Inspected::gone(&inspect))),
        Question::Peers(peers) => Answer::Peers {
            finding: peers.finding,
            peers: Vec::new(),
        },
        Question::Segments => Answer::Segments {
            segments: Vec::new(),
            boot_seconds: 0,
        },
        Question::Objects(_) => Answer::Objects(None),
        Question::SegmentSize(id) => Answer::SegmentSize { id, bytes: None },
        Question::Census(_) => return Vec::new(),
    };
    vec![answer]
}
