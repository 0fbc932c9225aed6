//! The catalogue: every workload, whether it leaks, and what it is there to show. What exactly it
//! loses it says itself.

use std::env;

use super::{
    by_age::{
        CONNECTIONS, DESCRIPTORS, FILES, LOST_MEMORY, MEMORY, Named, POOLS, SCRIPTS, SERVERS,
        SHAPES, TASKS,
    },
    by_seconds::{self, Aged},
};

/// Names of workloads, with commas between: only these, to look at one of them.
const CHOICE: &str = "MEMGUARD_WORKLOADS";

/// Those that have to begin under memguard's eyes, or say something only then.
const FRESH: [&str; 11] = [
    "pool_resized",
    "pool_resized_refreshed",
    "cache_fills",
    "cache_fills_late",
    "mapped_files_fill",
    "arenas_stay",
    "table_loaded",
    "forked_child",
    "after_exec",
    "begins_late",
    "inotifies",
];

/// Of those in seconds that leak: at these places nothing is given back within milliseconds.
const NOT_YOUNG: [&str; 6] = [
    "some_among_slow",
    "nothing_else",
    "limit_1024",
    "limit_256",
    "full_1024",
    "fast_files",
];

/// How a workload measures its paces and lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// As multiples of the minimum age.
    Ages,
    /// In seconds: it is looked at by memguard's default options only.
    Seconds,
}

/// One program that works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Source in `tests/programs`, with its ending, or `server` for a real one.
    pub program: &'static str,
    /// The workload's name on its command line, or the server's.
    pub name: &'static str,
    /// Whether memguard is to find something.
    pub leaks: bool,
    /// What it shows.
    pub shows: &'static str,
    /// Its measure.
    pub scale: Scale,
    /// For how many seconds it has worked when memguard comes with default options.
    pub age_seconds: u64,
    /// The place that leaks gives most back, each within milliseconds.
    pub is_young: bool,
}

impl Workload {
    fn by_age(program: &'static str, leaks: bool, at: usize, named: &Named) -> Self {
        let (name, shows) = *named;
        let age_seconds = match program {
            "server" => 20,
            _ if FRESH.contains(&name) => 0,
            _ => [0, 20, 120].get(at % 3).copied().unwrap_or(0),
        };
        Self {
            program,
            name,
            leaks,
            shows,
            scale: Scale::Ages,
            age_seconds,
            is_young: matches!(name, "one_in_fifty" | "error_path"),
        }
    }

    fn by_seconds(program: &'static str, leaks: bool, aged: &Aged) -> Self {
        let (name, shows, age_seconds) = *aged;
        Self {
            program,
            name,
            leaks,
            shows,
            scale: Scale::Seconds,
            age_seconds,
            is_young: leaks && !NOT_YOUNG.contains(&name),
        }
    }
}

/// Those that the environment names in `MEMGUARD_WORKLOADS`, else all.
pub fn chosen() -> Vec<Workload> {
    let Ok(choice) = env::var(CHOICE) else {
        return all();
    };
    let mut chosen = all();
    chosen.retain(|workload| choice.split(',').any(|name| name == workload.name));
    println!("{CHOICE}: {} of the workloads", chosen.len());
    chosen
}

/// Whether all are at work.
pub fn is_complete() -> bool {
    env::var_os(CHOICE).is_none()
}

/// All of them, the healthy ones first.
pub fn all() -> Vec<Workload> {
    [healthy(), leaking()].concat()
}

fn healthy() -> Vec<Workload> {
    let unwound = [("unwound", "C++: exceptions, closed on every way")];
    let service = [("service", "node: a server, clients, files")];
    [
        by_age("work_pools.c", false, &POOLS),
        by_age("work_files.c", false, &FILES),
        by_age("work_memory.c", false, &MEMORY),
        by_age("work_tasks.c", false, &TASKS),
        by_age("work_exceptions.cc", false, &unwound),
        by_age("work.py", false, &SCRIPTS),
        by_age("work.js", false, &service),
        by_age("server", false, &SERVERS),
        by_seconds("work_collector.c", false, &by_seconds::COLLECTORS),
        by_seconds("work_seconds.c", false, &by_seconds::HEALTHY),
        by_seconds("work.py", false, &by_seconds::SCRIPTS),
        by_seconds("work.js", false, &by_seconds::NODE),
    ]
    .concat()
}

fn leaking() -> Vec<Workload> {
    let thrown = [("thrown", "C++: what an exception jumps over")];
    let in_python = [
        ("files_kept", "Python: open files in a list"),
        ("sockets_kept", "Python: sockets in a list"),
    ];
    let in_node = [("files_kept", "node: descriptors in an array")];
    [
        by_age("forget_descriptors.c", true, &DESCRIPTORS),
        by_age("forget_memory.c", true, &LOST_MEMORY),
        by_age("forget_shapes.c", true, &SHAPES),
        by_age("forget_connections.c", true, &CONNECTIONS),
        by_age("work_exceptions.cc", true, &thrown),
        by_age("work.py", true, &in_python),
        by_age("work.js", true, &in_node),
        by_seconds("forget_some.c", true, &by_seconds::LEAKING),
        by_seconds("work.py", true, &by_seconds::LEAKING_SCRIPTS),
        by_seconds("work.js", true, &by_seconds::LEAKING_NODE),
    ]
    .concat()
}

fn by_age(program: &'static str, leaks: bool, all: &[Named]) -> Vec<Workload> {
    let all = all.iter().enumerate();
    all.map(|(at, named)| Workload::by_age(program, leaks, at, named))
        .collect()
}

fn by_seconds(program: &'static str, leaks: bool, all: &[Aged]) -> Vec<Workload> {
    let all = all.iter();
    all.map(|aged| Workload::by_seconds(program, leaks, aged))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Scale, all};

    /// At least 60 that leak and 80 that do not, more than 32 of each in ages, and none twice.
    #[test]
    fn there_are_enough_of_both() {
        let all = all();
        let count = |leaks: bool, in_ages: bool| {
            let counted = all.iter().filter(|workload| {
                workload.leaks == leaks && (!in_ages || workload.scale == Scale::Ages)
            });
            counted.count()
        };
        println!(
            "{} leaking, {} healthy",
            count(true, false),
            count(false, false)
        );
        assert!(count(true, false) >= 60 && count(false, false) >= 80);
        assert!(count(true, true) >= 32 && count(false, true) >= 32);
        let names = all.iter().map(|workload| (workload.program, workload.name));
        assert_eq!(names.collect::<BTreeSet<_>>().len(), all.len());
    }

    /// Each age is that of leaking and of healthy ones, and no name of the lists of exceptions is
    /// one that nothing has.
    #[test]
    fn ages_and_exceptions_are_of_workloads() {
        let all = all();
        for age in [0, 20, 120] {
            for leaks in [false, true] {
                let there = |it: &super::Workload| it.leaks == leaks && it.age_seconds == age;
                assert!(all.iter().any(there), "{age} {leaks}");
            }
        }
        for name in super::FRESH.iter().chain(&super::NOT_YOUNG) {
            assert!(all.iter().any(|it| it.name == *name), "{name}");
        }
    }
}
