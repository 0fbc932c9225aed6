//! What it costs to read.

use std::{fmt::Debug, hint::black_box, process::id, time::Duration};

use super::{
    super::{parity::Cat, testing::real},
    Area, MIB,
};
use crate::model::{
    memory::{PAGE, Range},
    observed::UsageDetail,
};

/// CPU time of this thread, which does not count that others run meanwhile.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32)
}

/// What one reading takes, in the cheapest of some rounds.
fn cost<T: Debug>(what: &str, rounds: u32, mut reading: impl FnMut() -> T) {
    let mut round = || {
        let start = cpu();
        for _ in 0..rounds {
            black_box(reading());
        }
        cpu().saturating_sub(start) / rounds
    };
    let cheapest = (0..7).map(|_| round()).min().unwrap();
    println!(
        "{what:<44} {:>12.2} us",
        cheapest.as_nanos() as f64 / 1000.0
    );
}

#[test]
#[ignore = "prints what readings cost; meant for a release build"]
fn costs() {
    let cat = Cat::start();
    let (procfs, tgid) = (real(), cat.0.id());
    let process = procfs.identity(tgid).unwrap();
    let threads = UsageDetail {
        threads: true,
        ..UsageDetail::LEAST
    };
    let apart = UsageDetail {
        apart: true,
        ..UsageDetail::LEAST
    };
    cost("usage, least (statm)", 2000, || {
        procfs.usage(tgid, UsageDetail::LEAST)
    });
    cost("usage, threads (statm, stat)", 2000, || {
        procfs.usage(tgid, threads)
    });
    cost("usage, apart (status)", 2000, || procfs.usage(tgid, apart));
    cost("usage, all (status, timers)", 2000, || {
        procfs.usage(tgid, UsageDetail::ALL)
    });
    cost("usage, least, of a kernel thread", 2000, || {
        procfs.usage(2, UsageDetail::LEAST)
    });
    cost("timers", 2000, || procfs.timers(tgid));
    cost("is_zombie", 2000, || procfs.is_zombie(process));
    cost("limits", 2000, || procfs.limits(tgid));
    cost("swaps (meminfo)", 1000, || procfs.swaps());
    cost("memory_ceilings", 200, || procfs.memory_ceilings(tgid));
    cost("thread_ceilings", 200, || procfs.thread_ceilings(tgid));
    cost("segments", 1000, || procfs.segments());
    cost("map_count", 500, || procfs.map_count(tgid));
    cost("mapped_ranges", 500, || procfs.mapped_ranges(tgid));
    cost("residency, small", 500, || {
        procfs.residency(tgid, &[Range::ALL])
    });
    let area = Area::reserve(20_000 * PAGE as usize);
    for page in (0..20_000).step_by(2) {
        area.open(page * PAGE as usize, PAGE as usize);
    }
    let ranges: Vec<_> = (0..10_000).map(|n| area.range(n * 8192, 8192)).collect();
    cost("map_count, 20 000 mappings", 5, || procfs.map_count(id()));
    cost("residency, 10 000 ranges, 20 000 mappings", 3, || {
        procfs.residency(id(), &ranges).unwrap().len()
    });
    let sites: Vec<&[Range]> = ranges.chunks(100).collect();
    cost("residency, the same as 100 sites, at once", 3, || {
        procfs.residency_of(id(), &sites).unwrap().len()
    });
    cost("residency, the same, one by one", 1, || {
        let each = sites.iter().map(|site| procfs.residency(id(), site));
        each.map(|found| found.unwrap().len()).sum::<usize>()
    });
    let large = Area::reserve(1024 * MIB);
    large.open(0, 1024 * MIB);
    large.touch(0, 100 * MIB);
    let half = [large.range(0, 512 * MIB)];
    cost("residency, 512 MiB by pages", 3, || {
        real().residency(id(), &half).unwrap()[0].estimated
    });
    cost("usage, least, 20 000 mappings", 1000, || {
        procfs.usage(id(), UsageDetail::LEAST)
    });
}
