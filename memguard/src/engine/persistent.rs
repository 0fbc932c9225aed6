//! Objects that outlive their makers: takes in who makes them, has them looked for, and tells what
//! was left.

use super::{Effect, Engine};
use crate::{
    judge::{exits::End, question::Question},
    model::persistent::{CreatedObject, FoundObject},
};

impl Engine {
    pub(super) fn object_created(&mut self, created: CreatedObject) {
        let own = self.context.is_own(created.process);
        if self.context.wants(created.id.kind()) && !own {
            self.persistent.created(created);
        }
    }

    /// Of a process that is told now.
    pub(super) fn leave_persistent(&mut self, end: &End) {
        let is_run = self.context.config.short_lives;
        self.persistent.ended(end, is_run);
    }

    /// Asks for what is due.
    pub(super) fn look_for_persistent(&mut self) {
        let request = self.persistent.request(self.context.now);
        let asked = request.map(|request| Effect::Ask(Question::Objects(request)));
        self.effects.extend(asked);
    }

    /// The command of `run` has ended: nothing is waited for any more.
    pub(super) fn look_for_persistent_at_last(&mut self) {
        self.persistent.hurry();
        self.look_for_persistent();
    }

    pub(super) fn objects_found(&mut self, found: Option<Vec<FoundObject>>) {
        let now = self.context.now;
        for ((process, kind), count) in self.persistent.found(found, now) {
            self.usages.count(process, kind, now, 0, count);
        }
        self.tell_persistent();
        self.look_for_persistent();
    }

    /// What was left is told when its names are there.
    pub(super) fn tell_persistent(&mut self) {
        while let Some((process, stacks)) = self.persistent.next_stacks() {
            if !self.ask_names(process, stacks) {
                return;
            }
            for finding in self.persistent.describe_next(&self.context) {
                self.tell_left(finding);
            }
        }
    }
}
