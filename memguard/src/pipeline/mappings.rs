//! Judges memory that is mapped and stays, while its process runs: the kernel takes everything back
//! at the end, and everybody leaves some.

use std::collections::BTreeMap;

use super::{
    Agent,
    dead::is_own,
    living::{SAMPLES, calls, growth, limit},
};
use crate::{
    detect::{Accumulation, Check, Detector, growth::Outcome},
    findings::fingerprint,
    ledger::population::GroupId,
    model::{
        finding::{Finding, Handle, Resolution, Sample, Verdict},
        ids::{ProcessId, Stamp},
        memory::{MappingId, Piece, Range},
        report::{Mappings, Report},
        resource::{Call, Kind, Resource},
    },
    source::{
        kernel,
        procfs::{ProcError, Residency},
    },
};

/// Most ranges that a finding asks the kernel about.
const LOOKS: usize = 20_000;

/// Mappings of one process and site that have been held for the minimum age; by address.
#[derive(Debug, Default)]
pub(super) struct Site {
    pub(super) pieces: Vec<Piece>,
    /// When those were acquired that are younger.
    young: Vec<Stamp>,
}

impl Site {
    /// When what is left was acquired, the oldest first, and each acquisition once.
    pub(super) fn stamps(&self) -> Vec<Stamp> {
        let mut ids: Vec<MappingId> = self
            .pieces
            .iter()
            .map(|piece| MappingId::from(&piece.mapped))
            .collect();
        ids.sort_unstable_by_key(|id| (id.stamp, id.start));
        ids.dedup();
        ids.into_iter().map(|id| id.stamp).collect()
    }

    fn calls(&self) -> Vec<Call> {
        calls(self.pieces.iter().map(|piece| piece.mapped.call))
    }
}

/// A site whose mappings the kernel was asked about.
struct Verified {
    group: GroupId,
    site: Site,
    found: Vec<Residency>,
    complete: bool,
}

impl Verified {
    fn sum(&self, bytes: impl Fn(&Residency) -> u64) -> u64 {
        self.found.iter().map(bytes).fold(0, u64::saturating_add)
    }

    /// What the kernel says it is: nobody tells what `mremap` moved.
    fn kind(&self) -> Kind {
        let of_file = |found: &Residency| {
            let name = found.name.as_deref().unwrap_or_default();
            name.starts_with(b"/") && !name.starts_with(b"/SYSV") && !name.starts_with(b"/dev/zero")
        };
        let moved = self.site.calls() == [Call::Mremap];
        if moved && self.found.iter().all(of_file) {
            Kind::FileBacked
        } else {
            self.group.kind
        }
    }
}

impl Agent {
    /// Looks at every site of every living process.
    pub(super) fn judge_mappings(&mut self, now: Stamp) {
        let sites = self.sites(now);
        self.clear_unmapped(&sites, now);
        for (group, site) in sites {
            let stamps = site.stamps();
            if !self.is_late(group, &stamps) {
                // Resident since the warm-up: no pile, and nothing to remember.
                self.piles.remove(&group);
                self.resolve(group, Resolution::Released, now);
                continue;
            }
            let taken_over = self.ledger.memory.foreign_releases(group.process);
            let held = site.pieces.len() + site.young.len();
            let total = held as i64 - taken_over as i64;
            let pile = self.piles.entry(group).or_default();
            pile.record(now, stamps.len() as u64, total);
            let suspect = matches!(
                self.check_pile(group, [&stamps, &site.young], now),
                Check::Suspect(_)
            );
            if !suspect && !self.findings.is_open(group) {
                continue;
            }
            if !self.stacks.are_named(group.process, group.stack) {
                continue;
            }
            if group.kind == Kind::Anon && self.stacks.is_allocators(group.stack) {
                // The process grows by it, which is told, and who let it grow.
                self.resolve(group, Resolution::Withdrawn, now);
            } else if let Some(verified) = self.ask_kernel(group, site) {
                self.conclude_site(&verified, now);
            }
        }
    }

