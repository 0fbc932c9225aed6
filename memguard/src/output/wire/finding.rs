//! A finding and what speaks for it.

use std::{borrow::Cow, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::{
    model::finding::{self, Moment, Resolution, State, Verdict},
    output::wire::{
        builder::{Text, Time, WireBuilder},
        parts::{Growth, History, InStep, Limit, Lives, Sample, Site, Touched},
    },
};

/// Handles of one process that share resource and kind, and what is wrong with them.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(!default)]
pub struct Finding {
    /// `f-` and a hexadecimal number, unique in one run of memguard.
    pub id: String,
    /// `fp1:` and 16 hexadecimal digits, the same for the same leak in other runs and on other
    /// hosts.
    pub fingerprint: String,
    /// `open`, or `resolved` when the handles are released or the process is gone.
    #[schemars(extend("enum" = ["open", "resolved"]))]
    pub state: Cow<'static, str>,
    /// What was judged: `aged` (held past the minimum age, no pattern), `leak` (piles up while the
    /// process runs), `growth` (memory of a process that keeps growing), `left` (held by a process
    /// at its exit), `inherited` (came over an exec), `cleared` (a pile that went flat or
    /// away), `suspect` (piles up so far, but a pool, a cache or a collector is not excluded yet),
    /// `exhaustion` (a count heads for its limit, whoever adds to it), `hoard` (many of the same
    /// that were held before memguard attached).
    #[schemars(schema_with = "verdicts")]
    pub verdict: Cow<'static, str>,
    /// When it was judged: while the process was `running`, at its `exit`, or at the `end` of
    /// `run`, which follows it no longer.
    #[schemars(schema_with = "moments")]
    pub judged: Cow<'static, str>,
    /// Why it is over: what was held is `released`, the process has ended (`process_ended`), it
    /// grows no longer (`stopped`), or it is no finding any more (`withdrawn`). Null while it
    /// is open.
    #[schemars(schema_with = "resolutions")]
    pub resolution: Option<Cow<'static, str>>,
    /// Somebody should hear of it now: a warning that is the first of its fingerprint for an hour,
    /// or graver than before.
    pub alert: bool,
    /// Family of the handles: `fd`, `socket`, `mmap`, `heap`, `thread`, `process`, `shm`, `timer`,
    /// `watch`, `key`.
    pub resource: Cow<'static, str>,
    /// The control group that it is about as a whole, where it is; `process` is then its largest
    /// member. Null where it is about the process.
    pub cgroup: Option<Text>,
    /// What they are: `file`, `dir`, `pipe`, `tcp`, `udp`, `unix`, `epoll`, …; of `mmap` `anon`,
    /// `file-backed` or `shm`; of `heap` `anon` (anonymous memory, swapped or not) or `shm`
    /// (shared memory); of `thread` `thread` or `unjoined`; `zombie`, `sysv`, `posix`,
    /// `inotify-watch`, `key`. Of
    /// `exhaustion` `all`, or `space` (the address space).
    pub kind: Cow<'static, str>,
    /// System calls that acquired them.
    pub calls: Vec<Cow<'static, str>>,
    /// From 0 to 1.
    pub confidence: Option<f64>,
    /// The kernel showed every one of them open.
    pub verified: bool,
    /// When the finding was opened.
    pub first_seen: Time,
    /// When it was last judged.
    pub last_seen: Time,
    /// Handles open now, or at the death. Of `growth`: acquisitions of memory that are known and
    /// not given back.
    pub open_count: u64,
    /// Bytes in them; of `growth` the memory in use. Null where there are none, or not known.
    pub open_bytes: Option<u64>,
    /// Those of `open_bytes` that are in memory.
    pub resident_bytes: Option<u64>,
    /// Handles of this process and kind that outlived the nursery.
    pub acquired_count: u64,
    /// Those of `acquired_count` that were released.
    pub released_count: u64,
    /// Those of `open_count` that were acquired after the warm-up.
    pub late_count: u64,
    /// Those of `open_count` that are known without a stack, and likely of this site: the only one
    /// of the process that makes such handles by the same call. Null where there are none.
    pub without_stack_count: Option<u64>,
    /// How many of the same were held before memguard attached, and are not in `open_count`; of
    /// `exhaustion` those of all that count, which are.
    pub hoarded_count: u64,
    /// How long the released ones lived; null where none was released.
    pub lives: Option<Lives>,
    /// Age of the oldest.
    pub oldest_age_seconds: Option<f64>,
    /// How fast the count, or of `growth` the size in bytes, grows.
    pub growth: Option<Growth>,
    /// The count over time, or of `growth` the size in bytes, in at most 32 even steps; null where
    /// it was not followed, as of what was left at an exit.
    pub history: Option<History>,
    /// Anonymous memory that grows in step with the handles of a `leak` or `suspect`, and is not
    /// told beside it; null where there is none worth a word.
    pub in_step: Option<InStep>,
    /// The limit it is heading for.
    pub limit: Option<Limit>,
    /// Some of the handles, oldest first.
    pub samples: Vec<Sample>,
    /// Where memory that grows was acquired, the most bytes first; of `exhaustion` who holds what
    /// counts, the most first. Empty otherwise.
    pub sites: Vec<Site>,
    /// Who touches memory that grows, which need not be who acquired it; of `growth` of anonymous
    /// memory, where `--attribute faults` asks for it, else null.
    pub touched: Option<Touched>,
    /// One line on what to do.
    pub suggestion: Option<Text>,
    /// Samples, or ends of long texts, were left out to keep the line short.
    pub truncated: bool,
}

impl Finding {
    pub(super) fn new(finding: &finding::Finding, builder: &WireBuilder<'_>) -> Self {
        Self {
            id: format!("f-{:x}", finding.id),
            fingerprint: format!("fp1:{:016x}", finding.fingerprint),
            state: state(finding.state).into(),
            verdict: finding.verdict.name().into(),
            judged: finding.moment.name().into(),
            resolution: finding.resolution.map(|it| it.name().into()),
            alert: finding.alert,
            resource: finding.kind.resource().name().into(),
            cgroup: builder.optional(finding.cgroup.as_deref()),
            kind: finding.kind.name().into(),
            calls: builder.list(&finding.calls, |call| call.name().into()),
            confidence: finite(finding.confidence),
            verified: finding.verified,
            first_seen: builder.time(finding.first_seen),
            last_seen: builder.time(finding.last_seen),
            open_count: finding.open_count,
            open_bytes: finding.open_bytes,
            resident_bytes: finding.resident_bytes,
            acquired_count: finding.acquired_count,
            released_count: finding.released_count,
            late_count: finding.late_count,
            without_stack_count: Some(finding.without_stack).filter(|count| *count > 0),
            hoarded_count: finding.hoarded,
            lives: finding.lives.as_ref().map(Lives::new),
            oldest_age_seconds: seconds(finding.oldest_age),
            growth: finding.growth.as_ref().map(Growth::new),
            history: finding.history.as_ref().map(|it| History::new(it, builder)),
            in_step: finding.in_step.as_ref().map(InStep::new),
            limit: finding.limit.as_ref().map(Limit::new),
            samples: builder.list(&finding.samples, |sample| Sample::new(sample, builder)),
            sites: builder.list(&finding.sites, |site| Site::new(site, builder)),
            touched: finding.touched.as_ref().map(|it| Touched::new(it, builder)),
            suggestion: builder.optional(finding.suggestion.as_deref()),
            truncated: false,
        }
    }
}

fn state(state: State) -> &'static str {
    match state {
        State::Opened | State::Updated => "open",
        State::Resolved => "resolved",
    }
}

