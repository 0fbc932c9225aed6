//! All interleavings, depth first; a state that was met before is not entered again.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::{
    actor::{Actor, fingerprint},
    judge::{Oddity, Verdict, judge},
    report::{Counterexample, Paths, Report},
    scenario::Scenario,
    world::World,
};

/// Whether states are met again: without it every interleaving is gone through, to check the
/// merging.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Merge {
    Yes,
    No,
}

struct Search<'a> {
    scenario: &'a Scenario,
    merge: Merge,
    is_known: &'a dyn Fn(Oddity) -> bool,
    world: World,
    actors: Vec<Actor>,
    /// Of each actor, the first that nobody can tell from it.
    twins: Vec<usize>,
    path: Vec<usize>,
    visited: HashMap<[u64; 2], Paths, FixedState>,
    report: Report,
}

/// Tries all interleavings. Ends at the first that breaks a property, or is odd in an unknown way.
pub(crate) fn explore(
    scenario: &Scenario,
    merge: Merge,
    is_known: &dyn Fn(Oddity) -> bool,
) -> Result<Report, Box<Counterexample>> {
    let actors = scenario.actors.len();
    let mut search = Search {
        scenario,
        merge,
        is_known,
        world: World::new(scenario),
        actors: vec![Actor::default(); actors],
        twins: (0..actors).map(|actor| scenario.twin(actor)).collect(),
        path: Vec::new(),
        visited: HashMap::default(),
        report: Report::new(scenario.name),
    };
    search.report.paths = search.visit()?;
    Ok(search.report)
}

impl Search<'_> {
    /// Everything that can follow the present state.
    fn visit(&mut self) -> Result<Paths, Box<Counterexample>> {
        let state = self.fingerprint();
        if let Some(known) = self.visited.get(&state) {
            self.report.merged += 1;
            return Ok(*known);
        }
        self.report.states += 1;
        let mut sum = Paths::default();
        let mut has_ended = true;
        for actor in self.order() {
            let world = self.world.clone();
            let before = self.actors[actor].checkpoint();
            if self.actors[actor].step(self.scenario, actor, &mut self.world, None) {
                has_ended = false;
                self.path.push(actor);
                sum.add(self.visit()?);
                self.path.pop();
            }
            self.world = world;
            self.actors[actor].reset(before);
        }
        if has_ended {
            sum = self.end()?;
        }
        if self.merge == Merge::Yes {
            self.visited.insert(state, sum);
        }
        Ok(sum)
    }

    /// Who may go on: first who went last, so that a counterexample switches seldom.
    fn order(&self) -> Vec<usize> {
        let last = self.path.last().copied();
        let others = (0..self.actors.len()).filter(|actor| Some(*actor) != last);
        let all = last.into_iter().chain(others);
        all.filter(|actor| !self.actors[*actor].is_through())
            .collect()
    }

    /// Of the world and of what each actor may still do; twins may be exchanged.
    fn fingerprint(&self) -> [u64; 2] {
        let actors = self.twins.iter().zip(&self.actors);
        let mut trails: Vec<_> = actors.map(|(twin, actor)| (*twin, actor.trail())).collect();
        trails.sort_unstable();
        fingerprint((&self.world, trails))
    }

    fn end(&mut self) -> Result<Paths, Box<Counterexample>> {
        let Verdict {
            oddities,
            mut broken,
        } = judge(self.scenario, &self.world);
        if self.actors.iter().any(Actor::is_underway) {
            broken.push("an actor is stuck".into());
        }
        if !broken.is_empty() || !oddities.iter().copied().all(self.is_known) {
            broken.extend(oddities.iter().map(Oddity::to_string));
            let steps = self.replay();
            return Err(Box::new(Counterexample {
                name: self.scenario.name,
                wrong: broken,
                steps,
            }));
        }
        self.report.end(&oddities, &self.world.counters);
        Ok(Paths::one(!oddities.is_empty()))
    }

    /// The present path once more, in words.
    fn replay(&self) -> Vec<String> {
        let mut world = World::new(self.scenario);
        let mut actors = vec![Actor::default(); self.actors.len()];
        let mut steps = Vec::new();
        for actor in &self.path {
            let mut trace = Vec::new();
            actors[*actor].step(self.scenario, *actor, &mut world, Some(&mut trace));
            let name = self.scenario.actor_name(*actor);
            steps.extend(trace.into_iter().map(|step| format!("{name:8} {step}")));
        }
        steps
    }
}
