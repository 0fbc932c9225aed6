//! An nginx of the test's own: own configuration, own prefix, a free port on loopback.

use std::{
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Command, Stdio},
    time::Duration,
};

use crate::{
    guard::{Guard, children},
    scratch::Scratch,
    wait::wait_until,
};

const WORKERS: usize = 2;

/// A running server; it ends with this value.
#[derive(Debug)]
pub struct Nginx {
    guard: Guard,
    port: u16,
    _scratch: Scratch,
}

impl Nginx {
    /// Starts it and waits until all workers are there and the port answers.
    pub fn start() -> Self {
        let scratch = Scratch::new();
        let port = free_port();
        let configuration = configure(&scratch, port);
        let mut command = Command::new("nginx");
        command.args(["-p", &scratch.text(""), "-c", &configuration]);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let guard = Guard::spawn(&mut command)
            .unwrap_or_else(|error| panic!("cannot start nginx: {error}"));
        let mut this = Self {
            guard,
            port,
            _scratch: scratch,
        };
        wait_until(Duration::from_secs(10), "nginx answers", || {
            assert!(this.guard.poll().is_none(), "nginx has ended");
            this.workers().len() == WORKERS && TcpStream::connect(this.address()).is_ok()
        });
        this
    }

    /// The pid of the master process.
    pub fn pid(&self) -> u32 {
        self.guard.pid()
    }

    /// The pids of the worker processes.
    pub fn workers(&self) -> Vec<u32> {
        children(self.pid())
    }

    /// The address of a small file.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/file.txt", self.port)
    }

    fn address(&self) -> (Ipv4Addr, u16) {
        (Ipv4Addr::LOCALHOST, self.port)
    }
}

/// Writes a configuration and what it serves; returns the path of the configuration.
pub fn configure(scratch: &Scratch, port: u16) -> String {
    let prefix = scratch.text("");
    let prefix = prefix.trim_end_matches('/');
    scratch.write("file.txt", "content\n");
    let content = format!(
        "daemon off;
user root root;
worker_processes {WORKERS};
pid {prefix}/nginx.pid;
error_log {prefix}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log {prefix}/access.log;
    client_body_temp_path {prefix}/body;
    proxy_temp_path {prefix}/proxy;
    fastcgi_temp_path {prefix}/fastcgi;
    uwsgi_temp_path {prefix}/uwsgi;
    scgi_temp_path {prefix}/scgi;
    server {{
        listen 127.0.0.1:{port};
        root {prefix};
    }}
}}
"
    );
    scratch.write("nginx.conf", &content)
}

/// A port on loopback that nobody listens on at this moment.
pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .unwrap_or_else(|error| panic!("no free port: {error}"))
        .port()
}
