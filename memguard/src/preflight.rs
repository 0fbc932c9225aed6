//! Can it work here? The questions that every command asks before it begins, each with its fix.
//!
//! `doctor` asks all of them and shows the answers; `watch` and `run` stop at the first that is
//! fatal.

use std::fs;

use memguard_common::settings::Layout;

use crate::{
    failure::Failure,
    source::{
        kernel::{
            features::{self, KernelVersion},
            plan::{self, Plan, Unavailable, Wanted},
            tracefs::{self, Tracefs},
        },
        procfs::Procfs,
    },
};

/// Answer to one question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// As it should be.
    Ok,
    /// memguard works, but something is missing.
    Warn,
    /// memguard cannot work.
    Fail,
}

/// One question answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was asked.
    pub name: &'static str,
    /// The answer.
    pub status: Status,
    /// What was found.
    pub detail: String,
    /// The command, or the step, that mends it.
    pub fix: Option<String>,
}

impl Check {
    /// A good answer.
    pub fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self {
            name,
            status: Status::Ok,
            detail: detail.into(),
            fix: None,
        }
    }

    /// Something is missing that is not needed.
    pub fn warn(name: &'static str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            name,
            status: Status::Warn,
            detail: detail.into(),
            fix: Some(fix.into()),
        }
    }

    /// A fatal answer.
    pub fn fail(name: &'static str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            name,
            status: Status::Fail,
            detail: detail.into(),
            fix: Some(fix.into()),
        }
    }
}

/// What the commands need to know of the host.
#[derive(Debug)]
pub struct KernelSupport {
    /// Kernel offsets, tracepoint fields included.
    pub layout: Layout,
    /// What to attach.
    pub plan: Plan,
}

/// Why each capability is needed. `CAP_SYS_ADMIN` implies none of the last three.
const CAPABILITIES: [(caps::Capability, &str); 4] = [
    (caps::Capability::CAP_BPF, "to load BPF programs"),
    (
        caps::Capability::CAP_PERFMON,
        "to attach them to tracepoints",
    ),
    (
        caps::Capability::CAP_SYS_PTRACE,
        "to look at the descriptors of other users' processes",
    ),
    (
        caps::Capability::CAP_DAC_READ_SEARCH,
        "to read tracefs, and other users' /proc/PID/fd",
    ),
];

/// Inode of the initial PID namespace, `PROC_PID_INIT_INO`:
/// <https://github.com/torvalds/linux/blob/v6.18/include/linux/proc_ns.h#L46>
const INITIAL_PID_NAMESPACE: &str = "pid:[4026531836]";

/// What the commands need, or the first reason why they cannot have it. Call it while the process
/// has one thread: it may mount tracefs in a namespace of its own.
pub fn support(wanted: Wanted) -> Result<KernelSupport, Failure> {
    let fatal = |check: Check| match check.status {
        Status::Fail => Err(failure(&check)),
        Status::Ok | Status::Warn => Ok(()),
    };
    for check in capabilities() {
        fatal(check)?;
    }
    for check in [kernel(), lockdown(), pid_namespace()] {
        fatal(check)?;
    }
    let layout = layout().map_err(|check| failure(&check))?;
    let tracefs = tracefs().map_err(|check| failure(&check))?;
    let plan = plan::plan(&plan::formats(tracefs.path()), wanted);
    if let Some(Unavailable { probe, reason }) = plan.obstacle() {
        let message = format!("cannot attach to {}: {reason}", probe.tracepoint());
        return Err(Failure::preflight(message).fix(KERNEL_FIX));
    }
    Ok(KernelSupport {
        layout: plan.complete(layout),
        plan,
    })
}

fn failure(check: &Check) -> Failure {
    let failure = Failure::preflight(format!("{}: {}", check.name, check.detail));
    match &check.fix {
        Some(fix) => failure.fix(fix.clone()),
        None => failure,
    }
}

const KERNEL_FIX: &str = "use Linux 5.15 or later with CONFIG_BPF_SYSCALL, CONFIG_DEBUG_INFO_BTF and \
                          CONFIG_FTRACE_SYSCALLS";
const ROOT_FIX: &str = "run it as root: sudo memguard ...";

/// One check a capability.
pub fn capabilities() -> Vec<Check> {
    CAPABILITIES
        .iter()
        .map(|(capability, why)| check_capability(*capability, why))
        .collect()
}

fn check_capability(capability: caps::Capability, why: &str) -> Check {
    let name = match capability {
        caps::Capability::CAP_BPF => "CAP_BPF",
        caps::Capability::CAP_PERFMON => "CAP_PERFMON",
        caps::Capability::CAP_SYS_PTRACE => "CAP_SYS_PTRACE",
        _ => "CAP_DAC_READ_SEARCH",
    };
    match caps::has_cap(None, caps::CapSet::Effective, capability) {
        Ok(true) => Check::ok(name, format!("held, {why}")),
        Ok(false) => Check::fail(
            name,
            format!("not permitted (EPERM); needed {why}"),
            ROOT_FIX,
        ),
        Err(error) => Check::fail(name, format!("cannot be read: {error}"), ROOT_FIX),
    }
}

