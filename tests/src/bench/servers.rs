//! What users of real servers notice: throughput and the slowest hundredth of answers, without
//! memguard, with `watch -p` and with `watch -a`, one after the other in every round; and what the
//! servers' own CPU time says of the same, which others on the machine do not change.

use std::{
    collections::BTreeMap,
    fs,
    process::{Command, Stdio},
};

use super::{Options, Row, agent::Agent};
use crate::{
    Driven, Nginx, Postgres, Redis,
    guard::children,
    nginx::free_port,
    programs::{on_path, sources},
};

const ROUNDS: usize = 10;
/// Of each load in each round.
const SECONDS: u16 = 1;
/// Requests of `redis-benchmark`, which counts them and not the time.
const REQUESTS: u64 = 50_000;

/// Every request on a connection of its own.
const ANEW: [&str; 2] = ["-H", "Connection: close"];

/// Throughput and latency of one load.
#[derive(Clone, Copy, Debug)]
struct Served {
    per_second: f64,
    p99: f64,
    requests: f64,
    /// Of the server, in ticks, for a request.
    cpu: f64,
}

/// Who watches meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Watching {
    Nobody,
    Processes,
    Host,
}

const ALL: [Watching; 3] = [Watching::Nobody, Watching::Processes, Watching::Host];

/// The section `servers`.
pub(super) fn measure(options: &Options) -> Vec<Row> {
    let servers = Servers::start(options);
    let mut served: BTreeMap<(&str, Watching), Vec<Served>> = BTreeMap::new();
    for round in 0..options.rounds(ROUNDS) {
        // Who comes first finds the machine colder.
        for turn in 0..ALL.len() {
            let watching = ALL[(round + turn) % ALL.len()];
            let agent = servers.watched_by(watching);
            for load in servers.loads() {
                let figures = load.run();
                let all = served.entry((load.name, watching)).or_default();
                all.push(figures);
            }
            if let Some(agent) = agent {
                agent.leave();
            }
        }
    }
    let rows = servers
        .loads()
        .into_iter()
        .flat_map(|load| rows(load.name, &served));
    rows.chain(servers.missing.iter().cloned()).collect()
}

fn rows(name: &'static str, served: &BTreeMap<(&str, Watching), Vec<Served>>) -> Vec<Row> {
    let bare = &served[&(name, Watching::Nobody)];
    let rows = [
        (Watching::Processes, "-p", 3.0),
        (Watching::Host, "-a", 4.0),
    ]
    .map(|(watching, option, limit)| {
        let pairs = || served[&(name, watching)].iter().zip(bare);
        let lost: Vec<f64> = pairs()
            .map(|(traced, bare)| 100.0 * (1.0 - traced.per_second / bare.per_second))
            .collect();
        let lost = Row::new(format!("{name}: throughput lost with {option}"), "%", &lost);
        let slower: Vec<f64> = pairs()
            .map(|(traced, bare)| traced.p99 / bare.p99)
            .collect();
        let slower = Row::new(format!("{name}: p99 with {option}"), "× bare", &slower);
        let dearer: Vec<f64> = pairs()
            .map(|(traced, bare)| traced.cpu / bare.cpu)
            .collect();
        let dearer = Row::new(
            format!("{name}: CPU time for a request with {option}"),
            "× bare",
            &dearer,
        );
        let lost = lost.against(0.0);
        let is_nginx = name.starts_with("nginx");
        [
            if is_nginx { lost.at_most(limit) } else { lost },
            slower.against(1.0),
            dearer.against(1.0),
        ]
    });
    let own = bare
        .iter()
        .map(|served| served.per_second)
        .collect::<Vec<_>>();
    let own = Row::new(format!("{name}: alone"), "/s", &own);
    [own]
        .into_iter()
        .chain(rows.into_iter().flatten())
        .collect()
}

/// A load, and the server's first process.
struct Load<'a> {
    name: &'static str,
    pid: u32,
    serve: Box<dyn Fn() -> Served + 'a>,
}

