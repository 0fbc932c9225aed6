//! Memory that is mapped and stays, while its process runs: the kernel takes everything back at the
//! end, and everybody leaves some.

use std::collections::BTreeMap;

use super::{Context, SAMPLES, calls, limit, slope};
use crate::{
    detect::{Accumulation, Check, Detector as _, GroupSample, History, growth::Outcome},
    findings::fingerprint,
    judge::question::Inspected,
    ledger::population::GroupId,
    model::{
        finding::{Finding, Handle, Sample, Verdict},
        ids::Stamp,
        memory::{HeldRange, MappingId, Range},
        observed::Residency,
        resource::{Call, Kind, Resource},
    },
};

/// Mappings of one process and site that have been held for the minimum age; by address.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// What is left of them.
    pub pieces: Vec<HeldRange>,
    /// When those were acquired that are younger.
    pub young: Vec<Stamp>,
}

impl Site {
    /// When what is left was acquired, the oldest first, and each acquisition once.
    pub fn stamps(&self) -> Vec<Stamp> {
        let mut ids: Vec<MappingId> = self
            .pieces
            .iter()
            .map(|piece| MappingId::from(&piece.mapped))
            .collect();
        ids.sort_unstable_by_key(|id| (id.stamp, id.start));
        ids.dedup();
        ids.into_iter().map(|id| id.stamp).collect()
    }

    /// How many there are, whatever their age, but for those that took the place of others which
    /// were there before memguard came.
    pub fn total(&self, context: &Context, group: GroupId) -> i64 {
        let taken_over = context.ledger.memory.foreign_releases(group.process);
        (self.pieces.len() + self.young.len()) as i64 - taken_over as i64
    }

    /// Whether any of it came after the warm-up.
    pub fn is_late(&self, context: &Context, group: GroupId) -> bool {
        let youngest = self.pieces.iter().map(|piece| piece.mapped.stamp).max();
        youngest.is_some_and(|youngest| youngest > context.warm_at(group.process))
    }

    /// Whether it piles up.
    pub fn is_suspect(&self, context: &Context, group: GroupId, history: &History) -> bool {
        let population = context.ledger.populations.get(group);
        let sample = GroupSample {
            survivors: &self.stamps(),
            young: &self.young,
            ..context.sample(group, &population, history)
        };
        matches!(Accumulation.check(&sample), Check::Suspect(_))
    }

    fn calls(&self) -> Vec<Call> {
        calls(self.pieces.iter().map(|piece| piece.mapped.call))
    }
}

/// Whether a group is of mappings.
pub fn is_mapping(group: GroupId) -> bool {
    group.kind.resource() == Resource::Mmap && !group.kind.is_whole()
}

