//! What to attach: pure, from facts to a list. Attaching is [`super`]'s.

use std::{collections::BTreeMap, path::Path};

use memguard_common::settings::Layout;

use super::features::{self, Format};

/// A program and a tracepoint it belongs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Probe {
    /// Program in the object.
    pub program: &'static str,
    /// Tracepoint category.
    pub category: &'static str,
    /// Tracepoint name.
    pub name: &'static str,
    /// Fields that the program reads at fixed offsets.
    fields: &'static [(&'static str, u32)],
    /// Nothing works without it.
    pub required: bool,
}

impl Probe {
    /// `category:name`, as the kernel's tools write it.
    pub fn tracepoint(&self) -> String {
        format!("{}:{}", self.category, self.name)
    }
}

/// A program that reads the result of a system call.
const fn exit(program: &'static str, name: &'static str, required: bool) -> Probe {
    let fields = &[("__syscall_nr", 8), ("ret", 16)];
    Probe {
        program,
        category: "syscalls",
        name,
        fields,
        required,
    }
}

const fn other(
    program: &'static str,
    category: &'static str,
    name: &'static str,
    fields: &'static [(&'static str, u32)],
) -> Probe {
    Probe {
        program,
        category,
        name,
        fields,
        required: true,
    }
}

/// Every probe memguard has. What gives back comes first: a descriptor acquired before its release
/// can be seen would be held for ever. `open`, `creat` and `accept` do not exist on every
/// architecture, `openat2` not on every kernel.
pub const PROBES: &[Probe] = &[
    other(
        "release_close",
        "syscalls",
        "sys_enter_close",
        &[("__syscall_nr", 8), ("fd", 16)],
    ),
    other("process_exit", "sched", "sched_process_exit", &[]),
    other(
        "process_exec",
        "sched",
        "sched_process_exec",
        &[("filename", 8)],
    ),
    other("process_fork", "task", "task_newtask", &[("pid", 8)]),
    exit("acquire_open", "sys_exit_openat", true),
    exit("acquire_open", "sys_exit_open", false),
    exit("acquire_open", "sys_exit_openat2", false),
    exit("acquire_open", "sys_exit_creat", false),
    exit("acquire_socket", "sys_exit_socket", true),
    exit("acquire_accept", "sys_exit_accept4", true),
    exit("acquire_accept", "sys_exit_accept", false),
];

/// What is to be attached, and what cannot be.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// To attach, in this order.
    pub probes: Vec<Probe>,
    /// Not to attach, with the reason.
    pub unavailable: Vec<(Probe, String)>,
    /// Offsets of tracepoint fields that differ between kernels.
    pub group_dead: Option<u32>,
    /// As above.
    pub clone_flags: Option<u32>,
}

impl Plan {
    /// The layout with the tracepoint offsets filled in.
    pub fn complete(&self, layout: Layout) -> Layout {
        Layout {
            exit_group_dead: self.group_dead.unwrap_or(0),
            newtask_clone_flags: self.clone_flags.unwrap_or(0),
            ..layout
        }
    }

    /// A required probe that is not available.
    pub fn obstacle(&self) -> Option<&(Probe, String)> {
        self.unavailable.iter().find(|(probe, _)| probe.required)
    }
}

/// The records of all tracepoints that memguard has probes for; those that the kernel has.
pub fn formats(tracefs: &Path) -> BTreeMap<String, Format> {
    let read = |probe: &Probe| {
        let format = features::format(tracefs, probe.category, probe.name).ok()?;
        Some((probe.tracepoint(), format))
    };
    PROBES.iter().filter_map(read).collect()
}

/// Decides what to attach.
pub fn plan(formats: &BTreeMap<String, Format>) -> Plan {
    let mut plan = Plan {
        group_dead: offset(formats, "sched:sched_process_exit", "group_dead"),
        clone_flags: offset(formats, "task:task_newtask", "clone_flags"),
        ..Plan::default()
    };
    for probe in PROBES {
        match check(probe, formats.get(&probe.tracepoint())) {
            Ok(()) => plan.probes.push(*probe),
            Err(reason) => plan.unavailable.push((*probe, reason)),
        }
    }
    plan
}

fn offset(formats: &BTreeMap<String, Format>, tracepoint: &str, field: &str) -> Option<u32> {
    Some(formats.get(tracepoint)?.fields.get(field)?.offset)
}

fn check(probe: &Probe, format: Option<&Format>) -> Result<(), String> {
    let format = format.ok_or_else(|| "this kernel has no such tracepoint".to_owned())?;
    for (name, offset) in probe.fields {
        let found = format.fields.get(*name).map(|field| field.offset);
        if found != Some(*offset) {
            return Err(format!(
                "field {name} is expected at {offset}, the kernel has {found:?}"
            ));
        }
    }
    if probe.program == "process_fork" && !format.fields.contains_key("clone_flags") {
        return Err("its record has no clone_flags".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel(without: &str) -> BTreeMap<String, Format> {
        let text = "field:int __syscall_nr; offset:8; size:4;\n\
                    field:long ret; offset:16; size:8;\nfield:unsigned int fd; offset:16; size:8;\n";
        let sched = "field:pid_t pid; offset:8; size:4;\nfield:char filename; offset:8; size:4;\n\
                     field:u64 clone_flags; offset:32; size:8;\n\
                     field:bool group_dead; offset:32; size:1;\n";
        let format = |probe: &Probe| {
            Format::parse(if probe.category == "syscalls" {
                text
            } else {
                sched
            })
        };
        let all = PROBES
            .iter()
            .map(|probe| (probe.tracepoint(), format(probe)));
        all.filter(|(name, _)| name != without).collect()
    }

    #[test]
    fn everything_is_attached_where_the_kernel_has_it() {
        let plan = plan(&kernel(""));
        assert_eq!(
            (plan.probes.len(), plan.unavailable.len()),
            (PROBES.len(), 0)
        );
        assert_eq!((plan.group_dead, plan.clone_flags), (Some(32), Some(32)));
        assert!(plan.obstacle().is_none());
    }

    #[test]
    fn what_is_missing_is_named_and_only_the_required_is_an_obstacle() {
        for (without, obstacle) in [
            ("syscalls:sys_exit_creat", false),
            ("syscalls:sys_enter_close", true),
        ] {
            let plan = plan(&kernel(without));
            let (probe, reason) = &plan.unavailable[0];
            assert_eq!(probe.tracepoint(), without);
            assert!(reason.contains("no such tracepoint"), "{reason}");
            assert_eq!(plan.obstacle().is_some(), obstacle, "{without}");
        }
    }

    #[test]
    fn a_moved_field_makes_a_probe_unavailable() {
        let mut kernel = kernel("");
        let moved = Format::parse("field:long ret; offset:24; size:8;");
        kernel.insert("syscalls:sys_exit_openat".to_owned(), moved);
        let plan = plan(&kernel);
        assert!(
            plan.obstacle()
                .is_some_and(|(_, reason)| reason.contains("__syscall_nr"))
        );
    }
}
