//! Are the verdicts right, and soon? More than ninety workloads, about half of them leaking, side
//! by side under one `memguard watch`: no false alarm, and at most one miss. The long look, and one
//! at default options at more than a hundred and forty, are written down in `docs/accuracy.md`,
//! which has to be of the detectors that are there.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use memguard_tests::{
    Lines, Memguard, Running,
    accuracy::{
        Outcome, Report, RunningWorkload, Times, WorkloadPool, default_table, digest,
        figures::figures,
        page::{Page, Run, digest_of},
        table,
        times::{DEFAULT, LONG, SHORT},
        workloads::{self, is_complete},
    },
    lines::text,
    machine,
};
use rustix::process::Signal;

/// Leaks that may be missed.
const MISSES: usize = 1;
/// Of each kind.
const ENOUGH: usize = 32;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn page() -> PathBuf {
    root().join("docs/accuracy.md")
}

/// Half a minute.
#[test]
fn verdicts_are_right() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let look = observe(&SHORT);
    look.assert_true();
    assert_right(&look.report);
}

/// Five minutes with a minimum age and five at default options, written down.
#[test]
#[ignore = "takes twelve minutes and writes docs/accuracy.md; cargo xtask accuracy runs it"]
fn a_long_look_is_written_down() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    assert!(is_complete(), "a table is of all workloads");
    let (by_age, by_default) = both_looks();
    let page_of_both = Page {
        when: by_age.when.clone(),
        untrue: [by_age.untrue.clone(), by_default.untrue.clone()].concat(),
        digest: digest::of_detectors(root()),
        by_default: by_default.run(),
        by_age: by_age.run(),
    };
    page_of_both.write(&page());
    let failing = page_of_both.figures();
    let failing: Vec<_> = failing.iter().filter(|figure| !figure.passes).collect();
    assert!(failing.is_empty(), "{failing:#?}");
    assert_right(&page_of_both.by_age.report);
    assert_right(&page_of_both.by_default.report);
}

/// At default options only, to look at what is not as required: nothing is written.
#[test]
#[ignore = "takes eight minutes, and the long look does the same"]
fn verdicts_are_right_at_default_options() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let look = observe(&DEFAULT);
    look.assert_true();
    assert_right(&look.report);
}

/// One after the other; but those workloads that have to be old when the second memguard comes
/// begin while the first one still looks at others.
fn both_looks() -> (Look, Look) {
    let oldest = workloads::all().iter().map(|it| it.age_seconds).max();
    let oldest = Duration::from_secs(oldest.unwrap_or(0));
    thread::scope(|scope| {
        let later = scope.spawn(|| {
            let look = LONG.span + LONG.settled;
            thread::sleep(look.saturating_sub(oldest));
            observe(&DEFAULT)
        });
        let by_age = observe(&LONG);
        let by_default = later.join();
        let by_default = by_default.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (by_age, by_default)
    })
}

/// A table of other detectors says nothing of these.
#[test]
fn the_table_is_of_these_detectors() {
    let page = fs::read_to_string(page()).unwrap_or_default();
    let advice = "docs/accuracy.md is of other detectors: run `cargo xtask accuracy`";
    let (written, current) = (digest_of(&page), digest::of_detectors(root()));
    println!("written of {written:?}, now {current}");
    assert_eq!(written, Some(current.as_str()), "{advice}");
}

/// The workloads are what they are called, without memguard.
#[test]
#[ignore = "takes half a minute, and the same is looked at under memguard"]
fn workloads_do_what_they_say() {
    let mut pool = WorkloadPool::start(&SHORT);
    pool.carry_out(&SHORT);
    let untrue = untrue(&pool);
    assert!(untrue.is_empty(), "{}", untrue.join("\n"));
}

/// A run that is over, and its workloads with it: another one may be under way.
struct Look {
    times: Times,
    /// When memguard began, RFC 3339.
    when: String,
    report: Report,
    /// Workloads that are not what they are called.
    untrue: Vec<String>,
}

