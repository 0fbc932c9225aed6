//! What keeps growing: memory, with the sites that have it, and counts of threads, timers,
//! zombies and watches.

use std::collections::BTreeMap;

use super::{Context, mappings::Site};
use crate::{
    detect::growth::{self, forecast},
    findings::fingerprint,
    judge::{
        first_ramp::{LEAST, first_ramp, is_beyond, leads_somewhere},
        question::{CeilingRequest, Ceilings, Inspected},
    },
    ledger::population::GroupId,
    model::{
        finding::{self, Finding, Growth, Limit, Trend, Verdict},
        memory::{Ceiling, HeldRange},
        observed::Residency,
        origin::StackId,
        resource::{Kind, Resource},
    },
};

/// Sites named with a growth.
const SITES: usize = 10;

/// Sites that have memory of one process, the most first.
pub type Ranked = Vec<(Kind, Option<StackId>, finding::Site)>;

/// Which ceilings a growth of this kind is heading for.
pub fn ceilings_wanted(kind: Kind) -> CeilingRequest {
    let mut wanted = CeilingRequest::default();
    match kind {
        Kind::HeapAnon | Kind::HeapShm => wanted.memory = true,
        Kind::Thread => wanted.threads = true,
        Kind::Unjoined => wanted.mappings = true,
        Kind::PosixTimer => wanted.timers = true,
        Kind::InotifyWatch => wanted.watches = true,
        Kind::Key => wanted.keys = true,
        _ => {}
    }
    wanted
}

fn ceilings(kind: Kind, found: &Ceilings) -> Vec<Ceiling> {
    match kind {
        Kind::HeapAnon | Kind::HeapShm => found.memory.clone(),
        Kind::Thread => found.threads.clone(),
        Kind::Unjoined => found.mappings.into_iter().collect(),
        Kind::PosixTimer => found.timers.into_iter().collect(),
        Kind::InotifyWatch => found.watches.into_iter().collect(),
        Kind::Key => found.keys.into_iter().collect(),
        _ => Vec::new(),
    }
}

/// Whether a growth may be worth telling, whatever `/proc` says of the process.
pub fn may_matter(kind: Kind, growth: &growth::Growth) -> bool {
    kind.resource() != Resource::Heap || is_beyond(growth, LEAST)
}

/// Whether a growth is worth telling: of counts every one, of memory what goes beyond a first ramp
/// and leads somewhere.
pub fn matters(kind: Kind, growth: &growth::Growth, inspected: &Inspected) -> bool {
    if kind.resource() != Resource::Heap {
        return true;
    }
    let limit = limit(growth, &inspected.ceilings.memory);
    let exhausted_in = limit.and_then(|limit| limit.exhausted_in);
    is_beyond(growth, ramp(kind, growth, inspected)) && leads_somewhere(growth, exhausted_in)
}

/// Whether most of a growth are these bytes, which grow in step with handles.
pub fn is_explained(growth: &growth::Growth, in_step: u64) -> bool {
    0 < in_step && growth.to.saturating_sub(growth.from) <= in_step.saturating_mul(2)
}

/// No runtime has its heap in shared memory.
fn ramp(kind: Kind, growth: &growth::Growth, inspected: &Inspected) -> u64 {
    let runtime = inspected.runtime.filter(|_| kind == Kind::HeapAnon);
    match kind.resource() {
        Resource::Heap => first_ramp(runtime, growth.baseline, &inspected.ceilings.memory),
        _ => 0,
    }
}

/// The memory of a process that counts to a growth of this kind, by address; nothing for what is no
/// memory.
pub fn pieces(context: &Context, group: GroupId) -> Vec<HeldRange> {
    if group.kind.resource() != Resource::Heap {
        return Vec::new();
    }
    let shared = group.kind == Kind::HeapShm;
    let of_kind = |piece: &HeldRange| match piece.mapped.kind() {
        Kind::SharedMap | Kind::FileBacked => shared,
        Kind::Anon | Kind::Brk => !shared,
        _ => false,
    };
    let held = context.ledger.memory.held_by(group.process);
    held.filter(of_kind).collect()
}

/// Who has what grows.
pub fn ranked(context: &Context, group: GroupId, inspected: &Inspected) -> Ranked {
    if group.kind.resource() == Resource::Heap {
        users(context, group, inspected)
    } else {
        stacks_of_threads(context, group)
    }
}

/// Who has the memory of a process, as far as it is in use: by site, the most bytes first.
fn users(context: &Context, group: GroupId, inspected: &Inspected) -> Ranked {
    let used = |piece: &HeldRange| {
        let found = inspected.residency_of(piece.range);
        found.map_or(0, Residency::used_bytes)
    };
    let pieces = pieces(context, group).into_iter();
    by_site(pieces.map(|piece| (piece.mapped.kind(), used(&piece), piece)))
}

/// Who has started the threads of a process, by the stacks that are there.
fn stacks_of_threads(context: &Context, group: GroupId) -> Ranked {
    if group.kind.resource() != Resource::Thread {
        return Vec::new();
    }
    let held = context.ledger.memory.held_by(group.process);
    let stacks = held.filter(|piece| piece.mapped.is_stack());
    by_site(stacks.map(|piece| (group.kind, piece.range.bytes(), piece)))
}