/// The kernel's version.
pub fn kernel() -> Check {
    let required = KernelVersion::REQUIRED;
    match KernelVersion::running() {
        Some(running) if running >= required => Check::ok(
            "kernel",
            format!("Linux {running}, {required} or later is needed"),
        ),
        Some(running) => {
            let detail = format!("Linux {running} is too old, {required} or later is needed");
            Check::fail("kernel", detail, KERNEL_FIX)
        }
        None => Check::fail("kernel", "its version cannot be read", KERNEL_FIX),
    }
}

/// Whether the kernel is locked down so far that BPF may not read it.
pub fn lockdown() -> Check {
    let text = fs::read_to_string("/sys/kernel/security/lockdown").unwrap_or_default();
    let mode = text
        .split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'));
    match mode.map(|(mode, _)| mode) {
        Some("confidentiality") => {
            let detail = "mode confidentiality forbids BPF to read kernel memory";
            Check::fail("lockdown", detail, "boot without lockdown=confidentiality")
        }
        Some(mode) => Check::ok(
            "lockdown",
            format!("mode {mode} allows BPF to read the kernel"),
        ),
        None => Check::ok("lockdown", "not in use"),
    }
}

/// Process ids of the kernel are those of the initial namespace; `/proc` must speak of the same.
pub fn pid_namespace() -> Check {
    match fs::read_link("/proc/self/ns/pid") {
        Ok(namespace) if namespace.as_os_str() == INITIAL_PID_NAMESPACE => {
            Check::ok("pid namespace", "the host's")
        }
        Ok(namespace) => Check::fail(
            "pid namespace",
            format!(
                "{} is not the host's: process ids would not match",
                namespace.display()
            ),
            "run memguard on the host, or in a container with --pid=host",
        ),
        Err(error) => {
            let detail = format!("cannot read /proc/self/ns/pid: {error}");
            Check::fail("pid namespace", detail, "mount -t proc proc /proc")
        }
    }
}

/// Offsets of the kernel structures.
pub fn layout() -> Result<Layout, Check> {
    features::layout().map_err(|error| Check::fail("BTF", error.to_string(), KERNEL_FIX))
}

/// Where tracepoints are described.
pub fn tracefs() -> Result<Tracefs, Check> {
    tracefs::ensure().map_err(|error| {
        if let Some(place) = tracefs::unreadable() {
            let detail = format!(
                "{} may not be read by this user: it may be mounted",
                place.display()
            );
            return Check::fail("tracefs", detail, ROOT_FIX);
        }
        let detail = format!("not mounted, and mounting it privately failed: {error}");
        Check::fail(
            "tracefs",
            detail,
            "mount -t tracefs nodev /sys/kernel/tracing",
        )
    })
}

/// Every question, and what the commands need where all is well.
pub fn all() -> (Vec<Check>, Option<KernelSupport>) {
    let mut checks = capabilities();
    checks.extend([kernel(), lockdown(), pid_namespace()]);
    let layout = layout();
    checks.push(match &layout {
        Ok(_) => Check::ok("BTF", format!("{} has every field", features::BTF)),
        Err(check) => check.clone(),
    });
    let tracefs = tracefs();
    checks.push(match &tracefs {
        Ok(Tracefs::Mounted(path)) => Check::ok("tracefs", path.display().to_string()),
        Ok(Tracefs::Private(path)) => {
            let detail = format!(
                "not mounted; mounted at {} for memguard alone",
                path.display()
            );
            Check::ok("tracefs", detail)
        }
        Err(check) => check.clone(),
    });
    checks.push(counting());
    let facts = layout.ok().zip(tracefs.ok()).map(|(layout, tracefs)| {
        let plan = plan::plan(&plan::formats(tracefs.path()), Wanted::ALL);
        KernelSupport {
            layout: plan.complete(layout),
            plan,
        }
    });
    if let Some(facts) = &facts {
        checks.extend(tracepoints(&facts.plan));
    }
    (checks, facts)
}

fn tracepoints(plan: &Plan) -> Vec<Check> {
    let missing = plan
        .unavailable
        .iter()
        .map(|Unavailable { probe, reason }| {
            let detail = format!("{}: {reason}", probe.tracepoint());
            if probe.is_required() {
                return Check::fail("tracepoint", detail, KERNEL_FIX);
            }
            Check::warn(
                "tracepoint",
                detail,
                "nothing to do: this call does not exist here",
            )
        });
    let found = format!("{} of {}", plan.probes.len(), plan::PROBES.len());
    std::iter::once(Check::ok("tracepoints", found))
        .chain(missing)
        .collect()
}

/// Since 6.2 the size of `/proc/PID/fd` is the number of descriptors.
fn counting() -> Check {
    if Procfs::new("/proc").counts_descriptors() {
        return Check::ok("descriptor counts", "from the size of /proc/PID/fd");
    }
    let detail = "/proc/PID/fd has no size here (before 6.2): censuses read the directory";
    Check::warn(
        "descriptor counts",
        detail,
        "nothing to do: this is only slower",
    )
}
