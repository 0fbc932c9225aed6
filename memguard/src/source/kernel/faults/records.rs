//! Bytes of a ring → samples. Pure and total: whatever the bytes, nothing here panics, and what
//! makes no sense is told as a loss.
//!
//! Who writes them is in <https://github.com/torvalds/linux/blob/v6.18/kernel/events/core.c>
//! (`perf_output_sample`).

use super::{
    super::perf::records::{Fields, LOST, Malformed, Record, each},
    STACK,
};
use crate::model::{
    fault::{Fault, FaultEvent},
    ids::Stamp,
    origin::Window,
};

/// `PERF_RECORD_SAMPLE`.
const SAMPLE: u32 = 9;
/// `PERF_RECORD_MISC_CPUMODE_MASK`, and of it `PERF_RECORD_MISC_USER`.
const MODE: u16 = 0b111;
const USER: u16 = 2;
/// `PERF_SAMPLE_REGS_ABI_NONE` and `_64`.
const NO_REGISTERS: u64 = 0;
const OF_64_BITS: u64 = 2;

/// Gives every sample among the records to `take`.
pub(super) fn decode(bytes: &[u8], take: &mut dyn FnMut(FaultEvent)) {
    let whole = each(bytes, |record| match event(record) {
        Ok(Some(event)) => take(event),
        Ok(None) => {}
        Err(Malformed) => take(FaultEvent::Lost { count: 1 }),
    });
    if !whole {
        take(FaultEvent::Lost { count: 1 });
    }
}

fn event(record: Record<'_>) -> Result<Option<FaultEvent>, Malformed> {
    let Record {
        kind,
        misc,
        mut body,
    } = record;
    match kind {
        SAMPLE => sampled(misc & MODE == USER, &mut body).map(Some),
        LOST => {
            let _event = body.u64()?;
            let count = body.u64()?;
            Ok(Some(FaultEvent::Lost { count }))
        }
        _ => Ok(None),
    }
}

fn sampled(by_user: bool, body: &mut Fields<'_>) -> Result<FaultEvent, Malformed> {
    let (tgid, _tid) = (body.u32()?, body.u32()?);
    let (stamp, address) = (Stamp(body.u64()?), body.u64()?);
    let registers = registers(body)?;
    let (stack, cut) = stack(body)?;
    let copied = registers.filter(|_| !stack.is_empty());
    let window = copied.map(|[bp, sp, ip]| Window {
        ip,
        sp,
        bp,
        stack: stack.into(),
        cut,
        // The kernel is entered by a system call before it touches anything for a process.
        interrupted: by_user,
    });
    Ok(FaultEvent::Sampled(Fault {
        stamp,
        tgid,
        address,
        window,
    }))
}

/// `None` of 32-bit code, and of threads of the kernel.
fn registers(body: &mut Fields<'_>) -> Result<Option<[u64; 3]>, Malformed> {
    let abi = body.u64()?;
    if abi == NO_REGISTERS {
        return Ok(None);
    }
    let registers = [body.u64()?, body.u64()?, body.u64()?];
    Ok((abi == OF_64_BITS).then_some(registers))
}

/// What was copied of the stack, and whether there was more. The place is as large as was asked
/// for, or as the record has room; how much of it was filled stands behind.
fn stack<'a>(body: &mut Fields<'a>) -> Result<(&'a [u8], bool), Malformed> {
    let size = body.u64()?;
    if size == 0 {
        return Ok((&[], false));
    }
    let place = body.bytes(size)?;
    let filled = usize::try_from(body.u64()?).map_err(|_beyond| Malformed)?;
    let stack = place.get(..filled).ok_or(Malformed)?;
    Ok((stack, filled >= STACK as usize))
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::any, proptest};

    use super::*;

    fn record(kind: u32, misc: u16, body: &[u8]) -> Vec<u8> {
        let size = (8 + body.len()) as u16;
        let [misc, size] = [misc, size].map(u16::to_ne_bytes);
        [&kind.to_ne_bytes()[..], &misc, &size, body].concat()
    }

    fn words(numbers: &[u64]) -> Vec<u8> {
        numbers.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    /// Of thread 43 of process 42, at nanosecond 7.
    fn sample(misc: u16, rest: &[u64]) -> Vec<u8> {
        let ids = (43 << 32) + 42;
        record(SAMPLE, misc, &words(&[&[ids, 7, 0x7000], rest].concat()))
    }

    fn events(bytes: &[u8]) -> Vec<FaultEvent> {
        let mut events = Vec::new();
        decode(bytes, &mut |event| events.push(event));
        events
    }

    #[track_caller]
    fn check(bytes: &[u8], window: Option<Window>) {
        let fault = Fault {
            stamp: Stamp(7),
            tgid: 42,
            address: 0x7000,
            window,
        };
        assert_eq!(events(bytes), [FaultEvent::Sampled(fault)]);
    }

    fn window(stack: &[u64], interrupted: bool) -> Window {
        Window {
            ip: 3,
            sp: 2,
            bp: 1,
            stack: words(stack).into(),
            cut: false,
            interrupted,
        }
    }

    #[test]
    fn a_sample_is_a_place_and_a_window() {
        let copied = [OF_64_BITS, 1, 2, 3, 16, 0xa, 0xb, 8];
        check(&sample(USER, &copied), Some(window(&[0xa], true)));
        check(&sample(1, &copied), Some(window(&[0xa], false)));
    }

    #[test]
    fn where_nothing_was_copied_there_is_no_window() {
        check(&sample(1, &[NO_REGISTERS, 0]), None);
        check(&sample(USER, &[OF_64_BITS, 1, 2, 3, 0]), None);
        check(&sample(USER, &[OF_64_BITS, 1, 2, 3, 8, 0xa, 0]), None);
        check(&sample(USER, &[1, 1, 2, 3, 8, 0xa, 8]), None);
    }

    #[test]
    fn losses_are_told_and_other_records_are_not() {
        let lost = record(LOST, 0, &words(&[9, 11]));
        let throttled = record(5, 0, &words(&[1, 2, 3]));
        let bytes = [throttled, lost].concat();
        assert_eq!(events(&bytes), [FaultEvent::Lost { count: 11 }]);
    }

    #[test]
    fn what_makes_no_sense_is_one_loss() {
        let one = [FaultEvent::Lost { count: 1 }];
        assert_eq!(events(&[0; 8]), one);
        assert_eq!(events(&sample(USER, &[OF_64_BITS, 1])), one);
        assert_eq!(events(&sample(USER, &[0, u64::MAX, 0xa, 8])), one);
        assert_eq!(events(&sample(USER, &[0, 8, 0xa, 9])), one);
    }

    proptest! {
        #[test]
        fn any_record_is_decoded(
            kind in 0_u32..12,
            misc in any::<u16>(),
            body in vec(any::<u8>(), 0..128),
        ) {
            assert!(events(&record(kind, misc, &body)).len() <= 1);
        }
    }
}
