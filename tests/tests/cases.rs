//! Programs as users have them, watched at default options: what is told of each, and when.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::{
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use memguard_tests::{
    Finding, Lines, Memguard, Running,
    finding::listed,
    machine,
    programs::{on_path, sources, target_dir},
    text,
    times::unix_seconds,
};

/// For how long `fast_leak.py` has been at it when memguard comes.
const BEFORE: Duration = Duration::from_secs(20);
/// A little more than it may take, for what starts and is named beside it.
const LENIENCE: f64 = 5.0;

/// All of them, under one watch.
struct Cases {
    fast: Running,
    server: Running,
    cache: Option<Running>,
    go: Option<Go>,
}

/// Those in Go.
struct Go {
    body_open: Running,
    eventfd: Running,
}

impl Go {
    fn start(seconds: &str) -> Option<Self> {
        let compiler = on_path("go");
        if compiler.is_none() {
            println!("skipped: the cases in Go, which is not installed");
        }
        let compiler = compiler?;
        let start = |name| Memguard::program(&compiled(&compiler, name), &[seconds]).start();
        Some(Self {
            body_open: start("http_body_open"),
            eventfd: start("exec_eventfd"),
        })
    }
}

fn compiled(compiler: &Path, name: &str) -> PathBuf {
    let program = target_dir().join(name);
    let made = Command::new(compiler)
        .arg("build")
        .arg("-o")
        .args([
            &program,
            &sources().join("cases").join(name).with_extension("go"),
        ])
        .status();
    assert!(
        made.is_ok_and(|made| made.success()),
        "{name} does not compile"
    );
    program
}

impl Cases {
    /// For so many seconds each.
    fn start(seconds: &str) -> Self {
        let fast = format!(
            "ulimit -n 1024; exec python3 {} {seconds}",
            source("fast_leak.py")
        );
        let fast = Memguard::program(Path::new("sh"), &["-c", &fast]).start();
        thread::sleep(BEFORE);
        let cache = on_path("node");
        if cache.is_none() {
            println!("skipped: the cache of node, which is not installed");
        }
        Self {
            fast,
            server: start("python3", &["server.py", seconds]),
            cache: cache.map(|_node| start("node", &["cache.js", seconds])),
            go: Go::start(seconds),
        }
    }

    fn watched(&self, duration: &str) -> Lines {
        let all = [&self.fast, &self.server]
            .into_iter()
            .chain(self.cache.as_ref())
            .chain(self.go.iter().flat_map(|go| [&go.body_open, &go.eventfd]));
        let pids: Vec<_> = all.map(|running| running.pid().to_string()).collect();
        let watch = Memguard::watch(&["-p", &pids.join(","), "-d", duration]);
        watch.start().finish_within(Duration::from_mins(6)).lines()
    }
}

fn source(name: &str) -> String {
    let path = sources().join("cases").join(name);
    path.to_string_lossy().into_owned()
}

fn start(program: &str, arguments: &[&str]) -> Running {
    let (script, rest) = arguments.split_first().expect("a script");
    let script = source(script);
    let arguments: Vec<&str> = std::iter::once(&*script)
        .chain(rest.iter().copied())
        .collect();
    Memguard::program(Path::new(program), &arguments).start()
}

/// What was told of one of them.
struct Told<'a> {
    lines: Vec<Finding<'a>>,
    began: f64,
}

impl<'a> Told<'a> {
    fn of(lines: &'a Lines, process: &Running) -> Self {
        let started = lines.events("memguard.agent.started");
        let started = started.first().expect("it has started");
        let mut told = lines.finding_lines();
        told.retain(|finding| finding.pid() == u64::from(process.pid()));
        println!("{}", listed(&told));
        Self {
            lines: told,
            began: unix_seconds(text(started, "/timestamp")),
        }
    }

    /// Seconds from the start of the watch to the first with this verdict.
    fn first(&self, verdict: &str) -> Option<f64> {
        let mut told = self.lines.iter().filter(|it| it.verdict() == verdict);
        told.next().map(|finding| finding.written_at() - self.began)
    }

