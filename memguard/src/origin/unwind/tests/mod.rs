//! Windows of this process, as they are and as they should not be.

mod fallback;
mod oracles;

use proptest::prelude::*;

use super::{
    super::testing::{layout, unwind, unwinder, window},
    walk::FRAMES,
    *,
};

const BYTES: usize = 1 << 16;

#[test]
fn a_shorter_window_has_fewer_of_the_same_frames() {
    let whole = window(BYTES);
    let (frames, incomplete) = unwind(&whole);
    assert_eq!(incomplete, None);
    let (mut unwinder, layout) = (unwinder(), layout());
    let mut lengths = Vec::new();
    for length in (8..whole.stack.len()).step_by(8) {
        let window = Window {
            stack: whole.stack[..length].into(),
            ..whole.clone()
        };
        let unwound = unwinder.unwind(&window, &layout, &[std::process::id()]);
        assert!(frames.starts_with(&unwound.frames), "{length}");
        match unwound.incomplete {
            None => assert_eq!(unwound.frames, frames),
            reason => assert_eq!(reason, Some(Incomplete::WindowEnded), "{length}"),
        }
        lengths.push(unwound.frames.len());
    }
    assert!(lengths.is_sorted() && lengths[0] == 1);
    assert_eq!(lengths.last(), Some(&frames.len()));
}

#[test]
fn without_a_window_there_is_no_frame() {
    let empty = Window {
        stack: [].into(),
        ..window(64)
    };
    assert_eq!(unwind(&empty), (vec![], Some(Incomplete::NoWindow)));
}

/// The list of modules is not the one of that time: nothing is shown rather than something
/// else.
#[test]
fn an_address_behind_no_system_call_has_no_frame() {
    let mut window = window(BYTES);
    window.ip += 1;
    assert_eq!(unwind(&window), (vec![], Some(Incomplete::UnknownMapping)));
}

/// Where a page was missing, any instruction may stand, and names are its own.
#[test]
fn an_interrupted_window_stands_anywhere() {
    let mut window = window(BYTES);
    let (called, _) = unwind(&window);
    window.interrupted = true;
    let (frames, incomplete) = unwind(&window);
    assert_eq!(incomplete, None);
    assert!(called[0].is_return && !frames[0].is_return);
    assert_eq!(frames[1..], called[1..]);
    window.ip -= 1;
    let (inside, incomplete) = unwind(&window);
    assert_eq!(incomplete, None);
    assert_eq!(inside[0].offset, frames[0].offset - 1);
    assert_eq!(inside[1..], frames[1..]);
}

#[test]
fn code_of_no_file_is_one_frame() {
    let mut window = window(BYTES);
    (window.ip, window.bp) = (0x1000, window.sp + 16);
    let (frames, incomplete) = unwind(&window);
    assert_eq!(incomplete, Some(Incomplete::UnknownMapping));
    let [frame] = &*frames else {
        panic!("{frames:?}");
    };
    assert!(frame.module.is_none() && frame.offset == 0x1000 && frame.is_return);
}

/// Where the first return address is something else, the stack ends there.
#[test]
fn a_return_address_must_follow_a_call() {
    let whole = window(BYTES);
    let (frames, _) = unwind(&whole);
    let place = whole
        .stack
        .chunks(8)
        .position(|word| word == frames[1].ip.to_le_bytes());
    for (wrong, count) in [(1, 1), (1 << 62, 2)] {
        let mut window = whole.clone();
        let at = place.unwrap() * 8;
        let address = frames[1].ip.wrapping_add(wrong);
        window.stack[at..at + 8].copy_from_slice(&address.to_le_bytes());
        let (found, incomplete) = unwind(&window);
        assert_eq!(found.len(), count, "{found:?}");
        assert!(incomplete.is_some());
    }
}

#[test]
fn no_stack_is_deeper_than_the_limit() {
    #[inline(never)]
    fn deep(depth: usize) -> Window {
        let window = if depth == 0 {
            window(1 << 20)
        } else {
            deep(depth - 1)
        };
        std::hint::black_box(window)
    }
    let (frames, incomplete) = unwind(&deep(200));
    assert_eq!(incomplete, Some(Incomplete::TooDeep));
    assert_eq!(frames.len(), FRAMES);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Any stack, with any registers.
    #[test]
    fn noise_ends(
        words in prop::collection::vec(prop_oneof![any::<u64>(), Just(0), 0..200_u64], 0..200),
        bp in prop_oneof![any::<u64>(), 0..2000_u64],
    ) {
        let own = window(1024);
        // Numbers below 200 stand for addresses that look right: of the stack, and of code.
        let (frames, _) = unwind(&window(BYTES));
        let real = |word: u64| match word {
            0..100 => own.sp + word * 8,
            100..200 => frames[word as usize % frames.len()].ip,
            other => other,
        };
        let stack: Vec<u8> = words.iter().flat_map(|word| real(*word).to_le_bytes()).collect();
        let bp = if bp < 2000 { own.sp + bp } else { bp };
        for ip in [own.ip, 0x1000, frames[1].ip] {
            let window = Window { ip, bp, stack: stack.clone().into(), ..own.clone() };
            let (frames, _) = unwind(&window);
            prop_assert!(frames.len() <= FRAMES);
        }
    }
}

#[test]
#[ignore = "measures; run with --release and --nocapture"]
fn windows_in_a_second() {
    let (mut unwinder, layout) = (unwinder(), layout());
    let window = window(BYTES);
    let mut count = || unwinder.unwind(&window, &layout, &[]).frames.len();
    let frames = count();
    let start = Instant::now();
    for _ in 0..100_000 {
        assert_eq!(count(), frames);
    }
    let nanoseconds = start.elapsed().as_nanos() / 100_000;
    println!(
        "{frames} frames: {nanoseconds} ns, {} a second",
        1_000_000_000 / nanoseconds
    );
}
