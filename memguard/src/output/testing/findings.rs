//! Example findings.

use std::{sync::Arc, time::Duration};

use super::subjects::{SECOND, process, unknown_process};
use crate::model::{
    finding::{
        Doubt, Evidence, Finding, Growth, Handle, LifetimeStats, Limit, Moment, Sample, Severity,
        Shape, Site, State, TouchSite, Touched, Trend, Verdict,
    },
    ids::Stamp,
    memory::Range,
    origin::{BuildId, Incomplete, Module, NamedFrame, NamedStack, Origin, StackId},
    resource::{Call, Kind},
    series_summary::{STEPS, SeriesSummary},
};

pub(super) fn sample(fd: u32) -> Sample {
    Sample {
        handle: Handle::Descriptor(fd),
        acquired_at: Some(Stamp(400 * SECOND + u64::from(fd))),
        age: Some(Duration::from_millis(66_200)),
        call: Some(Call::Socket),
        target: Some("tcp 10.0.0.4:41522 -> 10.0.0.9:5432 CLOSE_WAIT".to_owned()),
    }
}

pub(super) fn limit() -> Limit {
    let exhausted_in = Some(Duration::from_secs(253));
    Limit {
        name: "RLIMIT_NOFILE",
        value: 1024,
        used: 240,
        exhausted_in,
        uncertainty: None,
    }
}

/// The newest 32, two seconds apart.
fn history(counts: impl Iterator<Item = u64>) -> SeriesSummary {
    let counts: Vec<u64> = counts.collect();
    SeriesSummary {
        from: Stamp(438 * SECOND),
        interval: Duration::from_secs(2),
        counts: counts[counts.len().saturating_sub(STEPS)..].to_vec(),
    }
}

pub(super) fn doubt() -> Evidence {
    let written = "12 acquisitions of this process were lost".to_owned();
    Evidence {
        events_lost: 12,
        reasons: vec![Doubt::Written(written)],
    }
}

/// A leak.
pub(in crate::output) fn finding() -> Finding {
    Finding {
        id: 0x1f,
        fingerprint: 0x3d0a,
        state: State::Opened,
        verdict: Verdict::Leak,
        moment: Moment::Running,
        resolution: None,
        severity: Severity::Error,
        alert: true,
        process: process(),
        kind: Kind::Tcp,
        calls: vec![Call::Socket],
        origin: Some(origin()),
        confidence: 0.97,
        verified: true,
        first_seen: Stamp(430 * SECOND),
        last_seen: Stamp(500 * SECOND),
        open_count: 214,
        open_bytes: None,
        resident_bytes: None,
        acquired_count: 220,
        released_count: 6,
        late_count: 214,
        without_stack: 0,
        hoarded: 0,
        lives: Some(lives()),
        oldest_age: Some(Duration::from_millis(66_200)),
        growth: Some(Growth {
            slope_per_second: 3.1,
            window: Duration::from_secs(70),
            trend: None,
        }),
        history: Some(history((0..36).map(|step| step * step / 6 + 5))),
        in_step: None,
        limit: Some(limit()),
        samples: [37, 38, 139, 140].map(sample).into(),
        sites: Vec::new(),
        touched: None,
        cgroup: None,
        suggestion: Some("close the socket on the error path too".to_owned()),
        evidence: Evidence::default(),
    }
}

/// Of the six that were released.
fn lives() -> LifetimeStats {
    let [min, median, p99] = [1_800, 2_500, 7_000].map(Duration::from_millis);
    LifetimeStats {
        count: 6,
        min,
        median,
        p99,
        outlived: 0,
    }
}