impl Load<'_> {
    fn run(&self) -> Served {
        let before = ticks(self.pid);
        let served = (self.serve)();
        let cpu = ticks(self.pid).saturating_sub(before) as f64 / served.requests;
        Served { cpu, ..served }
    }
}

/// CPU time of a process, its children that it has waited for, and those that are there.
fn ticks(pid: u32) -> u64 {
    let of = |pid: u32, fields: usize| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        // utime, stime, cutime and cstime, proc_pid_stat(5).
        let times = rest.split(' ').skip(11).take(fields);
        times
            .filter_map(|time| time.parse::<u64>().ok())
            .sum::<u64>()
    };
    let children: u64 = children(pid).into_iter().map(|child| of(child, 2)).sum();
    of(pid, 4) + children
}

/// Those that are installed here.
struct Servers {
    nginx: Option<Nginx>,
    redis: Option<Redis>,
    postgres: Option<Postgres>,
    python: Option<(Driven, String)>,
    requests: u64,
    missing: Vec<Row>,
}

impl Servers {
    fn start(options: &Options) -> Self {
        let mut missing = Vec::new();
        let mut here = |name: &'static str, programs: &[&str]| {
            let absent = programs.iter().find(|program| on_path(program).is_none());
            let row = |program| Row::missing(name, format!("{program} is not installed"));
            missing.extend(absent.map(row));
            absent.is_none()
        };
        let nginx = here("nginx", &["nginx", "wrk"]).then(Nginx::start);
        let redis = here("redis", &["redis-server", "redis-benchmark"]).then(Redis::start);
        let postgres = here("postgres", &["pgbench"])
            .then(Postgres::start)
            .flatten();
        let python = here("python", &["python3", "wrk"]).then(python);
        Self {
            nginx,
            redis,
            postgres,
            python,
            requests: options.count(REQUESTS),
            missing,
        }
    }

    fn watched_by(&self, watching: Watching) -> Option<Agent> {
        match watching {
            Watching::Nobody => None,
            Watching::Processes => Some(Agent::watch(&["-p", &self.pids()])),
            Watching::Host => Some(Agent::watch(&["-a"])),
        }
    }

    fn pids(&self) -> String {
        let pids = [
            self.nginx.as_ref().map(Nginx::pid),
            self.redis.as_ref().map(Redis::pid),
            self.postgres.as_ref().map(Postgres::pid),
            self.python.as_ref().map(|(script, _)| script.pid()),
        ];
        let pids: Vec<_> = pids.iter().flatten().map(ToString::to_string).collect();
        pids.join(",")
    }

    fn loads(&self) -> Vec<Load<'_>> {
        let mut loads: Vec<Load<'_>> = Vec::new();
        let mut add = |name, pid, serve| loads.push(Load { name, pid, serve });
        if let Some(nginx) = &self.nginx {
            let url = nginx.url();
            let other = url.clone();
            let pid = nginx.pid();
            add(
                "nginx, kept connections",
                pid,
                Box::new(move || wrk(&url, &[])),
            );
            add(
                "nginx, new connections",
                pid,
                Box::new(move || wrk(&other, &ANEW)),
            );
        }
        if let Some((script, url)) = &self.python {
            add(
                "python, threads",
                script.pid(),
                Box::new(move || wrk(url, &ANEW)),
            );
        }
        if let Some(redis) = &self.redis {
            let serve = || self.redis_benchmark(redis);
            add("redis-benchmark get", redis.pid(), Box::new(serve));
        }
        if let Some(postgres) = &self.postgres {
            add(
                "pgbench select",
                postgres.pid(),
                Box::new(|| pgbench(postgres)),
            );
        }
        loads
    }

    fn redis_benchmark(&self, redis: &Redis) -> Served {
        let (port, requests) = (redis.port().to_string(), self.requests.to_string());
        let words = [
            "--csv", "-t", "get", "-c", "20", "-p", &port, "-n", &requests,
        ];
        let said = said(Command::new("redis-benchmark").args(words));
        // A line of titles, then name, rate, average, least, p50, p95, p99, most.
        let line = said
            .lines()
            .rfind(|line| line.starts_with("\"GET"))
            .unwrap_or_default();
        let field = |at| line.split(',').nth(at)?.trim_matches('"').parse().ok();
        served(field(1), field(6), self.requests as f64, &said)
    }
}

