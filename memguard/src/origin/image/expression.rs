//! Expressions in unwind information: a small stack machine. DWARF 5 section 2.5.

use super::cursor::Cursor;

/// Most values on its stack.
const DEPTH: usize = 32;

/// Most steps: expressions may jump backwards.
const STEPS: usize = 256;

/// What an expression may ask for.
pub(in crate::origin) trait Context {
    /// A register by its DWARF number, where it is known.
    fn register(&self, number: u64) -> Option<u64>;
    /// Eight bytes of memory.
    fn memory(&self, address: u64) -> Option<u64>;
}

/// What an expression comes to; `initial` is on the stack first.
pub(in crate::origin) fn evaluate(
    code: &[u8],
    initial: Option<u64>,
    context: &impl Context,
) -> Option<u64> {
    let mut machine = Machine {
        code: Cursor::new(code, 0),
        bytes: code,
        stack: initial.into_iter().collect(),
    };
    for _ in 0..STEPS {
        if machine.code.is_empty() {
            return machine.stack.pop();
        }
        machine.step(context)?;
    }
    None
}

struct Machine<'a> {
    code: Cursor<'a>,
    bytes: &'a [u8],
    stack: Vec<u64>,
}

impl Machine<'_> {
    fn step(&mut self, context: &impl Context) -> Option<()> {
        let operation = self.code.u8()?;
        let value = match operation {
            0x06 => context.memory(self.stack.pop()?)?,
            0x13 => return self.stack.pop().map(drop),
            0x16 => return self.swap(),
            0x17 => return self.rotate(),
            0x28 => return self.branch(),
            0x2f => return self.jump(),
            0x96 => return Some(()),
            0x12 => self.pick(0)?,
            0x14 => self.pick(1)?,
            0x15 => {
                let depth = self.code.u8()?;
                self.pick(depth.into())?
            }
            0x19 => (self.stack.pop()? as i64).wrapping_abs() as u64,
            0x1f => self.stack.pop()?.wrapping_neg(),
            0x20 => !self.stack.pop()?,
            0x23 => {
                let addend = self.code.uleb()?;
                self.stack.pop()?.wrapping_add(addend)
            }
            0x70..=0x8f => self.based(u64::from(operation - 0x70), context)?,
            0x92 => {
                let register = self.code.uleb()?;
                self.based(register, context)?
            }
            0x1a..=0x1e | 0x21 | 0x22 | 0x24..=0x27 | 0x29..=0x2e => self.binary(operation)?,
            _ => self.constant(operation)?,
        };
        self.push(value)
    }

    fn push(&mut self, value: u64) -> Option<()> {
        self.stack.push(value);
        (self.stack.len() <= DEPTH).then_some(())
    }

    fn pick(&self, depth: usize) -> Option<u64> {
        let index = self.stack.len().checked_sub(depth + 1)?;
        self.stack.get(index).copied()
    }

    fn swap(&mut self) -> Option<()> {
        let (first, second) = (self.stack.pop()?, self.stack.pop()?);
        self.stack.extend([first, second]);
        Some(())
    }

    fn rotate(&mut self) -> Option<()> {
        let index = self.stack.len().checked_sub(3)?;
        self.stack.get_mut(index..)?.rotate_right(1);
        Some(())
    }

    fn based(&mut self, register: u64, context: &impl Context) -> Option<u64> {
        let offset = self.code.sleb()?;
        context.register(register)?.checked_add_signed(offset)
    }

    fn constant(&mut self, operation: u8) -> Option<u64> {
        let code = &mut self.code;
        Some(match operation {
            0x30..=0x4f => u64::from(operation - 0x30),
            0x03 | 0x0e | 0x0f => code.u64()?,
            0x08 => code.u8()?.into(),
            0x09 => code.u8()? as i8 as u64,
            0x0a => code.u16()?.into(),
            0x0b => code.u16()? as i16 as u64,
            0x0c => code.u32()?.into(),
            0x0d => code.u32()? as i32 as u64,
            0x10 => code.uleb()?,
            0x11 => code.sleb()? as u64,
            _ => return None,
        })
    }

    fn binary(&mut self, operation: u8) -> Option<u64> {
        let (right, left) = (self.stack.pop()?, self.stack.pop()?);
        let (signed_right, signed_left) = (right as i64, left as i64);
        let shift = u32::try_from(right).unwrap_or(u32::MAX);
        Some(match operation {
            0x1a => left & right,
            0x1b => signed_left.checked_div(signed_right)? as u64,
            0x1c => left.wrapping_sub(right),
            0x1d => left.checked_rem(right)?,
            0x1e => left.wrapping_mul(right),
            0x21 => left | right,
            0x22 => left.wrapping_add(right),
            0x24 => left.checked_shl(shift).unwrap_or(0),
            0x25 => left.checked_shr(shift).unwrap_or(0),
            0x26 => (signed_left >> shift.min(63)) as u64,
            0x27 => left ^ right,
            0x29 => u64::from(left == right),
            0x2a => u64::from(signed_left >= signed_right),
            0x2b => u64::from(signed_left > signed_right),
            0x2c => u64::from(signed_left <= signed_right),
            0x2d => u64::from(signed_left < signed_right),
            0x2e => u64::from(left != right),
            _ => return None,
        })
    }

    fn branch(&mut self) -> Option<()> {
        let distance = self.code.u16()? as i16;
        if self.stack.pop()? == 0 {
            return Some(());
        }
        self.go(distance)
    }

    fn jump(&mut self) -> Option<()> {
        let distance = self.code.u16()? as i16;
        self.go(distance)
    }

    fn go(&mut self, distance: i16) -> Option<()> {
        let at = self.code.at().checked_add_signed(distance.into())?;
        self.code = Cursor::new(self.bytes, at);
        (at <= self.bytes.len()).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sample;

    impl Context for Sample {
        fn register(&self, number: u64) -> Option<u64> {
            (number < 17).then(|| number * 1000)
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
