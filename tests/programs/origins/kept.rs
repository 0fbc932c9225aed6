//! `kept MODE`: descriptors that Rust programs forget.

use std::{
    env, fs::File, future::Future, hint::black_box, mem, net::TcpListener, os::fd::IntoRawFd,
    path::Path, pin::pin, process, sync::Arc, task::{Context, Poll, Wake, Waker}, thread,
};

const PATH: &str = "/dev/null";

/// The optimiser does not know it, or it would unroll the loop.
fn turns() -> usize {
    black_box(3)
}

#[inline(never)]
fn opens() {
    mem::forget(File::open(PATH).unwrap()); // LEAK opens
}

#[inline(never)]
fn listens() {
    mem::forget(TcpListener::bind("127.0.0.1:0").unwrap()); // LEAK listens
}

#[inline(never)]
fn in_thread() {
    thread::spawn(opens).join().unwrap();
}

#[inline(never)]
fn applies(action: &dyn Fn(&str)) {
    action(black_box(PATH));
    black_box(());
}

#[inline(never)]
fn closes_over() {
    let kept = black_box(1);
    applies(&|path| {
        let file = File::open(path).unwrap(); // LEAK closes_over
        assert!(file.into_raw_fd() >= kept);
    });
}

#[inline(never)]
fn generic<P: AsRef<Path>>(path: P) {
    mem::forget(File::open(path).unwrap()); // LEAK generic
}

#[inline(never)]
fn instantiates() {
    generic(String::from(PATH));
    black_box(());
}

trait Take {
    fn take(&self);
}

struct Place(&'static str);

impl Take for Place {
    #[inline(never)]
    fn take(&self) {
        mem::forget(File::open(self.0).unwrap()); // LEAK take
    }
}

#[inline(never)]
fn dispatches() {
    let place: Box<dyn Take> = black_box(Box::new(Place(PATH)));
    place.take();
}

async fn awaited() -> i32 {
    let file = File::open(PATH).unwrap(); // LEAK awaited
    file.into_raw_fd()
}

struct Nobody;

impl Wake for Nobody {
    fn wake(self: Arc<Self>) {}
}

#[inline(never)]
fn polls<F: Future<Output = i32>>(future: F) {
    let waker = Waker::from(Arc::new(Nobody));
    let polled = pin!(future).poll(&mut Context::from_waker(&waker));
    assert!(matches!(black_box(polled), Poll::Ready(0..)));
}

#[inline(never)]
fn waits() {
    polls(awaited());
    black_box(());
}

fn main() {
    let mode = env::args().nth(1);
    let steps: fn() = match mode.as_deref() {
        Some("opens") => opens,
        Some("listens") => listens,
        Some("in_thread") => in_thread,
        Some("closes_over") => closes_over,
        Some("instantiates") => instantiates,
        Some("dispatches") => dispatches,
        Some("waits") => waits,
        _ => process::exit(99),
    };
    for _ in 0..turns() {
        black_box(steps)();
    }
}