    fn within(&self, verdict: &str, seconds: f64) {
        let after = self.first(verdict);
        assert!(
            after.is_some_and(|after| after <= seconds + LENIENCE),
            "{verdict} within {seconds} s: {after:?}"
        );
    }
}

fn fast_leak(told: &Told<'_>) {
    told.within("hoard", 10.0);
    told.within("exhaustion", 10.0);
    told.within("suspect", 15.0);
    let memory = told.lines.iter().find(|it| it.resource() == "heap");
    assert!(memory.is_none(), "the objects of the files are no growth");
}

fn server(told: &Told<'_>) {
    told.within("leak", 60.0);
    let growth = told.first("growth");
    assert_eq!(growth, None, "of a leak of files");
}

/// From when it has taken more than a first ramp takes to its end.
fn cache(told: &Told<'_>) {
    told.within("growth", 92.0);
    let growths: Vec<_> = told
        .lines
        .iter()
        .filter(|it| it.verdict() == "growth")
        .collect();
    let last = growths.last().expect("it is told");
    assert_eq!((last.resource(), last.kind()), ("heap", "anon"));
    let resolved: Vec<_> = growths.iter().filter(|it| it.is_resolved()).collect();
    assert!(
        resolved
            .iter()
            .all(|it| text(it.0, "/memguard/finding/resolution") == "process_ended"),
        "it goes on: {resolved:?}"
    );
    let others = told.lines.iter().any(|it| it.verdict() == "leak");
    assert!(!others, "no descriptor is lost");
}

/// Nothing is ever released there, so it is suspected as long as it is watched; at this place, and
/// with nothing beside it: that the runtime's heap ramps is no growth.
fn go(told: &Told<'_>, kind: &str, place: &str) {
    told.within("suspect", 30.0);
    let last = told.lines.iter().rfind(|it| it.verdict() != "aged");
    let last = last.expect("a suspicion");
    assert_eq!(last.kind(), kind);
    let body = text(last.0, "/body");
    assert!(body.contains(place), "{body}");
    let others = told.lines.iter().filter(|it| it.id() != last.id());
    let others: Vec<_> = others.filter(|it| it.warns()).copied().collect();
    assert!(others.is_empty(), "{}", listed(&others));
    assert_eq!(told.first("growth"), None);
}

#[test]
fn each_is_told_as_what_it_is() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let cases = Cases::start("150");
    let lines = cases.watched("97s");
    fast_leak(&Told::of(&lines, &cases.fast));
    server(&Told::of(&lines, &cases.server));
    if let Some(node) = &cases.cache {
        cache(&Told::of(&lines, node));
    }
    if let Some(programs) = &cases.go {
        let body_open = Told::of(&lines, &programs.body_open);
        go(&body_open, "tcp", "net/http.(*Transport).dialConn");
        let eventfd = Told::of(&lines, &programs.eventfd);
        go(&eventfd, "eventfd", "main.(*watch).add");
    }
}

/// What releases nothing at all is a leak after three minutes, though it may open no more by then.
#[test]
#[ignore = "takes four minutes"]
fn what_releases_nothing_is_a_leak_in_the_end_long() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let cases = Cases::start("300");
    let lines = cases.watched("235s");
    let told = Told::of(&lines, &cases.fast);
    fast_leak(&told);
    told.within("leak", 235.0);
}

/// A collector whose pauses grow from two seconds to three minutes.
#[test]
#[ignore = "takes eight minutes"]
fn a_collector_that_comes_ever_later_is_no_leak_long() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let options = ["600", "2", "2", "65", "65", "65", "180", "65"];
    let arguments: Vec<&str> = std::iter::once("collected.py").chain(options).collect();
    let collected = start("python3", &arguments);
    let pid = collected.pid().to_string();
    let watch = Memguard::watch(&["-p", &pid, "-d", "470s"]);
    let lines = watch.start().finish_within(Duration::from_mins(9)).lines();
    let told = Told::of(&lines, &collected);
    assert_eq!(told.first("leak"), None);
    assert!(!told.lines.iter().any(|it| it.warns()), "nobody is alarmed");
}
