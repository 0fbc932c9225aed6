//! Expressions in call-frame information: a small stack machine. DWARF 5 section 2.5.

use gimli::{
    Encoding, EndianSlice, Evaluation, EvaluationResult, EvaluationStorage, Format, LittleEndian,
    Piece, Value,
};

use super::cfi::Bytes;

/// Most values on its stack.
const DEPTH: usize = 32;

/// Most steps: expressions may jump backwards.
const STEPS: u32 = 256;

/// What call-frame information is written for.
const ENCODING: Encoding = Encoding {
    address_size: 8,
    format: Format::Dwarf32,
    version: 4,
};

/// What an expression may ask for.
pub(in crate::origin) trait Context {
    /// A register by its DWARF number, where it is known.
    fn register(&self, number: u16) -> Option<u64>;
    /// Eight bytes of memory.
    fn memory(&self, address: u64) -> Option<u64>;
}

/// What the machine may use; more is an error.
struct Storage;

impl<'a> EvaluationStorage<Bytes<'a>> for Storage {
    type Stack = [Value; DEPTH];
    type ExpressionStack = [(Bytes<'a>, Bytes<'a>); 1];
    type Result = [Piece<Bytes<'a>>; 1];
}

type Machine<'a> = Evaluation<Bytes<'a>, Storage>;

/// What an expression comes to; `initial` is on the stack first.
pub(in crate::origin) fn evaluate(
    code: &[u8],
    initial: Option<u64>,
    context: &impl Context,
) -> Option<u64> {
    let mut machine = Machine::new_in(EndianSlice::new(code, LittleEndian), ENCODING);
    machine.set_max_iterations(STEPS);
    if let Some(initial) = initial {
        machine.set_initial_value(initial);
    }
    let mut state = machine.evaluate().ok()?;
    while !matches!(state, EvaluationResult::Complete) {
        state = resume(&mut machine, &state, context)?;
    }
    machine.value_result()?.to_u64(u64::MAX).ok()
}

/// Gives the machine what it waits for; `None` where there is no such thing in this language.
fn resume<'a>(
    machine: &mut Machine<'a>,
    state: &EvaluationResult<Bytes<'a>>,
    context: &impl Context,
) -> Option<EvaluationResult<Bytes<'a>>> {
    let state = match *state {
        EvaluationResult::RequiresMemory {
            address,
            size: 8,
            space: None,
            ..
        } => machine.resume_with_memory(Value::Generic(context.memory(address)?)),
        EvaluationResult::RequiresRegister { register, .. } => {
            machine.resume_with_register(Value::Generic(context.register(register.0)?))
        }
        EvaluationResult::RequiresRelocatedAddress(address) => {
            machine.resume_with_relocated_address(address)
        }
        _ => return None,
    };
    state.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sample;

    impl Context for Sample {
        fn register(&self, number: u16) -> Option<u64> {
            (number < 17).then(|| u64::from(number) * 1000)
        }

        fn memory(&self, address: u64) -> Option<u64> {
            (address < 100_000).then(|| address + 1)
        }
    }

    #[test]
    fn expressions_that_are_met() {
        for (code, expected) in [
            (&[0x77, 0xa0, 0x01, 0x06][..], Some(7161)), // glibc's __restore_rt: [rsp + 160]
            (&[0x76, 0x78, 0x06], Some(5993)),           // a realigned stack: [rbp - 8]
            // An entry of the procedure linkage table.
            (
                &[0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22],
                Some(7008),
            ),
            (&[0x92, 7, 0], Some(7000)),
            (&[0x35, 0x38, 0x16, 0x1c], Some(3)), // 5, 8, swap: 8 - 5
            (&[0x31, 0x32, 0x33, 0x17, 0x1c], Some(u64::MAX)), // 1, 2, 3, rotate: 1 - 2
            (&[0x35, 0x2f, 0xfc, 0xff], None),    // 5, for ever
            (&[0x30, 0x28, 0xfc, 0xff, 0x35], Some(5)),
            (&[0x35, 0x30, 0x1b], None), // by zero
            (&[0x06], None),
            (&[0x22], None),
            (&[0x08], None),
            (&[0x50], None), // the register itself is no place of this language
            (&[], None),
        ] {
            assert_eq!(evaluate(code, None, &Sample), expected, "{code:x?}");
        }
        assert_eq!(evaluate(&[0x23, 8], Some(1), &Sample), Some(9));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_end(code: Vec<u8>) {
            evaluate(&code, Some(7), &Sample);
        }
    }
}
