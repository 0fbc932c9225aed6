//! From a line to a finding.

use std::sync::Arc;

use super::{lines::shown, model::seconds, wire};
use crate::{
    findings::weight,
    model::{
        course::{Course, STEPS},
        finding::{
            Finding, Growth, Handle, Limit, Lives, Moment, Resolution, Sample, Severity, Site,
            State, TouchSite, Touched, Trend, Verdict,
        },
        ids::Stamp,
        memory::Range,
        origin::{Incomplete, Module, NamedFrame, NamedStack, Origin, StackId},
        process::ProcessInfo,
        resource::{Call, Kind},
    },
    origin::application,
};

/// Names of limits that there may be; another one is a limit without a name.
const LIMITS: [&str; 11] = [
    "RLIMIT_NOFILE",
    "RLIMIT_AS",
    "RLIMIT_DATA",
    "RLIMIT_NPROC",
    "RLIMIT_SIGPENDING",
    "MemTotal",
    "memory.max",
    "memory.limit_in_bytes",
    "pids.max",
    "vm.max_map_count",
    "kernel.threads-max",
];
/// Shapes of growth.
const SHAPES: [&str; 3] = ["linear", "exponential", "stepwise"];

pub(super) fn finding(
    changed: wire::FindingChanged,
    state: State,
    process: Arc<ProcessInfo>,
) -> Result<Finding, String> {
    let wire::FindingChanged {
        finding: it,
        stack,
        evidence,
    } = changed;
    let unknown = |what, name: &str| format!("has the {what} {:?}, not known here", shown(name));
    let verdict = Verdict::named(&it.verdict).ok_or_else(|| unknown("verdict", &it.verdict))?;
    let kind = Kind::named(&it.resource, &it.kind);
    let kind = kind.ok_or_else(|| unknown("resource", &it.resource))?;
    let hex = |text: &str, head| u64::from_str_radix(text.strip_prefix(head)?, 16).ok();
    let number = |name, text: &str, head| {
        hex(text, head).ok_or_else(|| format!("has no {name}: {:?}", shown(text)))
    };
    let finding = Finding {
        id: number("finding id", &it.id, "f-")?,
        fingerprint: number("fingerprint", &it.fingerprint, "fp1:")?,
        state,
        verdict,
        moment: moment(it.judged.as_deref(), verdict),
        resolution: it.resolution.as_deref().and_then(resolution),
        severity: Severity::Info,
        alert: it.alert.unwrap_or_default(),
        process,
        kind,
        calls: it.calls.iter().flatten().map(|name| call(name)).collect(),
        origin: stack.map(origin),
        confidence: it.confidence.unwrap_or(f64::NAN),
        verified: it.verified.unwrap_or_default(),
        first_seen: Stamp(0),
        last_seen: Stamp(0),
        open_count: it.open_count.unwrap_or_default(),
        open_bytes: it.open_bytes,
        resident_bytes: it.resident_bytes,
        acquired_count: it.acquired_count.unwrap_or_default(),
        released_count: it.released_count.unwrap_or_default(),
        late_count: it.late_count.unwrap_or_default(),
        lives: it.lives.map(lives),
        oldest_age: seconds(it.oldest_age_seconds),
        growth: it.growth.map(growth),
        history: it.history.and_then(history),
        limit: it.limit.map(limit),
        samples: it.samples.into_iter().flatten().map(sample).collect(),
        sites: it
            .sites
            .into_iter()
            .flatten()
            .map(|it| site(it, kind))
            .collect(),
        touched: it.touched.map(touched),
        cgroup: it.cgroup,
        suggestion: it.suggestion,
        evidence: super::model::evidence(evidence),
    };
    Ok(Finding {
        severity: weight::severity(&finding),
        ..finding
    })
}

/// Files of before it was written say it by the verdict.
fn moment(name: Option<&str>, verdict: Verdict) -> Moment {
    let named = Moment::ALL.into_iter().find(|it| Some(it.name()) == name);
    let at_exit = matches!(verdict, Verdict::Left | Verdict::Inherited);
    named.unwrap_or(if at_exit {
        Moment::Exit
    } else {
        Moment::Running
    })
}

fn resolution(name: &str) -> Option<Resolution> {
    Resolution::ALL.into_iter().find(|it| it.name() == name)
}

fn lives(lives: wire::Lives) -> Lives {
    let life = |time: Option<f64>| seconds(time).unwrap_or_default();
    Lives {
        count: lives.count.unwrap_or_default(),
        min: life(lives.min_seconds),
        median: life(lives.median_seconds),
        p99: life(lives.p99_seconds),
        outlived: lives.outlived_count.unwrap_or_default(),
    }
}