/// Mappings by site; those that are never a leak by themselves left out.
pub fn sites(context: &Context) -> BTreeMap<GroupId, Site> {
    let mut sites: BTreeMap<GroupId, Site> = BTreeMap::new();
    for piece in context.ledger.memory.held().filter(is_candidate) {
        if let Some(group) = context.ledger.memory.group_of(&piece)
            && context.wants(group.kind)
            && !context.is_own(group.process)
        {
            let site = sites.entry(group).or_default();
            if context.now.since(piece.mapped.stamp) >= context.config.min_age {
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

/// Left out: what was only set aside, stacks of threads, which are judged as threads, and files
/// that are mapped to be executed, which is a loader's work.
fn is_candidate(piece: &HeldRange) -> bool {
    let mapped = &piece.mapped;
    let kind = mapped.kind();
    let code = kind == Kind::FileBacked && i32::from(mapped.protection) & libc::PROT_EXEC != 0;
    kind.resource() == Resource::Mmap && !mapped.is_reservation() && !code
}

/// Whether the process grows by a site, which is told, and who let it grow.
pub fn is_allocators(context: &Context, group: GroupId) -> bool {
    group.kind == Kind::Anon && context.names.is_allocators(group.stack)
}

/// A site whose mappings the kernel was asked about.
#[derive(Debug)]
pub struct Verified {
    group: GroupId,
    site: Site,
    found: Vec<Residency>,
    complete: bool,
    /// Those of which the kernel shows nothing any more.
    pub refuted: Vec<(MappingId, Range)>,
}

impl Verified {
    /// What is still mapped of a site, and in memory.
    pub fn new(group: GroupId, site: Site, inspected: &Inspected) -> Self {
        let mut verified = Self {
            group,
            site: Site {
                pieces: Vec::new(),
                young: site.young,
            },
            found: Vec::new(),
            complete: true,
            refuted: Vec::new(),
        };
        for piece in site.pieces {
            verified.add(piece, inspected.residency_of(piece.range));
        }
        verified
    }

    fn add(&mut self, piece: HeldRange, found: Option<&Residency>) {
        match found {
            None => self.complete = false,
            Some(found) if found.mapped_bytes == 0 => {
                let id = MappingId::from(&piece.mapped);
                self.refuted.push((id, piece.range));
            }
            Some(found) if is_held(&piece, found) => {
                self.site.pieces.push(piece);
                self.found.push(found.clone());
            }
            Some(_) => {}
        }
    }

    fn sum(&self, bytes: impl Fn(&Residency) -> u64) -> u64 {
        self.found.iter().map(bytes).fold(0, u64::saturating_add)
    }

    /// Nothing is left.
    pub fn is_empty(&self) -> bool {
        self.site.pieces.is_empty()
    }

    /// Whether it piles up, after verification.
    pub fn climbs(&self, context: &Context, history: &History) -> bool {
        self.site.is_suspect(context, self.group, history)
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

    /// The finding, as a leak.
    pub fn describe(&self, context: &Context, history: &History, inspected: &Inspected) -> Finding {
        let (group, kind, calls) = (self.group, self.kind(), self.site.calls());
        let (process, stamps) = (context.identity(group.process), self.site.stamps());
        let population = context.ledger.populations.get(group);
        let origin = context.origin(group, &stamps);
        let common = context.common_origin(group);
        let growth = slope(history);
        let evidence = context.evidence(group.process).of_verified(self.complete);
        let ceiling = inspected.ceilings.mappings;
        Finding {
            fingerprint: fingerprint::of(&process, kind, &calls, common.as_ref()),
            calls,
            origin,
            verified: self.complete,
            open_count: stamps.len() as u64,
            open_bytes: Some(self.sum(|found| found.mapped_bytes)),
            resident_bytes: Some(self.sum(Residency::used_bytes)),
            acquired_count: population.acquired,
            released_count: population.released,
            late_count: context.late(group.process, &stamps),
            lives: population.lives(),
            oldest_age: stamps.first().map(|stamp| context.now.since(*stamp)),
            growth,
            history: super::descriptors::shown(history, stamps.len() as u64),
            // Every mapping counts, whatever its size.
            limit: ceiling.map(|ceiling| limit(ceiling, growth)),
            samples: self.samples(context.now),
            ..Finding::of(process, kind, Verdict::Leak, evidence, context.now)
        }
    }

    fn samples(&self, now: Stamp) -> Vec<Sample> {
        let mut oldest: Vec<_> = self.site.pieces.iter().zip(&self.found).collect();
        oldest.sort_by_key(|(piece, _)| piece.mapped.stamp);
        let sampled = oldest.into_iter().take(SAMPLES);
        let sampled = sampled.map(|(piece, found)| Sample {
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
}

/// Not set aside: accessible, and promised or touched.
fn is_held(piece: &HeldRange, found: &Residency) -> bool {
    let touched = found.used_bytes() > 0;
    found.accessible_bytes > 0 && (touched || !piece.mapped.is_unreserved())
}

/// The kind of growth that would show a pile of touched memory; `None` where none need show it:
/// pages of files are the kernel's to drop.
pub fn shows_as(finding: &Finding) -> Option<Kind> {
    match finding.kind {
        Kind::Anon => Some(Kind::HeapAnon),
        Kind::SharedMap => Some(Kind::HeapShm),
        _ => None,
    }
}

/// A pile of touched memory must be seen to make its process grow (`outcome`, of [`shows_as`]).
///
/// An allocator that collects garbage maps more and more until it has done so for
/// the first time.
pub fn shows(context: &Context, finding: &Finding, outcome: Outcome) -> bool {
    let bytes = finding.open_bytes.unwrap_or(0) as f64;
    let touched = finding.resident_bytes.unwrap_or(0) as f64 >= bytes / 2.0;
    let pace = finding.growth.map_or(0.0, |growth| growth.slope_per_second);
    let pace = pace * bytes / finding.open_count.max(1) as f64;
    !touched
        || pace < context.config.sizes.growth_warning
        || matches!(outcome, Outcome::Growing(_) | Outcome::Creeping(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        judge::testing::{context, mapped},
        model::{event::Event, memory::Mapped},
    };

    fn range_of(mapped: Mapped) -> HeldRange {
        HeldRange {
            range: mapped.range,
            mapped,
            stack: None,
        }
    }

    #[test]
    fn what_is_set_aside_code_and_stacks_are_no_candidates() {
        let anonymous = mapped(1, 4, 10);
        let aside = Mapped {
            protection: 0,
            ..anonymous
        };
        let stack = Mapped {
            flags: anonymous.flags | libc::MAP_STACK as u32,
            ..anonymous
        };
        let code = Mapped {
            protection: libc::PROT_EXEC as u8,
            flags: libc::MAP_PRIVATE as u32,
            ..anonymous
        };
        for (mapped, expected) in [
            (anonymous, true),
            (aside, false),
            (stack, false),
            (code, false),
        ] {
            assert_eq!(is_candidate(&range_of(mapped)), expected, "{mapped:?}");
        }
    }

    #[test]
    fn a_site_is_what_was_held_for_the_minimum_age() {
        let mut context = context();
        for (first, at) in [(1, 20), (10, 30), (20, 95)] {
            context.ledger.apply(Event::Mapped(mapped(first, 4, at)));
        }
        let sites = sites(&context);
        let (group, site) = sites.iter().next().unwrap();
        assert_eq!(
            (sites.len(), site.pieces.len(), site.young.len()),
            (1, 2, 1)
        );
        assert!(site.is_late(&context, *group));
        assert_eq!(site.total(&context, *group), 3);
        assert!(
            !site.is_suspect(&context, *group, &History::default()),
            "two"
        );
    }
}
