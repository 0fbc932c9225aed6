//! The thread that asks for names: they may take seconds, and no window waits for them.

use std::{
    io,
    sync::{
        Arc,
        mpsc::{self, Receiver, RecvTimeoutError, SyncSender},
    },
    thread,
    time::Duration,
};

use hashbrown::HashMap;

use super::{Answer, Counters, REQUESTS, leave, symbolize::Symbolizer};
use crate::model::{
    ids::ProcessId,
    origin::{NamedStack, Stack, StackId},
};

/// Most named stacks that are remembered; beyond it all are forgotten.
const NAMED: usize = 4096;

/// After this time without requests the process that names is ended.
const IDLE: Duration = Duration::from_secs(30);

/// Stacks to name.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) ticket: u64,
    pub(super) stacks: Vec<Stack>,
    pub(super) process: ProcessId,
}

/// Starts the thread; it ends when the sender is dropped, or nobody takes answers.
pub(super) fn start(
    symbolizer: Symbolizer,
    answers: tokio::sync::mpsc::Sender<Answer>,
    counters: Arc<Counters>,
) -> io::Result<SyncSender<Request>> {
    // Room for all that may wait: whoever sends has taken a place.
    let (sender, requests) = mpsc::sync_channel(REQUESTS);
    let run = move || {
        Naming {
            symbolizer,
            named: HashMap::new(),
        }
        .run(&requests, &answers, &counters);
    };
    thread::Builder::new().name("names".into()).spawn(run)?;
    Ok(sender)
}

struct Naming {
    symbolizer: Symbolizer,
    named: HashMap<StackId, Arc<NamedStack>>,
}

impl Naming {
    fn run(
        mut self,
        requests: &Receiver<Request>,
        answers: &tokio::sync::mpsc::Sender<Answer>,
        counters: &Counters,
    ) {
        loop {
            let request = match requests.recv_timeout(IDLE) {
                Ok(request) => request,
                Err(RecvTimeoutError::Timeout) => {
                    self.symbolizer.rest();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let answer = self.answer(&request);
            leave(&counters.requests);
            if answers.blocking_send(answer).is_err() {
                return;
            }
        }
    }

    fn answer(&mut self, request: &Request) -> Answer {
        let name = |stack| self.name(stack, request.process);
        Answer::Named {
            ticket: request.ticket,
            stacks: request.stacks.iter().map(name).collect(),
        }
    }

    fn name(&mut self, stack: &Stack, process: ProcessId) -> Arc<NamedStack> {
        if let Some(named) = self.named.get(&stack.id) {
            return Arc::clone(named);
        }
        let named = Arc::new(self.symbolizer.name(stack, process));
        if is_settled(&named) {
            if self.named.len() >= NAMED {
                self.named.clear();
            }
            self.named.insert(stack.id, Arc::clone(&named));
        }
        named
    }
}

/// Whether another process could have been told no more: every frame of a file has a name. Code
/// that is of no file is named by what each process writes for itself.
fn is_settled(named: &NamedStack) -> bool {
    let mut frames = named.frames.iter();
    frames.all(|frame| frame.module.is_some() && frame.function.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::origin::{Module, NamedFrame};

    fn frame(module: bool, function: bool) -> NamedFrame {
        let path = "/lib/x".into();
        let module = module.then(|| {
            Arc::new(Module {
                path,
                build_id: None,
            })
        });
        NamedFrame {
            ip: 1,
            module,
            offset: 1,
            function: function.then(|| "f".into()),
            file: None,
            line: None,
            inlined: false,
            application: true,
        }
    }

    #[test]
    fn only_what_cannot_get_better_is_remembered() {
        for (frames, expected) in [
            (vec![frame(true, true), frame(true, true)], true),
            (vec![frame(true, true), frame(true, false)], false),
            (vec![frame(false, true)], false),
        ] {
            let named = NamedStack {
                id: StackId(1),
                frames,
                incomplete: None,
                interpreter: None,
            };
            assert_eq!(is_settled(&named), expected, "{named:?}");
        }
    }
}