    /// Mappings by site, oldest first; those that are never a leak by themselves left out.
    fn sites(&self, now: Stamp) -> BTreeMap<GroupId, Site> {
        let mut sites: BTreeMap<GroupId, Site> = BTreeMap::new();
        for piece in self.ledger.memory.held() {
            if !is_candidate(&piece) {
                continue;
            }
            if let Some(group) = self.ledger.memory.group_of(&piece)
                && self.judging.wants(group.kind)
                && !self.is_own(group.process)
            {
                let site = sites.entry(group).or_default();
                if now.since(piece.mapped.stamp) >= self.judging.min_age {
                    site.pieces.push(piece);
                } else {
                    site.young.push(piece.mapped.stamp);
                }
            }
        }
        sites.retain(|_, site| !site.pieces.is_empty());
        for site in sites.values_mut() {
            site.pieces.sort_unstable_by_key(|piece| piece.range.start);
        }
        sites
    }

    fn is_own(&self, process: ProcessId) -> bool {
        self.ledger.processes.get(process).is_some_and(is_own)
    }

    fn clear_unmapped(&mut self, sites: &BTreeMap<GroupId, Site>, now: Stamp) {
        let is_mapping = |group: GroupId| group.kind.resource() == Resource::Mmap;
        self.forget_piles(
            |group| is_mapping(group) && !sites.contains_key(&group),
            now,
        );
    }

    /// Whether any of it came after the warm-up.
    fn is_late(&self, group: GroupId, stamps: &[Stamp]) -> bool {
        let warm_at = self.observed_from(group.process);
        let warm_at = warm_at.after(self.judging.warm_up);
        stamps.last().is_some_and(|youngest| *youngest > warm_at)
    }

    fn check_pile(&self, group: GroupId, stamps: [&[Stamp]; 2], now: Stamp) -> Check {
        let detectors: [Box<dyn Detector>; 1] = [Box::new(Accumulation)];
        self.check(&detectors, group, stamps, now)
    }

    /// What is still mapped of a site, and in memory. `None` where the process has gone, or too
    /// little was ever touched to matter.
    fn ask_kernel(&mut self, group: GroupId, mut site: Site) -> Option<Verified> {
        let complete = site.pieces.len() <= LOOKS;
        site.pieces.truncate(LOOKS);
        let ranges: Vec<Range> = site.pieces.iter().map(|piece| piece.range).collect();
        let found = match self.procfs.residency(group.process.tgid, &ranges) {
            Ok(found) if self.procfs.is_alive(group.process) => found,
            Ok(_) | Err(ProcError::Gone { .. }) => return None,
            Err(_) => Vec::new(),
        };
        let complete = complete && found.len() == site.pieces.len();
        let mut verified = Verified {
            group,
            site: Site {
                pieces: Vec::new(),
                young: site.young,
            },
            found: Vec::new(),
            complete,
        };
        for (piece, found) in site.pieces.into_iter().zip(found) {
            if found.mapped_bytes == 0 {
                let id = MappingId::from(&piece.mapped);
                self.ledger.refute_memory(id, piece.range);
            } else if is_held(&piece, &found) {
                verified.site.pieces.push(piece);
                verified.found.push(found);
            }
        }
        Some(verified)
    }

    /// Judges anew what is left after verification, and reports it. A pile that was told and does
    /// not climb is held long, as handles are.
    fn conclude_site(&mut self, verified: &Verified, now: Stamp) {
        let group = verified.group;
        let stamps = verified.site.stamps();
        if stamps.is_empty() {
            return self.resolve(group, Resolution::Released, now);
        }
        let climbs = matches!(
            self.check_pile(group, [&stamps, &verified.site.young], now),
            Check::Suspect(_)
        );
        if !climbs && !self.findings.is_open(group) {
            return;
        }
        let mut finding = self.describe_site(verified, &stamps, now);
        if climbs && !self.shows(&finding) {
            return self.resolve(group, Resolution::Withdrawn, now);
        }
        if !climbs {
            finding.verdict = Verdict::Aged;
        }
        self.tell(group, finding, now);
    }

