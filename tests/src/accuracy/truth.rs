//! Whether a line of memguard's says what the workload says of itself.

use super::calibration::Claim;
use crate::{
    finding::Finding,
    memory::{
        Said,
        said::{Finds, Grows},
    },
    origins::stack::Stack,
};

/// The verdicts that a workload can confirm or deny.
const VERDICTS: [&str; 4] = ["leak", "growth", "suspect", "exhaustion"];

/// Whether the workload says the same.
pub fn is_so(finding: Finding<'_>, said: &Said) -> bool {
    let finds = said.finds.iter();
    match finding.verdict() {
        "suspect" => is_rightly_suspected(finding, said),
        "exhaustion" => is_on_its_way(finding, said),
        "growth" => said.grows.iter().any(|grows| is_growing(finding, grows)),
        _ => finds.into_iter().any(|finds| is_found(finding, finds)),
    }
}

/// Every line that says something which can be true or not, with its confidence.
pub fn claims(findings: &[Finding<'_>], said: &Said) -> Vec<Claim> {
    let told = findings
        .iter()
        .filter(|finding| !finding.is_resolved() && VERDICTS.contains(&finding.verdict()));
    let claim = |finding: &Finding<'_>| {
        Some(Claim {
            confidence: finding.confidence()?,
            is_so: is_so(*finding, said) || is_implied(*finding, said),
        })
    };
    told.filter_map(claim).collect()
}

fn is_found(finding: Finding<'_>, finds: &Finds) -> bool {
    is_of(finding, finds) && finding.verdict() == finds.verdict && is_at(finding, &finds.function)
}

/// The process, the resource and the kind are right.
fn is_of(finding: Finding<'_>, finds: &Finds) -> bool {
    finding.pid() == finds.pid
        && finding.resource() == finds.resource
        && finding.kind() == finds.kind
}

/// A suspicion need not know the place.
fn is_rightly_suspected(finding: Finding<'_>, said: &Said) -> bool {
    let same = |grows: &Grows| {
        finding.pid() == grows.pid
            && finding.resource() == grows.resource
            && finding.kind() == grows.kind
    };
    said.finds.iter().any(|finds| is_of(finding, finds)) || said.grows.iter().any(same)
}

/// The process loses what counts against this limit.
fn is_on_its_way(finding: Finding<'_>, said: &Said) -> bool {
    let Some(limit) = finding.limit_name() else {
        return false;
    };
    let lost = said.finds.iter().map(|finds| (finds.pid, &finds.resource));
    let grown = said.grows.iter().map(|grows| (grows.pid, &grows.resource));
    lost.chain(grown)
        .any(|(pid, resource)| pid == finding.pid() && counts_against(limit, resource))
}

/// Descriptors have limits of their own; mappings, threads and memory may meet several.
fn counts_against(limit: &str, resource: &str) -> bool {
    let of_descriptors = ["NOFILE", "file-max", "inotify"]
        .iter()
        .any(|part| limit.contains(part));
    of_descriptors == matches!(resource, "fd" | "socket")
}

/// Some function of the program's own, for a place may be that of a library and its caller another.
fn is_at(finding: Finding<'_>, function: &str) -> bool {
    let frames = Stack::of(finding.0).unwrap_or_default().frames;
    let named = |name: &String| name.contains(function);
    // What the kernel tells of itself, like zombies, has no place; and the place of threads is who
    // had their stacks mapped: the C library hands those of ended threads on to others.
    function == "*"
        || matches!(finding.resource(), "process" | "thread")
        || frames
            .iter()
            .any(|frame| frame.function.as_ref().is_some_and(named))
}

