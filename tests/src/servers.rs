//! Real servers of common runtimes, each of the test's own and on loopback or a private socket, and
//! steady loads on them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    process::{Command, Stdio},
    time::Duration,
};

use crate::{
    driven::Driven,
    guard::Guard,
    load_clients::LoadClients,
    nginx::{Nginx, free_port},
    postgres::Postgres,
    programs::{on_path, sources},
    redis::Redis,
    scratch::Scratch,
};

/// All that there are.
pub const ALL: [&str; 7] = ["python", "node", "java", "go", "nginx", "postgres", "redis"];

/// Those written as scripts: language, interpreter, source.
const SCRIPTS: [(&str, &str, &str); 3] = [
    ("python", "python3", "steady.py"),
    ("node", "node", "steady.js"),
    ("java", "java", "Steady.java"),
];

/// Running servers with their pids, and the loads on them; they end with this value.
#[derive(Debug, Default)]
pub struct Servers {
    names: BTreeMap<u32, String>,
    urls: BTreeMap<String, String>,
    loads: Vec<(String, Guard)>,
    load_clients: Vec<(String, LoadClients)>,
    scripts: Vec<Driven>,
    nginx: Option<Nginx>,
    postgres: Option<Postgres>,
    redis: Option<Redis>,
    built: Option<Scratch>,
}

impl Servers {
    /// Starts those of `wanted` that are installed; the others are said to be skipped.
    pub fn start(wanted: &[&str]) -> Self {
        let mut servers = Self::default();
        let wanted: BTreeSet<_> = wanted.iter().copied().collect();
        for (language, program, script) in SCRIPTS {
            if wanted.contains(language) && is_here(program) {
                let source = sources().join(script).display().to_string();
                servers.script(language, program, &[&source]);
            }
        }
        if wanted.contains("go") && is_here("go") {
            let binary = servers.build_go();
            servers.script("go", &binary, &[]);
        }
        if wanted.contains("nginx") && is_here("nginx") {
            let nginx = Nginx::start();
            servers.names.insert(nginx.pid(), "nginx".to_owned());
            servers.urls.insert("nginx".to_owned(), nginx.url());
            servers.nginx = Some(nginx);
        }
        if wanted.contains("postgres")
            && is_here("postgres")
            && let Some(postgres) = Postgres::start()
        {
            servers.names.insert(postgres.pid(), "postgres".to_owned());
            servers.postgres = Some(postgres);
        }
        if wanted.contains("redis") && is_here("redis-server") && is_here("redis-benchmark") {
            let redis = Redis::start();
            servers.names.insert(redis.pid(), "redis".to_owned());
            servers.redis = Some(redis);
        }
        servers
    }

    /// What each is called, by the pid of its first process.
    pub fn names(&self) -> &BTreeMap<u32, String> {
        &self.names
    }

    /// The pids, as `-p` takes them.
    pub fn pids(&self) -> String {
        let pids: Vec<_> = self.names.keys().map(ToString::to_string).collect();
        pids.join(",")
    }

    /// Each server gets kept connections and, beside them, connections made anew each time, for so
    /// many seconds.
    pub fn load(&mut self, seconds: &str) {
        for (name, url) in &self.urls {
            self.loads.push((name.clone(), wrk(url, seconds, &[])));
            let anew = wrk(url, seconds, &["-H", "Connection: close"]);
            self.loads.push((format!("{name}, anew"), anew));
        }
        if let Some(postgres) = &self.postgres {
            self.loads
                .push(("postgres".to_owned(), postgres.load(seconds, false)));
            self.loads
                .push(("postgres, anew".to_owned(), postgres.load(seconds, true)));
        }
        if let Some(redis) = &self.redis {
            self.loads.push(("redis".to_owned(), redis.load(seconds)));
        }
    }

    /// Each server gets a few clients that come and go, for so many seconds at least.
    pub fn visit(&mut self, seconds: &str) {
        const REQUEST: &str = "GET /file.txt HTTP/1.1\r\nHost: localhost\r\n\r\n";
        for (name, url) in &self.urls {
            let load_clients = LoadClients::of(address(url), REQUEST);
            self.load_clients.push((name.clone(), load_clients));
        }
        if let Some(redis) = &self.redis {
            let load_clients = LoadClients::of(redis.address().into(), "SET key value\r\n");
            self.load_clients.push(("redis".to_owned(), load_clients));
        }
        if let Some(postgres) = &self.postgres {
            for anew in [false, true] {
                let load = postgres.visit(seconds, anew);
                self.loads.push(("postgres".to_owned(), load));
            }
        }
    }

    /// Ends the load; every client must have had answers.
    ///
    /// # Panics
    ///
    /// When a server gave no answer.
    pub fn visits_end(&mut self) {
        for (name, load_clients) in self.load_clients.drain(..) {
            println!("{name}: {} answers", load_clients.answers());
            assert!(load_clients.answers() > 0, "{name} does not answer");
        }
        self.loads.clear();
    }

    /// Waits for the end of all loads, which must have done something, and says what.
    #[track_caller]
    pub fn loads_end_within(&mut self, patience: Duration) {
        for (name, load) in &mut self.loads {
            let status = load.wait_within(patience);
            let status = status.unwrap_or_else(|| panic!("the load on {name} does not end"));
            assert!(status.success(), "the load on {name}: {status}");
            let output = load.child.stdout.take().map(std::io::read_to_string);
            let report = output.and_then(Result::ok).unwrap_or_default();
            let done = report
                .lines()
                .find(|line| line.contains("requests in") || line.contains("actually processed"));
            println!("{name}: {}", done.unwrap_or("").trim());
            assert!(done.is_some(), "{name}: {report}");
        }
    }

    fn script(&mut self, language: &str, program: &str, words: &[&str]) {
        let port = free_port();
        let number = port.to_string();
        let words: Vec<&str> = words.iter().copied().chain([number.as_str()]).collect();
        let script = Driven::start(program, &words);
        self.names.insert(script.pid(), language.to_owned());
        let url = format!("http://127.0.0.1:{port}/");
        self.urls.insert(language.to_owned(), url);
        self.scripts.push(script);
    }

    fn build_go(&mut self) -> String {
        let scratch = self.built.get_or_insert_with(Scratch::new);
        let binary = scratch.text("steady");
        let mut command = Command::new("go");
        command
            .args(["build", "-o", &binary])
            .arg(sources().join("steady.go"));
        command
            .env("GOCACHE", scratch.text("cache"))
            .env("GOFLAGS", "-mod=mod")
            .env("GO111MODULE", "off");
        assert!(
            command.status().is_ok_and(|status| status.success()),
            "go build"
        );
        binary
    }
}

/// Of "`http://127.0.0.1:8000/file.txt`".
fn address(url: &str) -> SocketAddr {
    let host = url.trim_start_matches("http://").split('/').next();
    let address = host.and_then(|host| host.parse().ok());
    address.unwrap_or_else(|| panic!("no address: {url}"))
}

fn wrk(url: &str, seconds: &str, options: &[&str]) -> Guard {
    let mut command = Command::new("wrk");
    command
        .args(["-t1", "-c2", "-d", seconds])
        .args(options)
        .arg(url);
    Guard::spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()))
        .unwrap_or_else(|error| panic!("cannot start wrk: {error}"))
}

/// Unlike [`crate::machine::has`], this is no failure in CI: nobody has all of them.
fn is_here(program: &str) -> bool {
    let found = on_path(program).is_some();
    if !found {
        println!("SKIPPED: {program} is not installed");
    }
    found
}