fn verdicts(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": Verdict::ALL.map(Verdict::name) })
}

fn moments(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": Moment::ALL.map(Moment::name) })
}

fn resolutions(_: &mut SchemaGenerator) -> Schema {
    let names = Resolution::ALL.map(|it| Some(it.name()));
    let names: Vec<_> = names.into_iter().chain([None]).collect();
    json_schema!({ "type": ["string", "null"], "enum": names })
}

/// JSON has no infinities.
pub(super) fn finite(number: f64) -> Option<f64> {
    number.is_finite().then_some(number)
}

pub(super) fn seconds(duration: Option<Duration>) -> Option<f64> {
    duration.as_ref().map(Duration::as_secs_f64)
}

/// The way of observing: reading what the kernel does, and stopping nobody.
const LIGHT: &str = "light";

/// How far the result can be trusted.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(!default)]
pub struct Evidence {
    /// How it was observed.
    pub mode: Cow<'static, str>,
    /// Events that did not reach memguard.
    pub events_lost: u64,
    /// Nothing was lost that could change the verdict.
    pub conclusive: bool,
    /// Why the result may be wrong; empty where it is conclusive.
    pub reasons: Vec<Text>,
}

impl Evidence {
    pub(super) fn new(evidence: &finding::Evidence, builder: &WireBuilder<'_>) -> Self {
        Self {
            mode: LIGHT.into(),
            events_lost: evidence.events_lost,
            conclusive: evidence.conclusive(),
            reasons: builder.list(&evidence.reasons, |it| builder.text(&it.to_string())),
        }
    }
}

/// Where a line does not say, nothing speaks against it.
impl Default for Evidence {
    fn default() -> Self {
        Self {
            mode: LIGHT.into(),
            events_lost: 0,
            conclusive: true,
            reasons: Vec::new(),
        }
    }
}
