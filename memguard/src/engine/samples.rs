//! What moves is sampled more often than it is judged: between two surveys.

use super::{Effect, Engine};
use crate::{
    judge::question::{Question, SurveyRequest, SurveyedProcess, UsageRequest},
    model::{ids::ProcessId, resource::Kind},
};

impl Engine {
    /// Samples that are due between two surveys, unless the last ones are not answered.
    pub(super) fn sample(&mut self) {
        let config = &self.context.config;
        let sampled_apart = config
            .sample_interval
            .is_some_and(|it| it < config.interval);
        if self.sampling || !sampled_apart || !self.context.wants(Kind::HeapAnon) {
            return;
        }
        let due = self.due();
        if !due.is_empty() {
            self.sampling = true;
            self.effects.push(Effect::Ask(Question::Samples(due)));
        }
    }

    /// Samples that are due.
    pub(super) fn due(&mut self) -> Vec<SurveyRequest> {
        let due = self.usages.due(self.context.now);
        let request = |(process, mut usage): (ProcessId, UsageRequest)| {
            usage.info = self.info_wanted(process);
            SurveyRequest {
                usage: Some(usage),
                ..SurveyRequest::new(process)
            }
        };
        due.into_iter().map(request).collect()
    }

    /// They are judged with the next survey.
    pub(super) fn sampled(&mut self, found: Vec<SurveyedProcess>) {
        self.sampling = false;
        for found in found {
            self.surveyed_process(found);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        config::DetectConfig,
        engine::{
            Input,
            tests::{acquired, answered, engine_of, second, surveyed},
        },
        judge::question::{Answer, Surveyed},
        model::event::Event,
    };

    /// How often samples are asked for apart in six seconds of which each third is looked at.
    fn asked_apart(sample_interval: Option<Duration>, answers: bool) -> usize {
        let config = DetectConfig {
            interval: Duration::from_secs(3),
            sample_interval,
            ..DetectConfig::testing(Duration::from_secs(2), Duration::from_secs(1))
        };
        let mut engine = engine_of(config, false);
        engine.handle(Input::Event(Event::Acquired(acquired(5, 3))));
        let mut asked = 0;
        for at in 4..10 {
            if at % 3 == 0 {
                engine.handle(Input::Tick(second(at)));
                let found = Surveyed {
                    processes: vec![surveyed()],
                    ..Surveyed::default()
                };
                engine.handle(answered(at, Answer::Surveyed(found)));
            }
            engine.handle(Input::SweepBegins);
            let swept = Input::Swept {
                at: second(at),
                cutoff: second(at - 1),
            };
            for effect in engine.handle(swept) {
                if let Effect::Ask(Question::Samples(requests)) = effect {
                    assert!(requests.iter().all(|it| it.usage.is_some() && !it.watches));
                    asked += 1;
                    if answers {
                        engine.handle(answered(at, Answer::Sampled(vec![surveyed()])));
                    }
                }
            }
        }
        asked
    }

    #[test]
    fn what_moves_is_sampled_between_two_looks() {
        let second = Some(Duration::from_secs(1));
        assert_eq!(asked_apart(None, true), 0);
        assert_eq!(asked_apart(Some(Duration::from_secs(3)), true), 0);
        assert!(asked_apart(second, true) > 1);
        assert_eq!(asked_apart(second, false), 1, "one at a time");
    }
}