fn pgbench(postgres: &Postgres) -> Served {
    let log = postgres.shared().join("transactions");
    let prefix = log.display().to_string();
    let seconds = SECONDS.to_string();
    let options = ["-S", "-n", "-c", "2", "-T", &seconds, "-l"];
    let options = [options.as_slice(), &["--log-prefix", &prefix]].concat();
    let said = said(&mut postgres.pgbench(&options));
    let rate = said.lines().find_map(|line| line.strip_prefix("tps = "));
    let rate = rate.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    let requests = rate.unwrap_or(0.0) * f64::from(SECONDS);
    served(rate, slowest_hundredth(postgres), requests, &said)
}

/// Of the files that pgbench wrote, which are gone afterwards. The third word of a line is the
/// time.
fn slowest_hundredth(postgres: &Postgres) -> Option<f64> {
    let mut times: Vec<u64> = Vec::new();
    for entry in fs::read_dir(postgres.shared()).ok()?.flatten() {
        if !entry
            .file_name()
            .to_string_lossy()
            .starts_with("transactions.")
        {
            continue;
        }
        let log = fs::read_to_string(entry.path()).ok()?;
        let words = |line: &str| line.split(' ').nth(2)?.parse::<u64>().ok();
        times.extend(log.lines().filter_map(words));
        fs::remove_file(entry.path()).ok()?;
    }
    times.sort_unstable();
    times.get(times.len() * 99 / 100).map(|time| *time as f64)
}

/// A web server whose every answer is read from a file, and its address.
fn python() -> (Driven, String) {
    let port = free_port();
    let source = sources().join("steady.py").display().to_string();
    let script = Driven::start("python3", &[&source, &port.to_string()]);
    (script, format!("http://127.0.0.1:{port}/"))
}

fn wrk(url: &str, options: &[&str]) -> Served {
    let mut command = Command::new("wrk");
    let seconds = SECONDS.to_string();
    command.args(["-t1", "-c8", "--latency", "-d", &seconds]);
    let said = said(command.args(options).arg(url));
    let after = |title: &str| {
        let line = said
            .lines()
            .find_map(|line| line.trim().strip_prefix(title))?;
        Some(line.trim().to_owned())
    };
    let rate = after("Requests/sec:").and_then(|rate| rate.parse().ok());
    let p99 = after("99%").and_then(|time| milliseconds(&time));
    served(rate, p99, rate.unwrap_or(0.0) * f64::from(SECONDS), &said)
}

/// As wrk writes times.
fn milliseconds(time: &str) -> Option<f64> {
    let digits = time.trim_end_matches(char::is_alphabetic);
    let factor = match &time[digits.len()..] {
        "us" => 0.001,
        "ms" => 1.0,
        "s" => 1000.0,
        _ => return None,
    };
    Some(digits.parse::<f64>().ok()? * factor)
}

fn served(per_second: Option<f64>, p99: Option<f64>, requests: f64, said: &str) -> Served {
    let known = |figure: Option<f64>| figure.unwrap_or_else(|| panic!("no figure in:\n{said}"));
    Served {
        per_second: known(per_second),
        p99: known(p99),
        requests,
        cpu: 0.0,
    }
}

fn said(command: &mut Command) -> String {
    let ran = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output();
    let ran = ran.unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr)
}

#[cfg(test)]
mod tests {
    use super::milliseconds;

    #[test]
    fn times_have_units() {
        let all = ["850.00us", "1.25ms", "1.02s", "7", ""].map(milliseconds);
        assert_eq!(all, [Some(0.85), Some(1.25), Some(1020.0), None, None]);
    }
}
