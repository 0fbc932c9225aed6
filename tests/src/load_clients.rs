//! Clients of a server that ask little and stay for a while: a load under which nothing else on the
//! machine suffers.

use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// Between two requests of one client.
const PAUSE: Duration = Duration::from_millis(40);
/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// At a time.
const CLIENTS: u64 = 3;

/// Clients at work; they go with this value.
#[derive(Debug)]
pub struct LoadClients {
    over: Arc<AtomicBool>,
    answers: Arc<AtomicU64>,
    clients: Vec<JoinHandle<()>>,
}

impl LoadClients {
    /// Of the server at this address, with always the same request. Each client asks from one to
    /// thirty times on a connection, and then comes back on another.
    pub fn of(address: SocketAddr, request: &'static str) -> Self {
        let (over, answers) = (Arc::default(), Arc::default());
        let client = |number| {
            let (over, answers) = (Arc::clone(&over), Arc::clone(&answers));
            thread::spawn(move || request_repeatedly(number, address, request, &over, &answers))
        };
        let clients = (0..CLIENTS).map(client).collect();
        Self {
            over,
            answers,
            clients,
        }
    }

    /// Answers so far.
    pub fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }
}

impl Drop for LoadClients {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for client in self.clients.drain(..) {
            let _its_panic_is_on_screen = client.join().is_err();
        }
    }
}

fn request_repeatedly(
    number: u64,
    address: SocketAddr,
    request: &str,
    over: &AtomicBool,
    answers: &AtomicU64,
) {
    let mut visit = number;
    while !over.load(Ordering::Relaxed) {
        visit += CLIENTS;
        let Ok(mut stream) = TcpStream::connect(address) else {
            thread::sleep(PAUSE);
            continue;
        };
        for _ in 0..=visit * 7 % 30 {
            if over.load(Ordering::Relaxed) || ask(&mut stream, request).is_none() {
                break;
            }
            answers.fetch_add(1, Ordering::Relaxed);
        }
        let _gone_before = leave(stream).is_err();
    }
}

/// As polite clients do: what still comes is read.
fn leave(mut stream: TcpStream) -> io::Result<u64> {
    stream.shutdown(Shutdown::Write)?;
    io::copy(&mut stream, &mut io::sink())
}

fn ask(stream: &mut TcpStream, request: &str) -> Option<()> {
    let mut answer = [0; 16384];
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    // By then all of the answer is there.
    thread::sleep(PAUSE);
    let length = stream.read(&mut answer).ok()?;
    (length > 0).then_some(())
}