/// The stack of that leak, of which the first part was copied.
fn origin() -> Origin {
    let module = |path: &str| Module {
        path: path.into(),
        build_id: BuildId::new(&[0x9f, 0x3c, 0x11]),
    };
    let frame = |ip: u64, path: &str, function: Option<&str>| NamedFrame {
        ip: 0x7f31_0000_0000 + ip,
        module: Some(Arc::new(module(path))),
        offset: ip,
        function: function.map(Into::into),
        file: None,
        line: None,
        inlined: false,
        application: path == "/usr/bin/api",
    };
    let leaking = NamedFrame {
        file: Some("/src/pool.c".into()),
        line: Some(88),
        ..frame(0x14e10, "/usr/bin/api", Some("connect_upstream"))
    };
    let stack = NamedStack {
        id: StackId(0x2a),
        frames: vec![
            frame(0x10_7a2b, "/lib/libc.so.6", Some("socket")),
            leaking,
            frame(0x15002, "/usr/bin/api", None),
        ],
        incomplete: Some(Incomplete::WindowEnded),
        interpreter: None,
    };
    Origin {
        stack: Arc::new(stack),
        place: Some("connect_upstream (pool.c:88)".to_owned()),
        topic: None,
    }
}

/// A finding of a process that is hardly known.
pub(super) fn bare_finding() -> Finding {
    let untold = Sample {
        handle: Handle::Descriptor(3),
        acquired_at: None,
        age: None,
        call: None,
        target: None,
    };
    Finding {
        id: 0x20,
        state: State::Updated,
        verdict: Verdict::Left,
        moment: Moment::Exit,
        severity: Severity::Info,
        process: unknown_process(),
        kind: Kind::File,
        calls: vec![Call::Openat, Call::Open],
        origin: None,
        confidence: f64::NAN,
        verified: false,
        oldest_age: None,
        growth: None,
        history: None,
        limit: None,
        samples: vec![untold],
        suggestion: None,
        evidence: doubt(),
        ..finding()
    }
}

/// A process that grows.
pub(in crate::output) fn growth() -> Finding {
    let trend = Trend {
        low: 2.9e6,
        high: 3.4e6,
        p_value: 0.0004,
        shape: Shape::Linear,
        samples: 20,
        baseline: 12 << 20,
        first_ramp: 8 << 20,
        critical: true,
    };
    let site = |place: Option<&str>, kind, mib: u64, count| Site {
        place: place.map(str::to_owned),
        kind,
        bytes: mib << 20,
        count,
    };
    let touch = |place: Option<&str>, samples: u64| TouchSite {
        place: place.map(str::to_owned),
        bytes: samples << 18,
        samples,
    };
    Finding {
        id: 0x21,
        verdict: Verdict::Growth,
        severity: Severity::Error,
        kind: Kind::HeapAnon,
        calls: Vec::new(),
        open_count: 41,
        open_bytes: Some(77 << 20),
        resident_bytes: Some(77 << 20),
        acquired_count: 0,
        released_count: 0,
        oldest_age: None,
        growth: Some(Growth {
            slope_per_second: 3.2e6,
            window: Duration::from_secs(20),
            trend: Some(trend),
        }),
        history: Some(history((5..16).map(|step| (step * 5 + 2) << 20))),
        limit: Some(Limit {
            name: "memory.max",
            value: 256 << 20,
            used: 80 << 20,
            exhausted_in: Some(Duration::from_secs(57)),
            uncertainty: Some((Duration::from_secs(54), Some(Duration::from_secs(63)))),
        }),
        samples: Vec::new(),
        sites: vec![
            site(Some("remember (cache.c:12)"), Kind::Brk, 61, 40),
            site(None, Kind::Anon, 1, 1),
        ],
        touched: Some(Touched {
            period: 64,
            lost: 3,
            sites: vec![touch(Some("fill (cache.c:31)"), 240), touch(None, 6)],
        }),
        suggestion: Some("see which malloc call it is with a heap profiler".to_owned()),
        ..finding()
    }
}

pub(super) const RANGE: Range = Range {
    start: 0x7f31_0000_0000,
    end: 0x7f31_0010_0000,
};

/// Mappings that nobody unmaps.
pub(super) fn mappings() -> Finding {
    let sample = Sample {
        handle: Handle::Memory(RANGE),
        call: Some(Call::Mmap),
        target: None,
        ..sample(0)
    };
    Finding {
        id: 0x22,
        kind: Kind::Anon,
        calls: vec![Call::Mmap],
        open_count: 40,
        open_bytes: Some(40 << 20),
        resident_bytes: Some(30 << 20),
        limit: None,
        samples: vec![sample],
        suggestion: None,
        ..finding()
    }
}
