//! From a line to a finding.

use std::sync::Arc;

use super::{lines::shown, model::seconds};
use crate::{
    findings::scoring,
    model::{
        finding::{
            Finding, Growth, Handle, InStep, LifetimeStats, Limit, Moment, Resolution, Sample,
            Severity, Shape, Site, State, TouchSite, Touched, Trend, Verdict,
        },
        ids::Stamp,
        memory::Range,
        origin::{Incomplete, Module, NamedFrame, NamedStack, Origin, StackId},
        process::ProcessInfo,
        resource::{Call, Kind},
        series_summary::{STEPS, SeriesSummary},
    },
    origin::application,
    output::wire,
};

/// Names of limits that there may be; another one is a limit without a name.
const LIMITS: [&str; 14] = [
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
    "kernel.pid_max",
    "CommitLimit",
    "fs.inotify.max_user_watches",
];

pub(super) fn finding(
    changed: wire::FindingChanged,
    state: State,
    process: Arc<ProcessInfo>,
) -> Result<Finding, String> {
    let it = changed.finding;
    let unknown = |what, name: &str| format!("has an unknown {what}: {:?}", shown(name));
    let verdict = Verdict::named(&it.verdict).ok_or_else(|| unknown("verdict", &it.verdict))?;
    let kind = Kind::named(&it.resource, &it.kind);
    let kind = kind.ok_or_else(|| unknown("resource", &it.resource))?;
    let finding = Finding {
        id: number("finding id", &it.id, "f-")?,
        fingerprint: number("fingerprint", &it.fingerprint, "fp1:")?,
        state,
        verdict,
        moment: moment(&it.judged, verdict),
        resolution: it.resolution.as_deref().and_then(resolution),
        severity: Severity::Info,
        alert: it.alert,
        process,
        kind,
        calls: it.calls.iter().map(|name| call(name)).collect(),
        origin: changed.stack.map(origin),
        confidence: it.confidence.unwrap_or(f64::NAN),
        verified: it.verified,
        first_seen: Stamp(0),
        last_seen: Stamp(0),
        open_count: it.open_count,
        open_bytes: it.open_bytes,
        resident_bytes: it.resident_bytes,
        acquired_count: it.acquired_count,
        released_count: it.released_count,
        late_count: it.late_count,
        without_stack: it.without_stack_count.unwrap_or(0),
        hoarded: it.hoarded_count,
        lives: it.lives.map(|it| lives(&it)),
        oldest_age: seconds(it.oldest_age_seconds),
        growth: it.growth.map(|it| growth(&it)),
        history: it.history.and_then(history),
        in_step: it.in_step.map(|it| in_step(&it)),
        limit: it.limit.map(|it| limit(&it)),
        samples: it.samples.into_iter().map(sample).collect(),
        sites: it.sites.into_iter().map(|it| site(it, kind)).collect(),
        touched: it.touched.map(touched),
        cgroup: it.cgroup.map(Into::into),
        suggestion: it.suggestion.map(Into::into),
        evidence: super::model::evidence(changed.evidence),
    };
    Ok(Finding {
        severity: scoring::severity(&finding),
        ..finding
    })
}

/// A hexadecimal number behind some letters.
fn number(name: &str, text: &str, head: &str) -> Result<u64, String> {
    let digits = text.strip_prefix(head);
    let number = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    number.ok_or_else(|| format!("has an invalid {name}: {:?}", shown(text)))
}

