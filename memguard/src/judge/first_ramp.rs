//! Which growth of memory matters: one that goes beyond what the runtime takes before it collects
//! for the first time, and that leads somewhere within a day.
//!
//! A collector lets its heap climb, in a straight line, up to a size that it has set itself; how
//! long that takes depends on the load and on how much CPU time there is. So no time tells the
//! first ramp from a leak, and size does.

use std::time::Duration;

use crate::{
    detect::growth::Growth,
    model::{memory::Ceiling, observed::Runtime},
};

const MIB: u64 = 1 << 20;

/// What allocators of programs without a collector keep for later: malloc's arenas, one a thread,
/// and its lists.
const NATIVE: u64 = 8 * MIB;
/// No ramp is shorter.
pub const LEAST: u64 = NATIVE;
/// Arenas of 1 MiB and what is imported late, `Objects/obmalloc.c`; of PHP, chunks of 2 MiB.
const COUNTING: u64 = 16 * MIB;
/// `GC_MALLOC_LIMIT_MAX` of Ruby, and carriers of Erlang.
const MODERATE: u64 = 32 * MIB;
/// V8: three semi-spaces of 16 MiB, of which some is in use at the end of the warm-up, and an old
/// space that begins with next to nothing; ramps of 27 and 32 MiB were seen.
const SEMI_SPACES: u64 = 40 * MIB;
/// Generations of the young. .NET: a budget of the size of the last cache.
const YOUNG: u64 = 64 * MIB;
/// Of Go's heap, which is collected at 4 MiB first, and then whenever it is twice what lives of it:
/// what it was is what it may take on top, within these bounds.
const DOUBLING: [u64; 2] = [16 * MIB, 64 * MIB];
/// Initial heap of a JVM as a part of the host's memory, `InitialRAMFraction`.
const INITIAL_PART: u64 = 64;

/// At its pace a growth must double the process, or reach a ceiling, within this time.
const HORIZON: Duration = Duration::from_hours(24);

/// How much more than at the end of the warm-up, in bytes, a process may use before its growth
/// means anything.
pub fn first_ramp(runtime: Option<Runtime>, baseline: u64, ceilings: &[Ceiling]) -> u64 {
    let [least, most] = DOUBLING;
    match runtime {
        None => NATIVE,
        Some(Runtime::Python | Runtime::Php) => COUNTING,
        Some(Runtime::Ruby | Runtime::Beam) => MODERATE,
        Some(Runtime::V8) => SEMI_SPACES,
        Some(Runtime::JavaScriptCore | Runtime::Dotnet) => YOUNG,
        Some(Runtime::Go) => baseline.clamp(least, most),
        Some(Runtime::Jvm) => {
            let host = ceilings.iter().find(|ceiling| ceiling.name == "MemTotal");
            YOUNG.saturating_add(host.map_or(0, |host| host.value / INITIAL_PART))
        }
    }
}

/// Whether a growth of memory is beyond the first ramp.
pub fn is_beyond(growth: &Growth, first_ramp: u64) -> bool {
    growth.to.saturating_sub(growth.baseline) >= first_ramp
}

/// Whether a growth leads somewhere soon; `exhausted_in` is when it reaches the nearest ceiling.
pub fn leads_somewhere(growth: &Growth, exhausted_in: Option<Duration>) -> bool {
    let by_then = growth.slope_per_second * HORIZON.as_secs_f64();
    growth.to as f64 <= by_then || exhausted_in.is_some_and(|left| left <= HORIZON)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::growth::{Level, Shape};

    fn growth(baseline_mib: u64, to_mib: u64, mib_per_hour: f64) -> Growth {
        let slope = mib_per_hour * MIB as f64 / 3600.0;
        Growth {
            slope_per_second: slope,
            low: slope,
            high: slope,
            p_value: 0.0001,
            shape: Shape::Linear,
            window: Duration::from_mins(5),
            samples: 30,
            from: baseline_mib * MIB,
            to: to_mib * MIB,
            baseline: baseline_mib * MIB,
            level: Level::Warning,
        }
    }

    /// Ramps that were seen on busy hosts, and growths that are meant.
    #[test]
    fn first_ramps_are_told_from_growth() {
        let host = [Ceiling {
            name: "MemTotal",
            value: 8192 * MIB,
            used: 0,
        }];
        for (runtime, baseline, to, expected, why) in [
            (Some(Runtime::Go), 3, 7, false, "a Go heap of a client"),
            (Some(Runtime::Go), 40, 70, false, "less than doubled"),
            (Some(Runtime::Go), 40, 90, true, "more than doubled"),
            (
                Some(Runtime::Go),
                900,
                970,
                true,
                "a large one need not double",
            ),
            (
                Some(Runtime::V8),
                18,
                45,
                false,
                "node, starved of CPU time",
            ),
            (
                Some(Runtime::V8),
                24,
                118,
                true,
                "a cache in node without an end",
            ),
            (
                Some(Runtime::Jvm),
                30,
                200,
                false,
                "the first heap of a JVM",
            ),
            (Some(Runtime::Jvm), 30, 300, true, "beyond it"),
            (Some(Runtime::Python), 9, 14, false, "modules"),
            (Some(Runtime::Python), 9, 40, true, "a list that is kept"),
            (None, 1, 14, true, "a program in C that leaks objects"),
            (None, 2, 7, false, "arenas"),
        ] {
            let growth = growth(baseline, to, 100.0);
            let ramp = first_ramp(runtime, growth.baseline, &host);
            assert_eq!(is_beyond(&growth, ramp), expected, "{why}");
        }
        let unknown = first_ramp(Some(Runtime::Jvm), MIB, &[]);
        assert_eq!(unknown, YOUNG, "the host's memory is not known");
    }

    #[test]
    fn what_leads_nowhere_within_a_day_does_not_matter() {
        let day = Duration::from_hours(24);
        for (to, per_hour, exhausted_in, expected, why) in [
            (1000, 50.0, None, true, "doubles in 20 hours"),
            (2000, 50.0, None, false, "in 40"),
            (2000, 50.0, Some(day), true, "but there is a limit before"),
            (2000, 50.0, Some(day * 2), false, "or not"),
        ] {
            let growth = growth(to / 2, to, per_hour);
            let leads = leads_somewhere(&growth, exhausted_in);
            assert_eq!(leads, expected, "{why}");
        }
    }
}