    /// A pile of touched memory that would make its process grow must be seen to do so: an
    /// allocator that collects garbage maps more and more until it has done so for the first
    /// time.
    fn shows(&self, finding: &Finding) -> bool {
        let of = match finding.kind {
            Kind::Anon => Kind::HeapAnon,
            Kind::SharedMap => Kind::HeapShm,
            // Pages of files are the kernel's to drop.
            _ => return true,
        };
        let bytes = finding.open_bytes.unwrap_or(0) as f64;
        let touched = finding.resident_bytes.unwrap_or(0) as f64 >= bytes / 2.0;
        let pace = finding.growth.map_or(0.0, |growth| growth.slope_per_second);
        let pace = pace * bytes / finding.open_count.max(1) as f64;
        if !touched || pace < self.judging.sizes.growth_warning {
            return true;
        }
        let outcome = self.usages.outcome(finding.process.id, of);
        matches!(outcome, Outcome::Growing(_) | Outcome::Creeping(_))
    }

    fn describe_site(&mut self, verified: &Verified, stamps: &[Stamp], now: Stamp) -> Finding {
        let (group, kind, calls) = (verified.group, verified.kind(), verified.site.calls());
        let process = self.living(group.process);
        let population = self.ledger.populations.get(group);
        let origin = self.stacks.origin(group.stack);
        let growth = self.piles.get(&group).and_then(growth);
        let evidence = self.evidence(Some(group.process));
        let evidence = evidence.of_verified(verified.complete);
        let ceiling = self.procfs.map_ceiling(group.process.tgid);
        Finding {
            fingerprint: fingerprint::of(&process, kind, &calls, origin.as_ref()),
            calls,
            origin,
            verified: verified.complete,
            open_count: stamps.len() as u64,
            open_bytes: Some(verified.sum(|found| found.mapped_bytes)),
            resident_bytes: Some(verified.sum(Residency::used_bytes)),
            acquired_count: population.acquired,
            released_count: population.released,
            late_count: self.late(group.process, stamps),
            lives: population.lives(),
            oldest_age: stamps.first().map(|stamp| now.since(*stamp)),
            growth,
            history: self.course(group, stamps.len() as u64),
            // Every mapping counts, whatever its size.
            limit: ceiling.map(|ceiling| limit(ceiling, growth)),
            samples: samples(verified, now),
            ..Finding::of(process, kind, Verdict::Leak, evidence, now)
        }
    }
}

/// Left out: what was only set aside, stacks of threads, which are judged as threads, and files
/// that are mapped to be executed, which is a loader's work.
fn is_candidate(piece: &Piece) -> bool {
    let mapped = &piece.mapped;
    let kind = mapped.kind();
    let code = kind == Kind::FileBacked && i32::from(mapped.protection) & libc::PROT_EXEC != 0;
    kind.resource() == Resource::Mmap && !mapped.is_reservation() && !code
}

/// Not set aside: accessible, and promised or touched.
fn is_held(piece: &Piece, found: &Residency) -> bool {
    let touched = found.used_bytes() > 0;
    found.accessible_bytes > 0 && (touched || !piece.mapped.is_unreserved())
}

fn samples(verified: &Verified, now: Stamp) -> Vec<Sample> {
    let pieces = verified.site.pieces.iter().zip(&verified.found);
    let mut oldest: Vec<_> = pieces.collect();
    oldest.sort_by_key(|(piece, _)| piece.mapped.stamp);
    let sampled = oldest
        .into_iter()
        .take(SAMPLES)
        .map(|(piece, found)| Sample {
            handle: Handle::Memory(piece.range),
            acquired_at: Some(piece.mapped.stamp),
            age: Some(now.since(piece.mapped.stamp)),
            call: Some(piece.mapped.call),
            target: found
                .name
                .as_deref()
                .map(|name| String::from_utf8_lossy(name).into_owned()),
        });
    sampled.collect()
}

impl Agent {
    /// Writes what is held of every process.
    pub(super) fn show_mappings(&mut self) {
        let stamp = kernel::now();
        let running = self.ledger.processes.running();
        let id = |(tgid, id): (u32, Option<_>)| id.or_else(|| self.procfs.identity(tgid).ok());
        let running: Vec<_> = running.filter_map(id).collect();
        for process in running {
            let held = self.ledger.memory.held_by(process);
            let ranges = held.map(|piece| piece.range).collect();
            let process = self.living(process);
            self.out.report(&Report::Mappings(Mappings {
                stamp,
                process,
                ranges,
            }));
        }
    }
}
