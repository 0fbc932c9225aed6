//! Files in memory: takes in who makes them, has them looked for, and tells what was left.

use super::{Effect, Engine};
use crate::{
    judge::{exits::End, question::Question},
    model::{
        resource::Kind,
        shared_file::{CreatedFile, SharedFile},
    },
};

impl Engine {
    pub(super) fn file_created(&mut self, created: CreatedFile) {
        let own = self.context.is_own(created.process);
        if self.context.wants(Kind::PosixShm) && !own {
            self.shared_files.created(created);
        }
    }

    /// Of a process that is told now.
    pub(super) fn leave_shared_files(&mut self, end: &End) {
        let is_run = self.context.config.short_lives;
        self.shared_files.ended(end, is_run);
    }

    /// Asks for what is due.
    pub(super) fn look_for_shared_files(&mut self) {
        let request = self.shared_files.request(self.context.now);
        let asked = request.map(|request| Effect::Ask(Question::SharedFiles(request)));
        self.effects.extend(asked);
    }

    /// The command of `run` has ended: nothing is waited for any more.
    pub(super) fn look_for_shared_files_at_last(&mut self) {
        self.shared_files.hurry();
        self.look_for_shared_files();
    }

    pub(super) fn shared_files_found(&mut self, files: Option<Vec<SharedFile>>) {
        let now = self.context.now;
        for (process, count) in self.shared_files.found(files, now) {
            self.usages.count(process, Kind::PosixShm, now, 0, count);
        }
        self.tell_shared_files();
        self.look_for_shared_files();
    }

    /// What was left is told when its names are there.
    pub(super) fn tell_shared_files(&mut self) {
        while let Some((process, stacks)) = self.shared_files.next_stacks() {
            if !self.ask_names(process, stacks) {
                return;
            }
            for finding in self.shared_files.describe_next(&self.context) {
                self.tell_left(finding);
            }
        }
    }
}
