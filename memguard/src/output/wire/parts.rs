//! What a finding is made of: lives, growth, its course, a limit, some handles, sites.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    model::{
        finding::{self, Handle},
        memory::Range,
        series_summary::{STEPS, SeriesSummary},
    },
    output::wire::{
        builder::{Text, Time, WireBuilder},
        finding::{finite, seconds},
    },
};

/// How long the released handles of a site lived, as far as they outlived the nursery.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(!default)]
pub struct Lives {
    /// How many.
    pub count: u64,
    /// The shortest life.
    pub min_seconds: f64,
    /// Half of them lived no longer; right to a fourth.
    pub median_seconds: f64,
    /// 99 of 100 lived no longer; right to a fourth.
    pub p99_seconds: f64,
    /// How many were held for `--min-age`, and released after all.
    pub outlived_count: u64,
}

impl Lives {
    pub(super) fn new(lives: &finding::LifetimeStats) -> Self {
        let [min_seconds, median_seconds, p99_seconds] =
            [lives.min, lives.median, lives.p99].map(|life| life.as_secs_f64());
        Self {
            count: lives.count,
            min_seconds,
            median_seconds,
            p99_seconds,
            outlived_count: lives.outlived,
        }
    }
}

/// How fast a count or a size grows.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(!default)]
pub struct Growth {
    /// Handles, or bytes, a second.
    pub slope_per_second: Option<f64>,
    /// Name of the estimator.
    pub method: Option<Cow<'static, str>>,
    /// How likely such a slope is by chance.
    pub p_value: Option<f64>,
    /// Over what time it was measured.
    pub window_seconds: f64,
    /// Lower end of the slope's 95 % confidence interval.
    pub slope_low: Option<f64>,
    /// Its upper end.
    pub slope_high: Option<f64>,
    /// `linear`, `exponential` or `stepwise`.
    pub shape: Option<Cow<'static, str>>,
    /// Samples that were judged.
    pub samples: Option<u64>,
    /// Size, or count, when the warm-up was over.
    pub baseline: Option<u64>,
    /// How much more than the baseline a first ramp of such a program may take, in bytes: the
    /// nearer the size is to both, the less certain it is that it grows for good. Null of what
    /// is no memory.
    pub first_ramp: Option<u64>,
    /// It is faster than `--growth-critical`, or larger than `--rss-critical`.
    pub critical: Option<bool>,
}

impl Growth {
    pub(super) fn new(growth: &finding::Growth) -> Self {
        let trend = growth.trend;
        Self {
            slope_per_second: finite(growth.slope_per_second),
            method: trend.map(|_| "theil-sen".into()),
            p_value: trend.and_then(|trend| finite(trend.p_value)),
            window_seconds: growth.window.as_secs_f64(),
            slope_low: trend.and_then(|trend| finite(trend.low)),
            slope_high: trend.and_then(|trend| finite(trend.high)),
            shape: trend.map(|trend| trend.shape.name().into()),
            samples: trend.map(|trend| trend.samples as u64),
            baseline: trend.map(|trend| trend.baseline),
            first_ramp: trend.map(|it| it.first_ramp).filter(|it| *it > 0),
            critical: trend.map(|trend| trend.critical),
        }
    }
}

/// Memory that grows in step with handles.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(!default)]
pub struct InStep {
    /// How much has come with them.
    pub bytes: u64,
    /// How much of it to a handle.
    pub bytes_per_handle: u64,
}

impl InStep {
    pub(super) fn new(in_step: &finding::InStep) -> Self {
        Self {
            bytes: in_step.bytes,
            bytes_per_handle: in_step.bytes_per_handle,
        }
    }
}

/// A count over time.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(!default)]
pub struct History {
    /// When the first was counted.
    pub from: Time,
    /// From one count to the next.
    pub interval_seconds: f64,
    /// Handles, or of `growth` bytes, oldest first.
    #[schemars(extend("maxItems" = STEPS))]
    pub counts: Vec<u64>,
}

impl History {
    pub(super) fn new(course: &SeriesSummary, builder: &WireBuilder<'_>) -> Self {
        Self {
            from: builder.time(course.from),
            interval_seconds: course.interval.as_secs_f64(),
            counts: course.counts.clone(),
        }
    }
}

