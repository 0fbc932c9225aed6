//! From what was typed to what is meant: the only place where options become behaviour.

use std::time::Duration;

use super::{
    Attribute, Colour, CommonArgs, DiffArgs, Format, KindFilter, ReportArgs, RunArgs, SuppressArgs,
    WatchArgs, gates, review,
};
use crate::{
    config::{
        CommonConfig, DetectConfig, DiffConfig, DiffGate, KernelSizes, Kinds, ReportConfig,
        ReportFormat, RunConfig, SuppressConfig, TargetConfig, WatchConfig,
        output::{ColourWhen, OutputConfig, OutputFormat, Stream},
    },
    detect::growth::Rules,
    failure::Failure,
    findings::ReportThrottle,
};

/// How often `run` judges processes that run long.
const RUN_INTERVAL: Duration = Duration::from_secs(2);
/// How often memory that moves is sampled, where it is looked at more rarely: under the teeth of a
/// collector it takes some thirty samples to see a climb.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(1);
/// How long a handle is held at least that is called old, where it is not said.
const MIN_AGE: Duration = Duration::from_mins(1);

impl WatchArgs {
    /// What is meant, with options checked against each other.
    pub fn resolve(self) -> Result<WatchConfig, Failure> {
        let detect = DetectConfig {
            min_age: self.min_age.unwrap_or(MIN_AGE),
            learns_age: self.min_age.is_none(),
            warm_up: self.warm_up,
            short_lives: false,
            interval: self.interval,
            sample_interval: Some(self.interval.min(SAMPLE_INTERVAL)),
            kinds: kinds(&self.common.kinds),
            sizes: self.rules(),
            throttle: self.throttle(),
        };
        let config = WatchConfig {
            target: TargetConfig {
                all: self.all,
                pids: self.pids,
                comms: self.comms,
                cgroups: self.cgroups,
            },
            duration: self.duration,
            detect,
            faults: self.attribute == Some(Attribute::Faults),
            state_dir: self.state_dir,
            show_mappings: self.show_mappings,
            left: self.left,
            fail_on: self.fail_on,
            common: self.common.resolve(Stream::Stdout),
        };
        config.check().map(|()| config)
    }

    /// What of memory counts as growth.
    fn rules(&self) -> Rules {
        const HOUR: f64 = 3600.0;
        Rules {
            warm_up: self.warm_up,
            growth_warning: self.growth_warning as f64 / HOUR,
            growth_critical: self.growth_critical as f64 / HOUR,
            size_warning: Some(self.rss_warning),
            size_critical: Some(self.rss_critical),
            emergency: self.rss_emergency,
            ..Rules::default()
        }
    }

    /// How often findings are told again.
    fn throttle(&self) -> ReportThrottle {
        let throttle = ReportThrottle::at(self.interval);
        ReportThrottle {
            update: self.update_every.unwrap_or(throttle.update),
            alert: self.alert_every,
        }
    }
}

impl RunArgs {
    /// What is meant.
    pub fn resolve(self) -> RunConfig {
        let detect = DetectConfig {
            min_age: self.min_age.unwrap_or(MIN_AGE),
            learns_age: self.min_age.is_none(),
            warm_up: self.warm_up,
            short_lives: true,
            interval: RUN_INTERVAL,
            sample_interval: Some(SAMPLE_INTERVAL),
            kinds: kinds(&self.common.kinds),
            sizes: Rules {
                warm_up: self.warm_up,
                ..Rules::default()
            },
            throttle: ReportThrottle::at(RUN_INTERVAL),
        };
        RunConfig {
            command: self.command,
            as_root: self.as_root,
            grace: self.grace,
            detect,
            fail_on: self.fail_on,
            baseline: self.baseline,
            leak_exit_code: self.leak_exit_code,
            common: self.common.resolve(Stream::Stderr),
        }
    }
}

impl CommonArgs {
    fn resolve(self, stream: Stream) -> CommonConfig {
        let path = self.output.filter(|path| path.as_os_str() != "-");
        CommonConfig {
            output: OutputConfig {
                path,
                stream,
                format: self.format.map(Format::resolve),
                colour: self.color.resolve(),
                redact: !self.no_redact,
                quiet: self.quiet,
                live: stream == Stream::Stdout,
                progress: stream == Stream::Stdout,
            },
            suppress: self.suppress.resolve(),
            strict: self.strict,
            sizes: KernelSizes {
                window_bytes: self.stack_bytes.bytes(),
                nursery_sets: self.nursery_sets,
                ring_bytes: self.ring_bytes,
            },
            record: self.record,
        }
    }
}

impl SuppressArgs {
    fn resolve(self) -> SuppressConfig {
        SuppressConfig {
            rules: self.suppressions,
            show: self.show_suppressed,
            without_built_in: self.no_default_suppressions,
        }
    }
}

impl ReportArgs {
    /// What is meant.
    pub fn resolve(self) -> ReportConfig {
        ReportConfig {
            file: self.file,
            format: match self.format {
                review::ReportFormat::Text => ReportFormat::Text,
                review::ReportFormat::Folded => ReportFormat::Folded,
                review::ReportFormat::FoldedBytes => ReportFormat::FoldedBytes,
            },
            fail_on: self.fail_on,
            suppress: self.suppress.resolve(),
            colour: self.color.resolve(),
        }
    }
}

impl DiffArgs {
    /// What is meant.
    pub fn resolve(self) -> DiffConfig {
        DiffConfig {
            old: self.old,
            new: self.new,
            format: self.format.resolve(),
            fail_on: match self.fail_on {
                gates::DiffGate::Never => DiffGate::Never,
                gates::DiffGate::New => DiffGate::New,
                gates::DiffGate::Grew => DiffGate::Grew,
            },
            colour: self.color.resolve(),
        }
    }
}

impl Format {
    fn resolve(self) -> OutputFormat {
        match self {
            Self::Text => OutputFormat::Text,
            Self::Jsonl => OutputFormat::Jsonl,
        }
    }
}

impl Colour {
    fn resolve(self) -> ColourWhen {
        match self {
            Self::Auto => ColourWhen::Auto,
            Self::Always => ColourWhen::Always,
            Self::Never => ColourWhen::Never,
        }
    }
}

fn kinds(filters: &[KindFilter]) -> Kinds {
    let mut kinds = Kinds::default();
    for filter in filters {
        match filter {
            KindFilter::Fd => kinds.fd = true,
            KindFilter::Socket => kinds.socket = true,
            KindFilter::Mmap => kinds.mmap = true,
            KindFilter::Heap => kinds.heap = true,
            KindFilter::All => return Kinds::ALL,
        }
    }
    kinds
}