fn is_growing(finding: Finding<'_>, grows: &Grows) -> bool {
    let same = finding.pid() == grows.pid && finding.verdict() == "growth";
    let places: Vec<_> = finding
        .sites()
        .into_iter()
        .filter_map(|site| site.place)
        .collect();
    // Not the first: which of a heap's users needed more of it from the kernel is chance.
    let is_there = |(_, function): &(String, String)| {
        function == "*" || places.iter().any(|place| place.starts_with(function))
    };
    same && finding.resource() == grows.resource
        && finding.kind() == grows.kind
        && grows.site.as_ref().is_none_or(is_there)
}

/// The process and the resource are right.
pub fn is_misplaced(finding: Finding<'_>, said: &Said) -> bool {
    let is_of = |pid, resource: &str| finding.pid() == pid && finding.resource() == resource;
    let accuses = finding.verdict() != "exhaustion";
    let mut finds = said.finds.iter();
    let mut grows = said.grows.iter();
    accuses
        && (finds.any(|finds| is_of(finds.pid, &finds.resource))
            || grows.any(|grows| is_of(grows.pid, &grows.resource)))
}

/// Who loses mappings or threads also grows by what is in them.
pub fn is_implied(finding: Finding<'_>, said: &Said) -> bool {
    let grows = |finds: &Finds| matches!(finds.resource.as_str(), "mmap" | "thread");
    finding.verdict() == "growth" && finding.resource() == "heap" && said.finds.iter().any(grows)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{claims, counts_against, is_so};
    use crate::{accuracy::Claim, finding::Finding, memory::Said};

    fn line(verdict: &str, kind: &str, pid: u64, limit: &str) -> Value {
        let finding = json!({"id": "a", "verdict": verdict, "resource": "fd", "kind": kind,
            "open_count": 3, "state": "opened", "confidence": 0.7, "limit": {"name": limit}});
        json!({"event_name": "memguard.finding.opened", "process": {"pid": pid},
            "memguard": {"finding": finding}})
    }

    /// A suspicion is right by process and kind, an exhaustion by process and limit.
    #[test]
    fn suspicions_and_limits_need_no_place() {
        let said = Said::of("finds 7 leak fd file 9 * forget_here\n");
        let so =
            |verdict, kind, pid, limit| is_so(Finding(&line(verdict, kind, pid, limit)), &said);
        assert!(so("suspect", "file", 7, ""));
        assert!(!so("suspect", "pipe", 7, "") && !so("suspect", "file", 8, ""));
        assert!(so("exhaustion", "file", 7, "RLIMIT_NOFILE"));
        assert!(!so("exhaustion", "file", 8, "RLIMIT_NOFILE"));
        assert!(!so("exhaustion", "file", 7, "vm.max_map_count"));
        // A leak does.
        assert!(!so("leak", "file", 7, ""));
    }

    #[test]
    fn what_counts_against_a_limit() {
        for (limit, resource, expected) in [
            ("RLIMIT_NOFILE", "socket", true),
            ("RLIMIT_NOFILE", "heap", false),
            ("fs.inotify.max_user_instances", "fd", true),
            ("vm.max_map_count", "mmap", true),
            ("memory.max", "heap", true),
            ("RLIMIT_NPROC", "fd", false),
        ] {
            assert_eq!(
                counts_against(limit, resource),
                expected,
                "{limit} {resource}"
            );
        }
    }

    /// Lines that only count, and ends, claim nothing.
    #[test]
    fn claims_are_lines_that_may_be_wrong() {
        let said = Said::of("finds 7 leak fd file 9 * f\n");
        let mut resolved = line("suspect", "file", 7, "");
        resolved["memguard"]["finding"]["state"] = json!("resolved");
        let all = [
            line("suspect", "file", 7, ""),
            line("suspect", "pipe", 7, ""),
            line("aged", "file", 7, ""),
            resolved,
        ];
        let findings: Vec<_> = all.iter().map(Finding).collect();
        let claim = |is_so| Claim {
            confidence: 0.7,
            is_so,
        };
        assert_eq!(claims(&findings, &said), [claim(true), claim(false)]);
    }
}