/// Pieces with what they are and their bytes, by site.
fn by_site(pieces: impl Iterator<Item = (Kind, u64, HeldRange)>) -> Ranked {
    let mut sites: BTreeMap<(Kind, Option<StackId>), (u64, Site)> = BTreeMap::new();
    for (kind, more, piece) in pieces {
        let (bytes, site) = sites.entry((kind, piece.stack)).or_default();
        *bytes = bytes.saturating_add(more);
        site.pieces.push(piece);
    }
    let used = sites.into_iter().filter(|(_, (bytes, _))| *bytes > 0);
    let mut ranked: Ranked = used
        .map(|((kind, stack), (bytes, site))| {
            let site = finding::Site {
                place: None,
                kind,
                bytes,
                count: site.stamps().len() as u64,
            };
            (kind, stack, site)
        })
        .collect();
    ranked.sort_by_key(|(.., site)| std::cmp::Reverse(site.bytes));
    ranked.truncate(SITES);
    ranked
}

/// The finding.
pub fn describe(
    context: &Context,
    group: GroupId,
    growth: &growth::Growth,
    ranked: Ranked,
    inspected: &Inspected,
) -> Finding {
    let (process, kind) = (context.identity(group.process), group.kind);
    let heap = kind.resource() == Resource::Heap;
    let verdict = if heap { Verdict::Growth } else { Verdict::Leak };
    let origin = ranked.first().and_then(|(_, stack, _)| *stack);
    let known: u64 = ranked.iter().map(|(.., site)| site.count).sum();
    let evidence = context.evidence(group.process);
    let size = heap.then_some(growth.to);
    Finding {
        fingerprint: fingerprint::of(&process, kind, &[], None),
        origin: context.names.origin(origin),
        verified: true,
        open_count: if heap { known } else { growth.to },
        open_bytes: size,
        resident_bytes: size,
        acquired_count: known,
        growth: Some(told(growth, ramp(kind, growth, inspected))),
        limit: limit(growth, &ceilings(kind, &inspected.ceilings)),
        sites: if heap {
            named(context, ranked)
        } else {
            Vec::new()
        },
        ..Finding::of(process, kind, verdict, evidence, context.now)
    }
}

/// Places beside the bytes, each once, by however many ways it was reached.
pub fn named(context: &Context, ranked: Ranked) -> Vec<finding::Site> {
    let mut sites: Vec<finding::Site> = Vec::new();
    for (_, stack, site) in ranked {
        let place = context.names.origin(stack).and_then(|origin| origin.place);
        let same = |known: &&mut finding::Site| (&known.place, known.kind) == (&place, site.kind);
        match sites.iter_mut().find(same) {
            Some(known) => {
                known.bytes = known.bytes.saturating_add(site.bytes);
                known.count = known.count.saturating_add(site.count);
            }
            None => sites.push(finding::Site { place, ..site }),
        }
    }
    sites.sort_by_key(|site| std::cmp::Reverse(site.bytes));
    sites
}

fn told(growth: &growth::Growth, first_ramp: u64) -> Growth {
    Growth {
        slope_per_second: growth.slope_per_second,
        window: growth.window,
        trend: Some(Trend {
            low: growth.low,
            high: growth.high,
            p_value: growth.p_value,
            shape: growth.shape,
            samples: growth.samples,
            baseline: growth.baseline,
            first_ramp,
            critical: growth.level == growth::Level::Critical,
        }),
    }
}

/// The nearest ceiling, or nothing.
fn limit(growth: &growth::Growth, ceilings: &[Ceiling]) -> Option<Limit> {
    let forecast = forecast::nearest(growth, ceilings)?;
    Some(Limit {
        name: forecast.ceiling.name,
        value: forecast.ceiling.value,
        used: forecast.ceiling.used,
        exhausted_in: Some(forecast.after),
        uncertainty: Some((forecast.earliest, forecast.latest)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        judge::{
            question::{Inspect, Purpose},
            testing::{PROCESS, context, mapped},
        },
        model::event::Event,
    };

    #[test]
    fn sites_are_ranked_by_what_they_use() {
        let mut context = context();
        for first in [1, 10] {
            context.ledger.apply(Event::Mapped(mapped(first, 4, 20)));
        }
        let group = GroupId::of(PROCESS, Kind::HeapAnon);
        let pieces = pieces(&context, group);
        assert_eq!(pieces.len(), 2);
        let residency = |piece: &HeldRange| Residency {
            range: piece.range,
            mapped_bytes: piece.range.bytes(),
            accessible_bytes: piece.range.bytes(),
            noreserve_bytes: 0,
            resident_bytes: 4096,
            swap_bytes: 4096,
            dirty_bytes: 0,
            huge_bytes: 0,
            estimated: false,
            name: None,
        };
        let inspect = Inspect::new(PROCESS, Purpose::Growth);
        let inspected = Inspected {
            residency: Some(pieces.iter().map(residency).collect()),
            ..Inspected::gone(&inspect)
        };
        let ranked = ranked(&context, group, &inspected);
        let told: Vec<_> = ranked
            .iter()
            .map(|(_, _, site)| (site.bytes, site.count))
            .collect();
        assert_eq!(told, [(4 * 4096, 2)], "one site, both ranges");
        let nothing = super::ranked(&context, group, &Inspected::gone(&inspect));
        assert!(nothing.is_empty(), "what is not in use is nobody's");
    }

    #[test]
    fn a_growth_is_held_against_the_ceilings_of_its_kind() {
        assert!(ceilings_wanted(Kind::HeapAnon).memory);
        assert!(ceilings_wanted(Kind::Thread).threads);
        assert!(ceilings_wanted(Kind::Unjoined).mappings);
        assert!(ceilings_wanted(Kind::PosixTimer).timers);
        assert!(ceilings_wanted(Kind::InotifyWatch).watches);
        assert_eq!(ceilings_wanted(Kind::Zombie), CeilingRequest::default());
    }
}
