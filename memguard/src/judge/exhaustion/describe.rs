//! The finding: how much of the limit is in use, how fast it fills, and who holds most.

use std::collections::BTreeMap;

use super::{Nearing, Rise};
use crate::{
    findings::fingerprint,
    judge::{Context, growth},
    ledger::population::GroupId,
    model::{
        finding::{Evidence, Finding, Growth, Site, Verdict},
        ids::ProcessId,
        memory::HeldRange,
        origin::StackId,
        resource::{Call, Kind},
    },
};

/// Sites named.
const SITES: usize = 5;

/// Who holds it: what it is, where and by which call it was acquired.
type Holder = (Kind, Option<StackId>, Call);

/// Stacks of those who hold most of what is counted.
pub fn stacks(context: &Context, process: ProcessId, kind: Kind) -> Vec<StackId> {
    let holders = holders(context, process, kind);
    holders
        .iter()
        .filter_map(|((_, stack, _), _)| *stack)
        .collect()
}

/// The finding.
pub fn describe(context: &Context, process: ProcessId, kind: Kind, nearing: &Nearing) -> Finding {
    let known = context.ledger.processes.get(process);
    let before = known.map_or(0, |process| process.preexisting.len()) as u64;
    let info = context.identity(process);
    let now = nearing.course.last().unwrap_or(0);
    let size = kind.is_size().then_some(now);
    let of_descriptors = kind == Kind::AllDescriptors;
    // Counts and limits are the kernel's own: no loss of events makes them doubtful.
    let evidence = Evidence::default();
    Finding {
        fingerprint: fingerprint::of(&info, kind, &[], None),
        verified: true,
        open_count: if kind.is_size() { 0 } else { now },
        open_bytes: size,
        hoarded: if of_descriptors { before } else { 0 },
        growth: nearing.rise.map(told),
        history: nearing.course.summary(),
        limit: Some(nearing.limit),
        sites: sites(context, process, kind),
        ..Finding::of(info, kind, Verdict::Exhaustion, evidence, context.now)
    }
}

fn told(rise: Rise) -> Growth {
    Growth {
        slope_per_second: rise.per_second(),
        window: rise.window,
        trend: None,
    }
}

/// Places beside how much they hold, each once; the call where the place is not known.
fn sites(context: &Context, process: ProcessId, kind: Kind) -> Vec<Site> {
    let mut sites: Vec<Site> = Vec::new();
    for ((kind, stack, call), held) in holders(context, process, kind) {
        let place = context.names.origin(stack).and_then(|origin| origin.place);
        let place = place.or_else(|| (call != Call::Unknown).then(|| call.name().to_owned()));
        let same = |site: &&mut Site| (&site.place, site.kind) == (&place, kind);
        if let Some(site) = sites.iter_mut().find(same) {
            site.bytes = site.bytes.saturating_add(held.bytes);
            site.count = site.count.saturating_add(held.count);
        } else {
            sites.push(Site {
                place,
                kind,
                ..held
            });
        }
    }
    sites.sort_by_key(|site| std::cmp::Reverse((site.bytes, site.count)));
    sites
}

/// The most first.
fn holders(context: &Context, process: ProcessId, kind: Kind) -> Vec<(Holder, Site)> {
    let mut holders: BTreeMap<Holder, Site> = BTreeMap::new();
    let mut add = |holder: Holder, bytes: u64| {
        let site = holders.entry(holder).or_insert(Site {
            place: None,
            kind: holder.0,
            bytes: 0,
            count: 0,
        });
        site.bytes = site.bytes.saturating_add(bytes);
        site.count = site.count.saturating_add(1);
    };
    if kind == Kind::AllDescriptors {
        let held = context.ledger.held();
        for held in held.filter(|held| held.acquired.process == process) {
            let of = GroupId::from(held);
            add((of.kind, of.stack, held.acquired.call), 0);
        }
    } else {
        for piece in pieces(context, process, kind) {
            let bytes = if kind.is_size() {
                piece.range.bytes()
            } else {
                0
            };
            add((piece.mapped.kind(), piece.stack, piece.mapped.call), bytes);
        }
    }
    let mut holders: Vec<_> = holders.into_iter().collect();
    holders.sort_by_key(|(_, site)| std::cmp::Reverse((site.bytes, site.count)));
    holders.truncate(SITES);
    holders
}

/// Memory that counts to it: all that is mapped, stacks of threads, or what is anonymous.
fn pieces(context: &Context, process: ProcessId, kind: Kind) -> Vec<HeldRange> {
    match kind {
        Kind::AllMemory => return growth::pieces(context, GroupId::of(process, Kind::HeapAnon)),
        Kind::AllWatches | Kind::AllKeys => return Vec::new(),
        _ => {}
    }
    let held = context.ledger.memory.held_by(process);
    held.filter(|piece| kind != Kind::AllThreads || piece.mapped.is_stack())
        .collect()
}
