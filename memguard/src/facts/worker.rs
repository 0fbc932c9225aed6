//! The thread that reads `/proc`.

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};
use tokio::sync::mpsc::Sender;

use super::{census, inspect::FirstLook, peers::Sockets, persistent, survey};
use crate::{
    judge::question::{Answer, Question},
    source::{kernel::NurseryReader, procfs::Procfs},
};

/// Time between the two looks at a handle that is seen for the first time: longer than a close
/// takes that is under way, and than its record takes to the ledger.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// See the module.
#[derive(Debug)]
pub(super) struct Worker {
    procfs: Procfs,
    nursery: NurseryReader,
    answers: Sender<Answer>,
    /// Close looks that wait for the second look, in the order of time.
    second: VecDeque<(Instant, FirstLook)>,
    sockets: Sockets,
}

/// Nobody takes answers any more.
struct Gone;

impl Worker {
    pub(super) fn new(procfs: PathBuf, nursery: NurseryReader, answers: Sender<Answer>) -> Self {
        Self {
            procfs: Procfs::new(procfs),
            nursery,
            answers,
            second: VecDeque::new(),
            sockets: Sockets::default(),
        }
    }

    /// Until nobody asks, or nobody takes answers.
    pub(super) fn run(mut self, questions: &Receiver<Question>) {
        loop {
            let done = match self.next(questions) {
                Ok(question) => self.answer(question),
                Err(RecvTimeoutError::Timeout) => Ok(()),
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if done.and_then(|()| self.look_again()).is_err() {
                return;
            }
        }
    }

    fn next(&self, questions: &Receiver<Question>) -> Result<Question, RecvTimeoutError> {
        match self.second.front() {
            Some((due, _)) => questions.recv_timeout(due.saturating_duration_since(Instant::now())),
            None => questions
                .recv()
                .map_err(|_error| RecvTimeoutError::Disconnected),
        }
    }

    fn answer(&mut self, question: Question) -> Result<(), Gone> {
        let answer = match question {
            Question::Survey(survey) => {
                Answer::Surveyed(survey::survey(&self.procfs, &self.nursery, &survey))
            }
            Question::Samples(requests) => {
                Answer::Sampled(survey::samples(&self.procfs, &self.nursery, &requests))
            }
            Question::Inspect(inspect) => {
                let first = FirstLook::take(&self.procfs, &self.nursery, inspect);
                if first.is_final() {
                    return self.finish(first);
                }
                let due = Instant::now() + BETWEEN_LOOKS;
                self.second.push_back((due, first));
                return Ok(());
            }
            Question::Peers(peers) => {
                let finding = peers.finding;
                let peers = self.sockets.describe(&self.procfs, &peers);
                Answer::Peers { finding, peers }
            }
            Question::Segments => Answer::Segments {
                segments: self.procfs.segments().unwrap_or_default(),
                boot_seconds: boot_seconds(),
            },
            Question::SegmentSize(id) => {
                let segment = self.procfs.segment(id).ok().flatten();
                let bytes = segment.map(|segment| segment.size);
                Answer::SegmentSize { id, bytes }
            }
            Question::Objects(request) => Answer::Objects(persistent::look(&self.procfs, &request)),
            Question::Census(requests) => {
                return census::census(&self.procfs, requests, |answer| self.send(answer));
            }
        };
        self.send(answer)
    }

    /// The second look of everything that is due.
    fn look_again(&mut self) -> Result<(), Gone> {
        while let Some((due, _)) = self.second.front()
            && *due <= Instant::now()
            && let Some((_, first)) = self.second.pop_front()
        {
            self.finish(first)?;
        }
        Ok(())
    }

    fn finish(&self, first: FirstLook) -> Result<(), Gone> {
        let inspected = first.finish(&self.procfs, &self.nursery);
        self.send(Answer::Inspected(Box::new(inspected)))
    }

    fn send(&self, answer: Answer) -> Result<(), Gone> {
        self.answers.blocking_send(answer).map_err(|_error| Gone)
    }
}

/// Seconds from 1970 to the boot of the host.
fn boot_seconds() -> i64 {
    let [wall, boot] = [ClockId::Realtime, ClockId::Boottime].map(|id| clock_gettime(id).tv_sec);
    wall - boot
}
