//! An output of a running program, collected as it comes.

use std::{
    io::Read,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

/// How long the pipe of a program that has ended may stay open.
const PATIENCE: Duration = Duration::from_secs(2);

/// A pipe that is read by a thread of its own as the bytes come.
#[derive(Debug)]
pub(crate) struct Stream {
    seen: Arc<Mutex<Vec<u8>>>,
    closed: mpsc::Receiver<()>,
}

impl Stream {
    /// Starts to read `pipe`.
    pub(crate) fn of(pipe: Option<impl Read + Send + 'static>) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (closing, closed) = mpsc::channel();
        let sink = Arc::clone(&seen);
        thread::spawn(move || {
            // Dropped when the pipe has no writer any more, which tells `finish`.
            let _closing: mpsc::Sender<()> = closing;
            pipe.map(|pipe| pump(pipe, &sink))
        });
        Self { seen, closed }
    }

    /// What has come so far.
    pub(crate) fn so_far(&self) -> String {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&seen).into_owned()
    }

    /// Everything, once the last writer has gone, which must be soon after the program's end.
    #[track_caller]
    pub(crate) fn finish(self, said: &str) -> String {
        let closed = self.closed.recv_timeout(PATIENCE);
        assert!(
            closed == Err(mpsc::RecvTimeoutError::Disconnected),
            "{said}: a pipe is open {PATIENCE:?} after its end",
        );
        self.so_far()
    }
}

fn pump(mut pipe: impl Read, sink: &Mutex<Vec<u8>>) {
    let mut piece = [0; 4096];
    while let Ok(length @ 1..) = pipe.read(&mut piece) {
        sink.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(&piece[..length]);
    }
}
