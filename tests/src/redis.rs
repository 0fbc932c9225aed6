//! A redis of the test's own: a free port on loopback, nothing on disk.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{guard::Guard, nginx::free_port, wait::wait_until};

/// What a key that is filled in holds.
const VALUE: usize = 1024;
/// How often a second keys are filled in.
const BURSTS: u32 = 20;

/// A running server; it ends with this value.
#[derive(Debug)]
pub struct Redis {
    guard: Guard,
    port: u16,
}

impl Redis {
    /// Starts it and waits until the port answers.
    pub fn start() -> Self {
        let port = free_port();
        let mut command = Command::new("redis-server");
        command
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--dir", "/"])
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let guard = Guard::spawn(&mut command)
            .unwrap_or_else(|error| panic!("cannot start redis: {error}"));
        let this = Self { guard, port };
        wait_until(Duration::from_secs(10), "redis answers", || {
            TcpStream::connect(this.address()).is_ok()
        });
        this
    }

    /// Its pid.
    pub fn pid(&self) -> u32 {
        self.guard.pid()
    }

    /// Starts connections made anew for a few requests each, of the same keys, for so many seconds.
    pub fn load(&self, seconds: &str) -> Guard {
        let port = self.port;
        let script = format!(
            "end=$(($(date +%s) + {seconds})); n=0
             while [ $(date +%s) -lt $end ]; do
                 redis-benchmark -p {port} -q -k 0 -c 2 -n 200 -t get,set >/dev/null 2>&1 || exit 1
                 n=$((n + 400))
             done
             echo $n requests in {seconds} s"
        );
        let mut command = Command::new("sh");
        command.args(["-c", &script]).stdin(Stdio::null());
        Guard::spawn(command.stdout(Stdio::piped()))
            .unwrap_or_else(|error| panic!("cannot start sh: {error}"))
    }

    /// Sets new keys at `bytes_per_second` while `goes_on`, and returns how many bytes they hold.
    ///
    /// # Panics
    ///
    /// When the server refuses one.
    pub fn fill(&self, bytes_per_second: u64, mut goes_on: impl FnMut() -> bool) -> u64 {
        let mut stream = TcpStream::connect(self.address())
            .unwrap_or_else(|error| panic!("redis is not there: {error}"));
        let per_second = bytes_per_second as f64 / VALUE as f64;
        let begin = Instant::now();
        let mut filled = 0;
        while goes_on() {
            // Whatever the machine makes of a sleep, the pace stays the same.
            let due = (begin.elapsed().as_secs_f64() * per_second) as u64;
            set_keys(&mut stream, filled..due)
                .unwrap_or_else(|error| panic!("cannot fill redis: {error}"));
            filled = due;
            sleep(Duration::from_secs(1) / BURSTS);
        }
        filled * VALUE as u64
    }

    pub(crate) fn address(&self) -> (Ipv4Addr, u16) {
        (Ipv4Addr::LOCALHOST, self.port)
    }
}

/// Sets one key for each number and reads the answers.
fn set_keys(stream: &mut TcpStream, numbers: std::ops::Range<u64>) -> std::io::Result<()> {
    const ANSWER: &[u8] = b"+OK\r\n";
    let value = "x".repeat(VALUE);
    let count = numbers.end - numbers.start;
    let commands = numbers.map(|number| {
        let key = format!("key:{number:012}");
        let length = key.len();
        format!("*3\r\n$3\r\nSET\r\n${length}\r\n{key}\r\n${VALUE}\r\n{value}\r\n")
    });
    stream.write_all(commands.collect::<String>().as_bytes())?;
    let mut answers = vec![0; ANSWER.len() * count as usize];
    stream.read_exact(&mut answers)?;
    assert!(answers.chunks(ANSWER.len()).all(|answer| answer == ANSWER));
    Ok(())
}