/// Files of before it was written say it by the verdict.
fn moment(name: &str, verdict: Verdict) -> Moment {
    let named = Moment::ALL.into_iter().find(|it| it.name() == name);
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

fn lives(lives: &wire::Lives) -> LifetimeStats {
    let life = |time: f64| seconds(Some(time)).unwrap_or_default();
    LifetimeStats {
        count: lives.count,
        min: life(lives.min_seconds),
        median: life(lives.median_seconds),
        p99: life(lives.p99_seconds),
        outlived: lives.outlived_count,
    }
}

fn growth(growth: &wire::Growth) -> Growth {
    let shape = growth.shape.as_deref().and_then(Shape::named);
    let baseline = growth.baseline;
    let trend = baseline
        .zip(growth.p_value)
        .map(|(baseline, p_value)| Trend {
            low: growth.slope_low.unwrap_or_default(),
            high: growth.slope_high.unwrap_or_default(),
            p_value,
            shape: shape.unwrap_or(Shape::Linear),
            samples: growth.samples.unwrap_or_default() as usize,
            baseline,
            first_ramp: growth.first_ramp.unwrap_or_default(),
            critical: growth.critical.unwrap_or_default(),
        });
    Growth {
        slope_per_second: growth.slope_per_second.unwrap_or_default(),
        window: seconds(Some(growth.window_seconds)).unwrap_or_default(),
        trend,
    }
}

/// A file may have any number of counts; a line has room for the newest.
fn history(history: wire::History) -> Option<SeriesSummary> {
    let mut counts = history.counts;
    counts.drain(..counts.len().saturating_sub(STEPS));
    let interval = seconds(Some(history.interval_seconds))?;
    (!counts.is_empty() && !interval.is_zero()).then_some(SeriesSummary {
        from: Stamp(0),
        interval,
        counts,
    })
}

fn in_step(in_step: &wire::InStep) -> InStep {
    InStep {
        bytes: in_step.bytes,
        bytes_per_handle: in_step.bytes_per_handle,
    }
}

fn limit(limit: &wire::Limit) -> Limit {
    let earliest = seconds(limit.earliest_seconds);
    Limit {
        name: known(&limit.name, &LIMITS).unwrap_or("a limit of"),
        value: limit.value,
        used: limit.used,
        exhausted_in: seconds(limit.exhausted_in_seconds),
        uncertainty: earliest.map(|earliest| (earliest, seconds(limit.latest_seconds))),
    }
}

fn sample(sample: wire::Sample) -> Sample {
    let start = sample.address.as_deref().and_then(hexadecimal);
    let handle = match (sample.fd, start) {
        (Some(fd), _) => Handle::Descriptor(fd),
        (None, Some(start)) => Handle::Memory(Range {
            start,
            end: start.saturating_add(sample.bytes.unwrap_or_default()),
        }),
        (None, None) => Handle::Id(sample.id.unwrap_or_default()),
    };
    Sample {
        handle,
        acquired_at: None,
        age: seconds(sample.age_seconds),
        call: sample.call.as_deref().map(call),
        target: sample.target.map(Into::into),
    }
}

/// A site's kind is of a mapping, or `brk`; of an exhaustion anything.
fn site(site: wire::Site, of: Kind) -> Site {
    let families = ["mmap", "heap", "fd", "socket", "thread"];
    let kind = families.iter().find_map(|resource| {
        let all = Kind::ALL.iter();
        let mut same = all.filter(|kind| kind.resource().name() == *resource);
        same.find(|kind| kind.name() == site.kind)
    });
    Site {
        place: site.place.map(Into::into),
        kind: kind.copied().unwrap_or(of),
        bytes: site.bytes,
        count: site.count,
    }
}

fn touched(touched: wire::Touched) -> Touched {
    let site = |site: wire::TouchSite| TouchSite {
        place: site.place.map(Into::into),
        bytes: site.bytes,
        samples: site.samples,
    };
    Touched {
        period: touched.period,
        lost: touched.lost,
        sites: touched.sites.into_iter().map(site).collect(),
    }
}

/// The place is not in the file: it follows from the frames.
fn origin(stack: wire::Stack) -> Origin {
    let why = stack
        .reason
        .map_or_else(|| "for an unknown reason".to_owned(), String::from);
    let id = stack.id.strip_prefix("s-");
    let id = id.and_then(|id| u32::from_str_radix(id, 16).ok());
    let named = NamedStack {
        id: StackId(id.unwrap_or_default()),
        incomplete: (!stack.complete).then(|| Incomplete::Unreadable(why.into())),
        frames: stack.frames.into_iter().map(frame).collect(),
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
    let text = |text: wire::Text| String::from(text);
    NamedFrame {
        ip: hexadecimal(&frame.ip).unwrap_or_default(),
        module: frame.module.map(|path| {
            Arc::new(Module {
                path: text(path).into(),
                build_id: None,
            })
        }),
        offset: hexadecimal(&frame.offset).unwrap_or_default(),
        function: frame.function.map(|it| text(it).into()),
        file: frame.file.map(|it| text(it).into()),
        line: frame.line,
        inlined: frame.inlined,
        application: frame.application,
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
