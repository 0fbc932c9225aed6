//! Reports what keeps growing: memory, with the sites that have it, and counts of threads, timers
//! and zombies.

use std::collections::BTreeMap;

use super::{Agent, mappings::Site};
use crate::{
    detect::growth::{self, Outcome, forecast},
    findings::fingerprint,
    ledger::population::GroupId,
    model::{
        finding::{self, Finding, Growth, Limit, Resolution, Trend, Verdict},
        ids::{ProcessId, Stamp},
        memory::{Ceiling, Piece, Range},
        origin::StackId,
        resource::{Kind, Resource},
    },
    source::procfs::Residency,
};

/// Sites named with a growth.
const SITES: usize = 10;

/// Sites that have memory of one process, the most first.
pub(super) type Ranked = Vec<(Kind, Option<StackId>, finding::Site)>;

impl Agent {
    /// Tells what the last samples say.
    pub(super) fn judge_usage(&mut self, now: Stamp) {
        if !self.judging.wants(Kind::HeapAnon) {
            return;
        }
        self.count_idle_stacks(now);
        self.count_zombies(now);
        for (process, kind, outcome) in self.usages.outcomes() {
            let group = GroupId::of(process, kind);
            match outcome {
                Outcome::Growing(growth) if self.matters(group, &growth) => {
                    self.grows(group, growth, now);
                }
                Outcome::Growing(_) => self.resolve(group, Resolution::Withdrawn, now),
                _ => {
                    self.usages.rests(process, kind);
                    self.resolve(group, Resolution::Stopped, now);
                }
            }
        }
    }

    fn matters(&mut self, group: GroupId, growth: &growth::Growth) -> bool {
        self.judging.wants(group.kind)
            && match group.kind {
                Kind::Unjoined => growth.to > self.cached_stacks(group.process),
                Kind::HeapShm => self.objects_grow(group.process, growth.to),
                _ => true,
            }
    }

    /// Whether there is more shared memory, and not only more of it touched.
    fn objects_grow(&mut self, process: ProcessId, resident: u64) -> bool {
        let capacity = self.procfs.shared_capacity(process.tgid);
        capacity.is_ok_and(|capacity| self.usages.objects_grow(process, capacity, resident))
    }

    fn grows(&mut self, group: GroupId, growth: growth::Growth, now: Stamp) {
        let ranked = if group.kind.resource() == Resource::Heap {
            self.users(group)
        } else {
            self.stacks_of_threads(group)
        };
        let stacks: Vec<_> = ranked.iter().filter_map(|(_, stack, _)| *stack).collect();
        if !self.stacks.are_named(group.process, stacks) {
            // Told at the next judgement, with names.
            return;
        }
        let touchers = self.touchers(group);
        if !self.are_touchers_named(group.process, touchers.as_ref(), now) {
            return;
        }
        let finding = Finding {
            history: self.usages.course(group.process, group.kind),
            touched: touchers.map(|touchers| self.describe_touched(&touchers)),
            ..self.describe_growth(group, growth, ranked, now)
        };
        self.tell(group, finding, now);
    }

    pub(super) fn describe_growth(
        &mut self,
        group: GroupId,
        growth: growth::Growth,
        ranked: Ranked,
        now: Stamp,
    ) -> Finding {
        let (process, kind) = (self.living(group.process), group.kind);
        let heap = kind.resource() == Resource::Heap;
        let verdict = if heap { Verdict::Growth } else { Verdict::Leak };
        let origin = ranked.first().and_then(|(_, stack, _)| *stack);
        let known: u64 = ranked.iter().map(|(.., site)| site.count).sum();
        let evidence = self.evidence(Some(group.process));
        let size = heap.then_some(growth.to);
        Finding {
            fingerprint: fingerprint::of(&process, kind, &[], None),
            origin: self.stacks.origin(origin),
            verified: true,
            open_count: if heap { known } else { growth.to },
            open_bytes: size,
            resident_bytes: size,
            acquired_count: known,
            growth: Some(told(&growth)),
            limit: limit(&growth, &self.ceilings(group)),
            samples: self.zombie_samples(group, now),
            sites: self.named(ranked, heap),
            ..Finding::of(process, kind, verdict, evidence, now)
        }
    }

    fn ceilings(&self, group: GroupId) -> Vec<Ceiling> {
        let tgid = group.process.tgid;
        match group.kind {
            Kind::HeapAnon | Kind::HeapShm => self.procfs.memory_ceilings(tgid),
            Kind::Thread => self.procfs.thread_ceilings(tgid),
            Kind::Unjoined => self.procfs.map_ceiling(tgid).into_iter().collect(),
            Kind::PosixTimer => self.procfs.timer_ceiling(tgid).into_iter().collect(),
            _ => Vec::new(),
        }
    }

    /// Who has the memory of a process, as far as it is in use: by site, the most bytes first.
    fn users(&self, group: GroupId) -> Ranked {
        let shared = group.kind == Kind::HeapShm;
        let of_kind = |piece: &Piece| match piece.mapped.kind() {
            Kind::SharedMap | Kind::FileBacked => shared,
            Kind::Anon | Kind::Brk => !shared,
            _ => false,
        };
        let held = self.ledger.memory.held_by(group.process);
        let pieces: Vec<Piece> = held.filter(of_kind).collect();
        let ranges: Vec<Range> = pieces.iter().map(|piece| piece.range).collect();
        let found = self.procfs.residency(group.process.tgid, &ranges);
        let found = found.unwrap_or_default();
        let used = found.iter().map(Residency::used_bytes);
        ranked(
            pieces
                .into_iter()
                .zip(used)
                .map(|(piece, bytes)| (piece.mapped.kind(), piece, bytes)),
        )
    }

    /// Who has started the threads of a process, by the stacks that are there.
    fn stacks_of_threads(&self, group: GroupId) -> Ranked {
        if group.kind.resource() != Resource::Thread {
            return Vec::new();
        }
        let held = self.ledger.memory.held_by(group.process);
        let stacks = held.filter(|piece| piece.mapped.is_stack());
        ranked(stacks.map(|piece| (group.kind, piece, piece.range.bytes())))
    }

    /// Places beside the bytes, each once, by however many ways it was reached; none for what is no
    /// memory.
    fn named(&self, ranked: Ranked, heap: bool) -> Vec<finding::Site> {
        let mut sites: Vec<finding::Site> = Vec::new();
        for (_, stack, site) in ranked.into_iter().filter(|_| heap) {
            let place = self.stacks.origin(stack).and_then(|origin| origin.place);
            let same =
                |known: &&mut finding::Site| (&known.place, known.kind) == (&place, site.kind);
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
}

/// Pieces with what they are and their bytes, by site.
fn ranked(pieces: impl Iterator<Item = (Kind, Piece, u64)>) -> Ranked {
    let mut sites: BTreeMap<(Kind, Option<StackId>), (u64, Site)> = BTreeMap::new();
    for (kind, piece, more) in pieces {
        let (bytes, site) = sites.entry((kind, piece.stack)).or_default();
        *bytes = bytes.saturating_add(more);
        site.pieces.push(piece);
    }
    let ranked = sites.into_iter().filter(|(_, (bytes, _))| *bytes > 0);
    let mut ranked: Ranked = ranked
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

fn told(growth: &growth::Growth) -> Growth {
    Growth {
        slope_per_second: growth.slope_per_second,
        window: growth.window,
        trend: Some(Trend {
            low: growth.low,
            high: growth.high,
            p_value: growth.p_value,
            shape: growth.shape.name(),
            samples: growth.samples,
            baseline: growth.baseline,
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