fn growth(growth: wire::Growth) -> Growth {
    let shape = growth.shape.as_deref().and_then(|it| known(it, &SHAPES));
    let baseline = growth.baseline;
    let trend = baseline
        .zip(growth.p_value)
        .map(|(baseline, p_value)| Trend {
            low: growth.slope_low.unwrap_or_default(),
            high: growth.slope_high.unwrap_or_default(),
            p_value,
            shape: shape.unwrap_or(SHAPES[0]),
            samples: growth.samples.unwrap_or_default() as usize,
            baseline,
            critical: growth.critical.unwrap_or_default(),
        });
    Growth {
        slope_per_second: growth.slope_per_second.unwrap_or_default(),
        window: seconds(growth.window_seconds).unwrap_or_default(),
        trend,
    }
}

/// A file may have any number of counts; a line has room for the newest.
fn history(history: wire::History) -> Option<Course> {
    let mut counts = history.counts?;
    counts.drain(..counts.len().saturating_sub(STEPS));
    Some(Course {
        from: Stamp(0),
        interval: seconds(history.interval_seconds)?,
        counts,
    })
}

fn limit(limit: wire::Limit) -> Limit {
    let earliest = seconds(limit.earliest_seconds);
    Limit {
        name: known(&limit.name, &LIMITS).unwrap_or("a limit of"),
        value: limit.value,
        used: limit.used.unwrap_or_default(),
        exhausted_in: seconds(limit.exhausted_in_seconds),
        uncertainty: earliest.map(|earliest| (earliest, seconds(limit.latest_seconds))),
    }
}

fn sample(sample: wire::Sample) -> Sample {
    let wire::Sample {
        fd,
        address,
        bytes,
        id,
        age_seconds,
        call: name,
        target,
    } = sample;
    let start = address.as_deref().and_then(hexadecimal);
    let handle = match (fd, start) {
        (Some(fd), _) => Handle::Descriptor(fd),
        (None, Some(start)) => Handle::Memory(Range {
            start,
            end: start.saturating_add(bytes.unwrap_or_default()),
        }),
        (None, None) => Handle::Id(id.unwrap_or_default()),
    };
    Sample {
        handle,
        acquired_at: None,
        age: seconds(age_seconds),
        call: name.as_deref().map(call),
        target,
    }
}

/// A site's kind is of a mapping, or `brk`.
fn site(site: wire::Site, of: Kind) -> Site {
    let kind = ["mmap", "heap"].iter().find_map(|resource| {
        let all = Kind::ALL.iter();
        let mut same = all.filter(|kind| kind.resource().name() == *resource);
        same.find(|kind| kind.name() == site.kind)
    });
    Site {
        place: site.place,
        kind: kind.copied().unwrap_or(of),
        bytes: site.bytes.unwrap_or_default(),
        count: site.count.unwrap_or_default(),
    }
}

fn touched(touched: wire::Touched) -> Touched {
    let site = |site: wire::TouchSite| TouchSite {
        place: site.place,
        bytes: site.bytes.unwrap_or_default(),
        samples: site.samples.unwrap_or_default(),
    };
    Touched {
        period: touched.period.unwrap_or_default(),
        lost: touched.lost.unwrap_or_default(),
        sites: touched.sites.into_iter().flatten().map(site).collect(),
    }
}

/// The place is not in the file: it follows from the frames.
fn origin(stack: wire::Stack) -> Origin {
    let why = || stack.reason.as_deref().unwrap_or("not known why");
    let incomplete = || Incomplete::Unreadable(why().into());
    let id = stack.id.as_deref().and_then(|id| id.strip_prefix("s-"));
    let named = NamedStack {
        id: StackId(
            id.and_then(|id| u32::from_str_radix(id, 16).ok())
                .unwrap_or_default(),
        ),
        incomplete: (stack.complete == Some(false)).then(incomplete),
        frames: stack.frames.into_iter().flatten().map(frame).collect(),
        interpreter: None,
    };
    let place = named.application_frame().map(application::brief);
    let place = place.map(|place| match &stack.interpreter {
        Some(interpreter) => format!("{place} in {interpreter}"),
        None => place,
    });
    Origin {
        stack: Arc::new(named),
        place,
        topic: None,
    }
}

fn frame(frame: wire::Frame) -> NamedFrame {
    let number = |text: Option<String>| text.as_deref().and_then(hexadecimal).unwrap_or_default();
    NamedFrame {
        ip: number(frame.ip),
        module: frame.module.map(|path| {
            Arc::new(Module {
                path: path.into(),
                build_id: None,
            })
        }),
        offset: number(frame.offset),
        function: frame.function.map(Into::into),
        file: frame.file.map(Into::into),
        line: frame.line,
        inlined: frame.inlined.unwrap_or_default(),
        application: frame.application.unwrap_or_default(),
    }
}

/// Calls have numbers of our own, none above 255.
fn call(name: &str) -> Call {
    let calls = (0..=255).filter_map(|number| Call::try_from(number).ok());
    let mut named = calls.filter(|call| call.name() == name);
    named.next().unwrap_or(Call::Unknown)
}

fn known(name: &str, names: &[&'static str]) -> Option<&'static str> {
    names.iter().find(|known| **known == name).copied()
}

fn hexadecimal(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}
