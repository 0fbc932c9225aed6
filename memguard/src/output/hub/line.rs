//! The line on a terminal's standard error while there is nothing to tell, drawn by a thread of its
//! own: a terminal that is stopped must not stop memguard.

use std::{
    io, mem,
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::vital::{Vital, lock};
use crate::{model::report::Progress, output::text};

/// The line itself. Whoever prints on the same terminal does so through it.
#[derive(Clone, Debug, Default)]
pub(super) struct SharedLine(Arc<Mutex<Option<ProgressBar>>>);

impl SharedLine {
    /// Prints without it; it is back afterwards.
    pub(super) fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        let line = lock(&self.0);
        match &*line {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    fn show(&self, text: String) {
        let mut line = lock(&self.0);
        let bar = line.get_or_insert_with(bar);
        bar.set_message(text);
        bar.tick();
    }

    /// For good.
    fn clear(&self) {
        let mut line = lock(&self.0);
        if let Some(bar) = line.take() {
            bar.finish_and_clear();
        }
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    // A template that cannot be read would be a line with a bar, which is no harm.
    let style = ProgressStyle::with_template("{wide_msg}");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// What is to be drawn. Only the newest counts, so there is room for one.
#[derive(Debug, Default)]
struct Slot {
    newest: Mutex<Order>,
    changed: Condvar,
}

#[derive(Clone, Copy, Debug, Default)]
enum Order {
    #[default]
    Nothing,
    Show(Progress),
    End,
}

/// The hub's end of it.
#[derive(Debug)]
pub(super) struct ProgressLine {
    slot: Arc<Slot>,
    vital: Arc<Vital>,
    line: SharedLine,
}

impl ProgressLine {
    /// Starts the thread that draws.
    pub(super) fn start(vital: Arc<Vital>) -> io::Result<Self> {
        let (slot, line) = (Arc::new(Slot::default()), SharedLine::default());
        let thread = thread::Builder::new().name("progress".to_owned());
        let own = (Arc::clone(&slot), line.clone(), Arc::clone(&vital));
        drop(thread.spawn(move || {
            let (slot, line, vital) = own;
            slot.draw(&line, &vital);
        })?);
        Ok(Self { slot, vital, line })
    }

    pub(super) fn shared(&self) -> SharedLine {
        self.line.clone()
    }

    pub(super) fn vital(&self) -> &Arc<Vital> {
        &self.vital
    }

    pub(super) fn show(&self, progress: Progress) {
        self.slot.order(Order::Show(progress));
    }

    /// Clears it for good.
    pub(super) fn close(&self) {
        self.slot.order(Order::End);
    }
}

impl Slot {
    fn order(&self, order: Order) {
        *lock(&self.newest) = order;
        self.changed.notify_one();
    }

    fn draw(&self, line: &SharedLine, vital: &Vital) {
        while let Some(progress) = self.next() {
            line.show(text::progress(&progress));
            vital.beat();
        }
        line.clear();
        vital.end();
    }

    fn next(&self) -> Option<Progress> {
        let mut newest = lock(&self.newest);
        loop {
            match mem::take(&mut *newest) {
                Order::Show(progress) => return Some(progress),
                Order::End => return None,
                Order::Nothing => {}
            }
            let woken = self.changed.wait(newest);
            newest = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }
}
