//! What users of real servers notice: throughput and the slowest hundredth of answers, without
//! memguard, with `watch -p` and with `watch -a`, one after the other in every round.

use std::{
    collections::BTreeMap,
    fs,
    process::{Command, Stdio},
};

use super::{Options, Row, agent::Agent};
use crate::{
    Driven, Nginx, Postgres, Redis,
    nginx::free_port,
    programs::{on_path, sources},
};

const ROUNDS: usize = 10;
/// Of each load in each round.
const SECONDS: &str = "1";
/// Requests of `redis-benchmark`, which counts them and not the time.
const REQUESTS: u64 = 50_000;

/// Every request on a connection of its own.
const ANEW: [&str; 2] = ["-H", "Connection: close"];

/// Throughput and latency of one load.
#[derive(Clone, Copy, Debug)]
struct Served {
    per_second: f64,
    p99: f64,
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
    for _ in 0..options.rounds(ROUNDS) {
        for watching in ALL {
            let agent = servers.watched_by(watching);
            for (name, load) in servers.loads() {
                served.entry((name, watching)).or_default().push(load());
            }
            if let Some(agent) = agent {
                agent.leave();
            }
        }
    }
    let rows = servers
        .loads()
        .into_iter()
        .flat_map(|(name, _)| rows(name, &served));
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
        let lost = lost.against(0.0);
        let is_nginx = name.starts_with("nginx");
        [
            if is_nginx { lost.at_most(limit) } else { lost },
            slower.against(1.0),
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

/// A load by its name.
type Load<'a> = (&'static str, Box<dyn Fn() -> Served + 'a>);

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
        if let Some(nginx) = &self.nginx {
            let url = nginx.url();
            let other = url.clone();
            loads.push(("nginx, kept connections", Box::new(move || wrk(&url, &[]))));
            loads.push((
                "nginx, new connections",
                Box::new(move || wrk(&other, &ANEW)),
            ));
        }
        if let Some((_, url)) = &self.python {
            loads.push(("python, threads", Box::new(move || wrk(url, &ANEW))));
        }
        if let Some(redis) = &self.redis {
            loads.push((
                "redis-benchmark get",
                Box::new(|| self.redis_benchmark(redis)),
            ));
        }
        if let Some(postgres) = &self.postgres {
            loads.push(("pgbench select", Box::new(|| pgbench(postgres))));
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
        Served {
            per_second: known(field(1), &said),
            p99: known(field(6), &said),
        }
    }
}

fn pgbench(postgres: &Postgres) -> Served {
    let log = postgres.shared().join("transactions");
    let prefix = log.display().to_string();
    let options = [
        "-S",
        "-n",
        "-c",
        "2",
        "-T",
        SECONDS,
        "-l",
        "--log-prefix",
        &prefix,
    ];
    let said = said(&mut postgres.pgbench(&options));
    let rate = said.lines().find_map(|line| line.strip_prefix("tps = "));
    let rate = rate.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    Served {
        per_second: known(rate, &said),
        p99: known(slowest_hundredth(postgres), &said),
    }
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
    command.args(["-t1", "-c8", "--latency", "-d", SECONDS]);
    let said = said(command.args(options).arg(url));
    let after = |title: &str| {
        let line = said
            .lines()
            .find_map(|line| line.trim().strip_prefix(title))?;
        Some(line.trim().to_owned())
    };
    Served {
        per_second: known(
            after("Requests/sec:").and_then(|rate| rate.parse().ok()),
            &said,
        ),
        p99: known(after("99%").and_then(|time| milliseconds(&time)), &said),
    }
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

fn known(figure: Option<f64>, said: &str) -> f64 {
    figure.unwrap_or_else(|| panic!("no figure in:\n{said}"))
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