/// A ceiling.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Limit {
    /// For example `RLIMIT_NOFILE`.
    pub name: Cow<'static, str>,
    /// Its value.
    pub value: u64,
    /// What is in use of it.
    #[serde(default)]
    #[schemars(!default)]
    pub used: u64,
    /// When it is reached at the present growth; null where nothing grows.
    pub exhausted_in_seconds: Option<f64>,
    /// The earliest that the growth's uncertainty allows; null where that is not known.
    pub earliest_seconds: Option<f64>,
    /// The latest; null where it may not grow at all.
    pub latest_seconds: Option<f64>,
}

impl Limit {
    pub(super) fn new(limit: &finding::Limit) -> Self {
        let finding::Limit {
            name,
            value,
            used,
            exhausted_in,
            uncertainty,
        } = *limit;
        Self {
            name: name.into(),
            value,
            used,
            exhausted_in_seconds: seconds(exhausted_in),
            earliest_seconds: seconds(uncertainty.map(|(earliest, _)| earliest)),
            latest_seconds: seconds(uncertainty.and_then(|(_, latest)| latest)),
        }
    }
}

/// One handle.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(!default)]
pub struct Sample {
    /// Descriptor number; null where it is none.
    pub fd: Option<u32>,
    /// First address of memory, hexadecimal; null where it is none.
    pub address: Option<String>,
    /// Bytes of memory, likewise.
    pub bytes: Option<u64>,
    /// Process id of a zombie, id of a shared memory segment, or inode of one in `/dev/shm`; null
    /// where it is none of these.
    pub id: Option<u32>,
    /// When it was acquired; null where it was open before memguard came.
    pub acquired_at: Option<Time>,
    /// How long it has been held.
    pub age_seconds: Option<f64>,
    /// System call that acquired it.
    pub call: Option<Cow<'static, str>>,
    /// Path or peer.
    pub target: Option<Text>,
}

impl Sample {
    pub(super) fn new(sample: &finding::Sample, builder: &WireBuilder<'_>) -> Self {
        let finding::Sample {
            handle,
            acquired_at,
            age,
            call,
            target,
        } = sample;
        let (fd, range, id) = match *handle {
            Handle::Descriptor(fd) => (Some(fd), None, None),
            Handle::Memory(range) => (None, Some(range), None),
            Handle::Id(id) => (None, None, Some(id)),
        };
        Self {
            fd,
            address: range.map(|range| format!("{:#x}", range.start)),
            bytes: range.map(Range::bytes),
            id,
            acquired_at: acquired_at.map(|stamp| builder.time(stamp)),
            age_seconds: seconds(*age),
            call: call.map(|call| call.name().into()),
            target: builder.optional(target.as_deref()),
        }
    }
}

/// Where memory in use was acquired.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Site {
    /// The first place of the program's own code; null where that could not be found out.
    pub place: Option<Text>,
    /// `brk`, or as of a mapping.
    pub kind: Cow<'static, str>,
    /// Acquired there and not given back.
    #[serde(default)]
    #[schemars(!default)]
    pub bytes: u64,
    /// In how many acquisitions.
    #[serde(default)]
    #[schemars(!default)]
    pub count: u64,
}

impl Site {
    pub(super) fn new(site: &finding::Site, builder: &WireBuilder<'_>) -> Self {
        Self {
            place: builder.optional(site.place.as_deref()),
            kind: site.kind.name().into(),
            bytes: site.bytes,
            count: site.count,
        }
    }
}

/// Who touches new memory, by samples of page faults: an estimate.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(!default)]
pub struct Touched {
    /// One in so many page faults is sampled, and stands for as many pages of 4 KiB.
    pub period: u64,
    /// Samples that were lost since memguard came, of any process.
    pub lost: u64,
    /// Functions of the program, the most bytes first.
    pub sites: Vec<TouchSite>,
}

impl Touched {
    pub(super) fn new(touched: &finding::Touched, builder: &WireBuilder<'_>) -> Self {
        Self {
            period: touched.period,
            lost: touched.lost,
            sites: builder.list(&touched.sites, |site| TouchSite::new(site, builder)),
        }
    }
}

/// A function that touches new memory.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(!default)]
pub struct TouchSite {
    /// The first place of the program's own code; null where that could not be found out.
    pub place: Option<Text>,
    /// Touched there first, and still mapped: an estimate by sampling.
    pub bytes: u64,
    /// By how many samples; below a hundred the estimate is rough.
    pub samples: u64,
}

impl TouchSite {
    pub(super) fn new(site: &finding::TouchSite, builder: &WireBuilder<'_>) -> Self {
        Self {
            place: builder.optional(site.place.as_deref()),
            bytes: site.bytes,
            samples: site.samples,
        }
    }
}
