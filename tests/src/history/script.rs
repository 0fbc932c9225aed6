//! The file that `tests/programs/history.c` carries out: a header of 131 + 1 words, which the
//! program fills in, and five words for each step.

/// Words before the steps: count, turn, who ends, number, and two for each of 64 actors.
const HEADER: usize = 5 + 2 * 64;

/// What an actor does. New actors are numbered in the order in which they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `openat` of a regular file.
    OpenFile,
    /// `socket`.
    OpenSocket,
    /// `epoll_create1`.
    OpenEpoll,
    /// `eventfd2`.
    OpenEventfd,
    /// `pipe2`.
    OpenPipe,
    /// `dup` of a number.
    Dup(i32),
    /// `dup2` of one number onto another.
    Dup2(i32, i32),
    /// `close` of a number, open or not.
    Close(i32),
    /// `close_range` of the numbers from one to another.
    CloseRange(i32, i32),
    /// The same in a table of one's own.
    CloseRangeOwn(i32, i32),
    /// `fcntl` that has a number closed by exec.
    Cloexec(i32),
    /// `fork`, whose child is a new actor.
    Fork(usize),
    /// `clone` whose child shares the table.
    ForkSharing(usize),
    /// A new thread.
    Thread(usize),
    /// `unshare` of the table.
    Unshare,
    /// `execve`, which ends all other threads.
    Exec,
    /// The end of a thread that is not the first.
    EndThread,
    /// The end of the process.
    EndProcess,
}

impl Operation {
    /// Its name in `history.c`.
    pub fn name(self) -> &'static str {
        self.words().1
    }

    /// Number, name and arguments, as `history.c` has them.
    fn words(self) -> (i32, &'static str, i32, i32) {
        let actor = |actor: usize| i32::try_from(actor).unwrap_or(i32::MAX);
        match self {
            Self::OpenFile => (0, "OPEN_FILE", 0, 0),
            Self::OpenSocket => (1, "OPEN_SOCKET", 0, 0),
            Self::OpenEpoll => (2, "OPEN_EPOLL", 0, 0),
            Self::OpenEventfd => (3, "OPEN_EVENTFD", 0, 0),
            Self::OpenPipe => (4, "OPEN_PIPE", 0, 0),
            Self::Dup(number) => (5, "DUP", number, 0),
            Self::Dup2(number, onto) => (6, "DUP2", number, onto),
            Self::Close(number) => (7, "CLOSE", number, 0),
            Self::CloseRange(first, last) => (8, "CLOSE_RANGE", first, last),
            Self::CloseRangeOwn(first, last) => (9, "CLOSE_RANGE_OWN", first, last),
            Self::Cloexec(number) => (10, "CLOEXEC", number, 0),
            Self::Fork(child) => (11, "FORK", actor(child), 0),
            Self::ForkSharing(child) => (12, "FORK_SHARING", actor(child), 0),
            Self::Thread(thread) => (13, "THREAD", actor(thread), 0),
            Self::Unshare => (14, "UNSHARE", 0, 0),
            Self::Exec => (15, "EXEC", 0, 0),
            Self::EndThread => (16, "END_THREAD", 0, 0),
            Self::EndProcess => (17, "END_PROCESS", 0, 0),
        }
    }
}

/// What a step gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gives {
    /// Nothing, or a descriptor's number.
    One(i32),
    /// Both ends of a pipe.
    Two(i32, i32),
}

/// One step of one actor.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Whose it is.
    pub actor: usize,
    /// What is done.
    pub operation: Operation,
    /// What must come of it.
    pub result: Gives,
}

/// The file.
pub fn encode(steps: &[Step]) -> Vec<u8> {
    let mut words = vec![0; HEADER];
    words[0] = i32::try_from(steps.len()).unwrap_or(i32::MAX);
    for step in steps {
        let (operation, _, first, second) = step.operation.words();
        let actor = i32::try_from(step.actor).unwrap_or(i32::MAX);
        let (second, result) = match step.result {
            Gives::One(number) => (second, number),
            Gives::Two(reading, writing) => (writing, reading),
        };
        words.extend([actor, operation, first, second, result]);
    }
    words.into_iter().flat_map(i32::to_ne_bytes).collect()
}
