//! A database server of the test's own: own data, own socket, no network.

use std::{
    os::unix::{fs::chown, process::CommandExt as _},
    process::{Command, Stdio},
    time::Duration,
};

use crate::{
    guard::Guard,
    machine,
    programs::on_path,
    scratch::Scratch,
    wait::{holds_within, wait_until},
};

/// Whom it runs as where the test is root, which it refuses to be: `nobody`.
const USER: u32 = 65534;

/// A running server; it ends with this value.
#[derive(Debug)]
pub struct Postgres {
    guard: Guard,
    scratch: Scratch,
}

impl Postgres {
    /// Makes a database and starts the server; `None` where it is not installed, which has
    /// been said on screen.
    pub fn start() -> Option<Self> {
        if !["initdb", "postgres", "pgbench"]
            .iter()
            .all(|name| machine::has(name))
        {
            return None;
        }
        let scratch = Scratch::new();
        let home = scratch.shared_dir("postgres");
        chown(&home, Some(USER), Some(USER))
            .unwrap_or_else(|error| panic!("cannot give a directory away: {error}"));
        let home = home.display().to_string();
        let data = format!("{home}/data");
        run(Self::command("initdb").args(["-A", "trust", "-U", "nobody", "-N", "-D", &data]));
        let mut server = Self::command("postgres");
        server.args(["-D", &data, "-k", &home, "-h", "", "-F"]);
        let guard = Guard::spawn(&mut server)
            .unwrap_or_else(|error| panic!("cannot start postgres: {error}"));
        let this = Self { guard, scratch };
        let filled = || {
            this.pgbench(&["-i", "-q"])
                .status()
                .is_ok_and(|it| it.success())
        };
        wait_until(Duration::from_secs(20), "postgres answers", filled);
        Some(this)
    }

    /// The pid of the first process.
    pub fn pid(&self) -> u32 {
        self.guard.pid()
    }

    /// Starts `seconds` of transactions, with connections kept or made anew for each.
    pub fn load(&self, seconds: &str, anew: bool) -> Guard {
        let mut command = self.pgbench(&["-c", "2", "-T", seconds]);
        if anew {
            command.arg("-C");
        }
        Guard::spawn(command.stdout(Stdio::piped()))
            .unwrap_or_else(|error| panic!("cannot start pgbench: {error}"))
    }

    /// The same at a pace that is not felt: transactions that only read, a few a second.
    pub fn visit(&self, seconds: &str, anew: bool) -> Guard {
        let mut command = self.pgbench(&["-S", "-c", "2", "-R", "10", "-T", seconds]);
        if anew {
            command.arg("-C");
        }
        Guard::spawn(&mut command).unwrap_or_else(|error| panic!("cannot start pgbench: {error}"))
    }

    fn pgbench(&self, options: &[&str]) -> Command {
        let mut command = Self::command("pgbench");
        let socket = self.scratch.text("postgres");
        command
            .args(["-h", &socket, "-U", "nobody"])
            .args(options)
            .arg("postgres");
        command
    }

    fn command(name: &str) -> Command {
        let mut command = Command::new(on_path(name).unwrap_or_else(|| name.into()));
        command
            .uid(USER)
            .gid(USER)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Its processes are in sessions of their own, and it takes them along.
        self.guard.signal(rustix::process::Signal::QUIT);
        holds_within(Duration::from_secs(5), || self.guard.poll().is_some());
    }
}

fn run(command: &mut Command) {
    let ran = command
        .status()
        .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    assert!(ran.success(), "{command:?}: {ran}");
}
