//! `doctor`: every requirement, whether it is met, and how to meet it; ends by loading and
//! attaching for real.

use crate::{
    output::doctor::{self as page, Diagnosis},
    preflight::{self, Check, KernelSupport, Status},
    source::kernel::{Kernel, Sizes, faults::Faults},
    tell,
};

/// Exit code where memguard does not work here.
const BROKEN: u8 = 3;

/// Asks, tells, and returns the exit code.
pub fn doctor(json: bool) -> u8 {
    let (mut checks, facts) = preflight::all();
    let fatal = |check: &Check| check.status == Status::Fail;
    let kernel = facts
        .filter(|_| !checks.iter().any(fatal))
        .map(|facts| try_out(&facts));
    let (kernel, tried) = kernel.map_or((None, Vec::new()), |(kernel, tried)| (kernel, tried));
    checks.extend(tried);
    let works = !checks.iter().any(fatal);
    let diagnosis = Diagnosis {
        checks: &checks,
        works,
    };
    tell(&if json {
        page::json(&diagnosis)
    } else {
        page::text(&diagnosis)
    });
    if let Some(Err(error)) = kernel.map(Kernel::leave) {
        crate::complain(&format!("ends slowly: {:#}", anyhow::Error::from(error)));
    }
    if works { 0 } else { BROKEN }
}

fn try_out(facts: &KernelSupport) -> (Option<Kernel>, Vec<Check>) {
    let mut kernel = match Kernel::load(facts.layout, &facts.plan, Sizes::of_windows(2 << 10)) {
        Ok(kernel) => kernel,
        Err(error) => return (None, vec![refused("programs", error)]),
    };
    let mib = kernel.bytes() as f64 / f64::from(1 << 20);
    let mut checks = vec![
        Check::ok("programs", "the kernel's verifier accepts all of them"),
        Check::ok(
            "kernel memory",
            format!("{mib:.1} MiB of maps, ring and programs while running"),
        ),
    ];
    checks.push(match kernel.attach(&facts.plan) {
        Ok(_) => Check::ok(
            "attaching",
            format!("{} tracepoints", kernel.attached().len()),
        ),
        Err(error) => refused("attaching", error),
    });
    checks.push(page_faults());
    (Some(kernel), checks)
}

/// Needed by `watch --attribute faults` alone.
fn page_faults() -> Check {
    match Faults::open() {
        Ok(_) => Check::ok("page faults", "can be sampled, for --attribute faults"),
        Err(error) => Check::warn(
            "page faults",
            format!("cannot be sampled: {error}"),
            "do without --attribute faults, or see CAP_PERFMON above",
        ),
    }
}

fn refused(name: &'static str, error: crate::source::kernel::KernelError) -> Check {
    let detail = format!("{:#}", anyhow::Error::from(error));
    // The verifier's last words are those that matter, after up to a hundred thousand lines.
    let lines: Vec<&str> = detail.lines().collect();
    let (first, rest) = lines.split_at(lines.len().min(1));
    let last = rest
        .get(rest.len().saturating_sub(20)..)
        .unwrap_or_default();
    let detail = [first, last].concat().join("\n");
    Check::fail(name, detail, "report it with this output and `uname -r`")
}