impl Look {
    #[track_caller]
    fn assert_true(&self) {
        assert!(self.untrue.is_empty(), "{}", self.untrue.join("\n"));
    }

    fn run(self) -> Run {
        Run {
            times: self.times,
            report: self.report,
        }
    }
}

fn observe(times: &Times) -> Look {
    let started = Instant::now();
    let mut pool = WorkloadPool::start(times);
    println!("started after {:?}", started.elapsed());
    pool.grow_old(times);
    let watch = watch(&pool.pids(), &times.started_before(started.elapsed()));
    println!("attached after {:?}", started.elapsed());
    pool.carry_out(times);
    watch.signal(Signal::INT);
    let lines = watch.finish_within(Duration::from_secs(20)).lines();
    println!("ended after {:?}", started.elapsed());
    keep(&lines, times);
    let report = Report::of(&pool, &lines, times.span);
    println!("{}", tables(&report, times));
    Look {
        times: *times,
        when: text(&lines.all()[0], "/timestamp").to_owned(),
        report,
        untrue: untrue(&pool),
    }
}

fn tables(report: &Report, times: &Times) -> String {
    if !times.by_default {
        return table::tables(report);
    }
    let claims = report.claims();
    [
        default_table::tables(report),
        default_table::required(&figures(report, &claims)),
        default_table::calibration(&claims),
    ]
    .join("\n")
}

fn watch(pids: &str, times: &Times) -> Running {
    let options = times.options();
    let options = options.iter().map(String::as_str);
    let options: Vec<&str> = ["-p", pids, "-d", "1h"]
        .into_iter()
        .chain(options)
        .collect();
    let mut watch = Memguard::watch(&options).start();
    watch.wait_for(Duration::from_secs(20), "attached", |lines| {
        !lines.events("memguard.agent.started").is_empty()
    });
    watch
}

/// For who has to find out why a verdict is wrong: all lines, where the environment says so; those
/// at default options in a file beside it.
fn keep(lines: &Lines, times: &Times) {
    if let Some(path) = std::env::var_os("MEMGUARD_KEEP_LINES") {
        let mut path = PathBuf::from(path);
        if times.by_default {
            path.set_extension("default.jsonl");
        }
        let all: Vec<_> = lines.all().iter().map(ToString::to_string).collect();
        fs::write(path, all.join("\n")).unwrap();
    }
}

/// Each leaking workload really holds more and more, and each healthy one does not; else why.
#[track_caller]
fn untrue(pool: &WorkloadPool) -> Vec<String> {
    let running = pool.running.iter();
    let (leaking, healthy): (Vec<_>, Vec<_>) = running.partition(|it| it.workload.leaks);
    println!("{} leaking, {} healthy", leaking.len(), healthy.len());
    let enough = leaking.len() >= ENOUGH && healthy.len() >= ENOUGH;
    assert!(enough || !is_complete(), "not enough to judge by");
    let least = pool.running.iter().map(RunningWorkload::samples).min();
    assert!(least >= Some(10), "hardly a look: {least:?}");
    let running = pool.running.iter();
    running.flat_map(RunningWorkload::untrue).collect()
}

#[track_caller]
fn assert_right(report: &Report) {
    let alarms = report.rows.iter().flat_map(|row| {
        let named = |alarm: &String| format!("{}: {alarm}", row.workload.name);
        row.false_alarms.iter().map(named)
    });
    let alarms: Vec<_> = alarms.collect();
    let missed = report.with(Outcome::Miss);
    let missed: Vec<_> = missed.iter().map(|row| row.workload.name).collect();
    println!("{} false alarms, missed: {missed:?}", alarms.len());
    assert!(alarms.is_empty(), "{}", alarms.join("\n"));
    assert!(missed.len() <= MISSES, "missed: {missed:?}");
}
