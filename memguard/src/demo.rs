//! `demo`: a program that leaks, watched while it does. The tour in one command.

use std::{
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    time::{Duration, Instant},
};

use crate::{agent, config::WatchConfig, failure::Failure, tell};

const TOUR: &str = "\
A small server starts. It accepts and answers connections, but forgets to close
every second one. memguard watches it for twelve seconds, as with:

  memguard watch -p PID --warm-up 1s --min-age 2s -i 1s -d 12s

";

const AFTER: &str = "
That was `watch`. To check a program when it exits: memguard run -- COMMAND.
To write findings as JSON lines: -o FILE.
";

/// How long the server serves: a little longer than it is watched.
const SERVES: Duration = Duration::from_secs(15);

/// Starts the leaking program and watches it as `config` has it.
pub fn demo(config: impl FnOnce(u32) -> Result<WatchConfig, Failure>) -> Result<u8, Failure> {
    let itself = std::env::current_exe()
        .map_err(|error| Failure::caused("cannot find memguard's own program", error))?;
    let spawned = Command::new(itself).arg("demo-leaker").spawn();
    let leaker = spawned.map_err(|error| Failure::caused("cannot start the demo server", error))?;
    let leaker = Leaker(leaker);
    tell(TOUR);
    let code = agent::watch(&config(leaker.0.id())?)?;
    drop(leaker);
    tell(AFTER);
    Ok(code)
}

/// The demo server; ended with the demo.
struct Leaker(Child);

impl Drop for Leaker {
    fn drop(&mut self) {
        if self.0.kill().is_ok() && self.0.wait().is_err() {
            // It has ended by itself.
        }
    }
}

/// The leaking program: forgets every second connection it accepts, on loopback, four times a
/// second.
pub fn leak() -> u8 {
    let Ok(listener) = TcpListener::bind("127.0.0.1:0") else {
        return 1;
    };
    let Ok(address) = listener.local_addr() else {
        return 1;
    };
    let started = Instant::now();
    let (mut forgotten, mut remembers) = (Vec::new(), true);
    while started.elapsed() < SERVES {
        let Ok(client) = TcpStream::connect(address) else {
            return 1;
        };
        let Ok((server, _)) = listener.accept() else {
            return 1;
        };
        remembers = !remembers;
        if !remembers {
            forgotten.push(server);
        }
        drop(client);
        std::thread::sleep(Duration::from_millis(250));
    }
    0
}
