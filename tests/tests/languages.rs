//! Real servers under a steady load, one for each common runtime: none of them leaks, and none is
//! said to. They run side by side under one `memguard watch`; what is not installed says so.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::{
    collections::BTreeMap,
    net::TcpStream,
    process::{Command, Stdio},
    time::Duration,
};

use memguard_tests::{
    Driven, Guard, Memguard, Nginx, Postgres, Scratch,
    finding::listed,
    machine,
    nginx::free_port,
    programs::{on_path, sources},
    wait_until,
};
use rustix::process::Signal;

/// How long there is a load, and what is called a minute.
struct Times {
    seconds: &'static str,
    options: [&'static str; 6],
}

/// Servers with their pids, and the loads on them.
#[derive(Default)]
struct Servers {
    names: BTreeMap<u32, String>,
    loads: Vec<(String, Guard)>,
    scripts: Vec<Driven>,
    nginx: Option<Nginx>,
    postgres: Option<Postgres>,
    redis: Option<Guard>,
    built: Option<Scratch>,
}

/// Ten seconds, a minute scaled to one second.
#[test]
fn s81_steady_servers() {
    steady(&Times {
        seconds: "12",
        options: ["--warm-up", "2s", "--min-age", "1s", "-i", "250ms"],
    });
}

/// Ten minutes, at the times that memguard has of itself.
#[test]
#[ignore = "takes ten minutes"]
fn s81_steady_servers_long() {
    steady(&Times {
        seconds: "600",
        options: ["--warm-up", "60s", "--min-age", "60s", "-i", "5s"],
    });
}

fn steady(times: &Times) {
    let Some(_alone) = machine::ready() else {
        return;
    };
    if !machine::has("wrk") {
        return;
    }
    let mut servers = Servers::default();
    let ports = servers.start();
    let pids: Vec<_> = servers.names.keys().map(ToString::to_string).collect();
    let pids = pids.join(",");
    let options: Vec<&str> = ["-p", &pids, "-d", "1h"]
        .iter()
        .chain(&times.options)
        .copied()
        .collect();
    let mut watch = Memguard::watch(&options).start();
    watch.wait_for(Duration::from_secs(10), "attached", |lines| {
        !lines.events("memguard.agent.started").is_empty()
    });

    servers.load(&ports, times.seconds);
    let patience = Duration::from_secs(times.seconds.parse::<u64>().unwrap() + 60);
    for (name, load) in &mut servers.loads {
        let status = load.wait_within(patience).unwrap();
        assert!(status.success(), "the load on {name}: {status}");
        let report = std::io::read_to_string(load.child.stdout.take().unwrap()).unwrap();
        let done = report
            .lines()
            .find(|line| line.contains("requests in") || line.contains("actually processed"));
        println!("{name}: {}", done.unwrap_or("").trim());
        assert!(done.is_some(), "{name}: {report}");
    }
    watch.signal(Signal::INT);
    let lines = watch.finish_within(Duration::from_secs(20)).lines();

    let mut findings = lines.finding_lines();
    println!("{} finding lines", findings.len());
    findings.retain(|finding| finding.verdict() == "leak" || finding.warns());
    println!(
        "{} of them alarming; the servers: {:?}",
        findings.len(),
        servers.names
    );
    assert!(servers.names.len() >= 2, "hardly a server is installed");
    assert!(findings.is_empty(), "{}", listed(&findings));
}

impl Servers {
    /// Starts what is installed. Returns the ports of those that speak HTTP.
    fn start(&mut self) -> BTreeMap<String, u16> {
        let mut ports = BTreeMap::new();
        for (language, program, script) in [
            ("python", "python3", "steady.py"),
            ("node", "node", "steady.js"),
            ("java", "java", "Steady.java"),
        ] {
            let source = sources().join(script).display().to_string();
            if is_here(program) {
                ports.insert(
                    language.to_owned(),
                    self.script(language, program, &[&source]),
                );
            }
        }
        if is_here("go") {
            let binary = self.build_go();
            ports.insert("go".to_owned(), self.script("go", &binary, &[]));
        }
        if is_here("nginx") {
            let nginx = Nginx::start();
            self.names.insert(nginx.pid(), "nginx".to_owned());
            self.nginx = Some(nginx);
        }
        if is_here("postgres")
            && let Some(postgres) = Postgres::start()
        {
            self.names.insert(postgres.pid(), "postgres".to_owned());
            self.postgres = Some(postgres);
        }
        if is_here("redis-server") && is_here("redis-benchmark") {
            let port = free_port();
            self.redis(port);
            ports.insert("redis".to_owned(), port);
        }
        ports
    }

    fn script(&mut self, language: &str, program: &str, words: &[&str]) -> u16 {
        let port = free_port();
        let number = port.to_string();
        let words: Vec<&str> = words.iter().copied().chain([number.as_str()]).collect();
        let script = Driven::start(program, &words);
        self.names.insert(script.pid(), language.to_owned());
        self.scripts.push(script);
        port
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
        assert!(command.status().unwrap().success(), "go build");
        binary
    }

    fn redis(&mut self, port: u16) {
        let mut command = Command::new("redis-server");
        command
            .args([
                "--port",
                &port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let redis = Guard::spawn(&mut command).unwrap();
        wait_until(Duration::from_secs(10), "redis answers", || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        self.names.insert(redis.pid(), "redis".to_owned());
        self.redis = Some(redis);
    }

    /// Each server gets kept connections and, beside them, connections made anew each time.
    fn load(&mut self, ports: &BTreeMap<String, u16>, seconds: &str) {
        let mut urls: BTreeMap<String, String> = ports
            .iter()
            .filter(|(name, _)| *name != "redis")
            .map(|(name, port)| (name.clone(), format!("http://127.0.0.1:{port}/")))
            .collect();
        if let Some(nginx) = &self.nginx {
            urls.insert("nginx".to_owned(), nginx.url());
        }
        for (name, url) in urls {
            self.loads.push((name.clone(), wrk(&url, seconds, &[])));
            let anew = wrk(&url, seconds, &["-H", "Connection: close"]);
            self.loads.push((format!("{name}, anew"), anew));
        }
        if let Some(postgres) = &self.postgres {
            self.loads
                .push(("postgres".to_owned(), postgres.load(seconds, false)));
            self.loads
                .push(("postgres, anew".to_owned(), postgres.load(seconds, true)));
        }
        if let Some(port) = ports.get("redis") {
            self.loads
                .push(("redis".to_owned(), redis_load(*port, seconds)));
        }
    }
}

fn wrk(url: &str, seconds: &str, options: &[&str]) -> Guard {
    let mut command = Command::new("wrk");
    command
        .args(["-t1", "-c2", "-d", seconds])
        .args(options)
        .arg(url);
    Guard::spawn(command.stdin(Stdio::null()).stdout(Stdio::piped())).unwrap()
}

/// Connections made anew for each request, as long as the others last.
fn redis_load(port: u16, seconds: &str) -> Guard {
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
    Guard::spawn(command.stdout(Stdio::piped())).unwrap()
}

/// Unlike [`machine::has`], this is no failure in CI: nobody has all of them.
fn is_here(program: &str) -> bool {
    let found = on_path(program).is_some();
    if !found {
        println!("SKIPPED: {program} is not installed");
    }
    found
}
