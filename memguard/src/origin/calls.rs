//! Whether a call instruction ends right before an address: what a return address must have before
//! it.
//!
//! x86 code cannot be decoded backwards without doubt, so both kinds of call may fit the same
//! bytes.

/// Bytes of the longest call, without prefixes.
pub(super) const LONGEST: usize = 7;

/// What may end at the end of some code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Calls {
    /// A call of a fixed address: its distance from the end of the call.
    pub(super) direct: Option<i32>,
    /// A call through a register or memory.
    pub(super) indirect: bool,
}

impl Calls {
    /// `code` is what precedes the address, [`LONGEST`] bytes or more. Prefixes come before what
    /// is looked at and change nothing.
    pub(super) fn before(code: &[u8]) -> Self {
        let indirect = |length: &usize| {
            let call = tail(code, *length);
            call.and_then(indirect_length) == Some(*length)
        };
        Self {
            direct: tail(code, 5).and_then(direct),
            indirect: [2, 3, 4, 6, 7].iter().any(indirect),
        }
    }

    /// Whether there is one.
    pub(super) fn any(self) -> bool {
        self.direct.is_some() || self.indirect
    }
}

fn tail(code: &[u8], length: usize) -> Option<&[u8]> {
    code.get(code.len().checked_sub(length)?..)
}

/// `e8 rel32`
fn direct(code: &[u8]) -> Option<i32> {
    let (0xe8, distance) = code.split_first().map(|(first, rest)| (*first, rest))? else {
        return None;
    };
    Some(i32::from_le_bytes(distance.try_into().ok()?))
}

/// Length of `ff /2` as the bytes say that follow it; Intel SDM volume 2, 2.1.5.
fn indirect_length(code: &[u8]) -> Option<usize> {
    let (&0xff, &modrm) = (code.first()?, code.get(1)?) else {
        return None;
    };
    let (mode, operation, register) = (modrm >> 6, modrm >> 3 & 7, modrm & 7);
    if operation != 2 {
        return None;
    }
    let sib = mode != 3 && register == 4;
    let base = if sib { code.get(2)? & 7 } else { register };
    let displacement = match mode {
        0 if base == 5 => 4,
        1 => 1,
        2 => 4,
        _ => 0,
    };
    Some(2 + usize::from(sib) + displacement)
}

/// A jump with which code begins: a stub of the procedure linkage table, a thunk, another name of a
/// function. What is called there runs elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Jump {
    /// To a fixed address: its distance from the beginning of the code.
    Direct(i64),
    /// To an address in a register or in memory.
    Indirect,
}

impl Jump {
    pub(super) fn at(code: &[u8]) -> Option<Self> {
        let bare = code.strip_prefix(&[0xf3, 0x0f, 0x1e, 0xfa]).unwrap_or(code); // endbr64
        let bare = bare.strip_prefix(&[0xf2]).unwrap_or(bare); // bnd
        let skipped = (code.len() - bare.len()) as i64;
        match *bare {
            [0xe9, a, b, c, d, ..] => {
                let distance = i64::from(i32::from_le_bytes([a, b, c, d]));
                Some(Self::Direct(skipped + 5 + distance))
            }
            [0xeb, distance, ..] => Some(Self::Direct(skipped + 2 + i64::from(distance as i8))),
            [0xff, modrm, ..] | [0x41, 0xff, modrm, ..] if modrm >> 3 & 7 == 4 => {
                Some(Self::Indirect)
            }
            _ => None,
        }
    }
}

/// Whether code begins with what returns from a signal handler: `rt_sigreturn`, number 15, as
/// glibc, musl and Go write it.
pub(super) fn is_sigreturn(code: &[u8]) -> bool {
    let after = code
        .strip_prefix(&[0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0])
        .or_else(|| code.strip_prefix(&[0xb8, 0x0f, 0, 0, 0]));
    after.is_some_and(|code| code.starts_with(&SYSCALL))
}

/// The instruction that enters the kernel.
pub(super) const SYSCALL: [u8; 2] = [0x0f, 0x05];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_found_in_every_form() {
        for (code, expected) in [
            (&[0xe8, 0x10, 0, 0, 0][..], Some(5)),
            (&[0x67, 0xe8, 0x10, 0, 0, 0], Some(6)), // addr32, where the linker made it shorter
            (&[0x66, 0x48, 0xe8, 0, 0, 0, 0], Some(7)), // __tls_get_addr
            (&[0xff, 0xd0], Some(2)),                // rax
            (&[0x41, 0xff, 0xd4], Some(3)),          // r12
            (&[0x3e, 0xff, 0xd0], Some(3)),          // notrack
            (&[0xff, 0x10], Some(2)),                // [rax]
            (&[0xff, 0x14, 0x24], Some(3)),          // [rsp]
            (&[0xff, 0x50, 0x18], Some(3)),          // [rax+0x18]
            (&[0xff, 0x54, 0x24, 0x18], Some(4)),    // [rsp+0x18]
            (&[0xff, 0x15, 1, 2, 3, 4], Some(6)),    // [rip+…]
            (&[0xff, 0x90, 1, 2, 3, 4], Some(6)),    // [rax+…]
            (&[0xff, 0x94, 0x24, 1, 2, 3, 4], Some(7)), // [rsp+…]
            (&[0xff, 0x14, 0x25, 1, 2, 3, 4], Some(7)), // [absolute]
            (&[0xff, 0xe0], None),                   // jmp rax
            (&[0xff, 0xd8], None),                   // far
            (&[0xff, 0x25, 1, 2, 3, 4], None),       // jmp [rip+…]
            (&[0x90; 8], None),
            (&[0xc3], None),
            (&[], None),
        ] {
            let padded = [&[0x90; 8], code].concat();
            assert_eq!(
                Calls::before(&padded).any(),
                expected.is_some(),
                "{code:x?}"
            );
            assert_eq!(Calls::before(code).any(), expected.is_some(), "{code:x?}");
        }
    }

    #[test]
    fn a_direct_call_tells_its_distance() {
        let calls = Calls::before(&[0x90, 0x90, 0xe8, 0xfb, 0xff, 0xff, 0xff]);
        assert_eq!(calls.direct, Some(-5));
        let both = Calls::before(&[0x90, 0x90, 0xe8, 0, 0, 0xff, 0xd0]);
        assert!(both.direct.is_some() && both.indirect);
    }

    #[test]
    fn jumps_are_known_by_their_first_bytes() {
        for (code, expected) in [
            (&[0xff, 0x25, 0, 0, 0, 0][..], Some(Jump::Indirect)),
            (
                &[0xf3, 0x0f, 0x1e, 0xfa, 0xf2, 0xff, 0x25, 0, 0, 0, 0],
                Some(Jump::Indirect),
            ),
            (&[0x41, 0xff, 0xe3], Some(Jump::Indirect)),
            (&[0xe9, 0x10, 0, 0, 0], Some(Jump::Direct(0x15))),
            (
                &[0xf3, 0x0f, 0x1e, 0xfa, 0xe9, 0, 0, 0, 0],
                Some(Jump::Direct(9)),
            ),
            (&[0xeb, 0xfe], Some(Jump::Direct(0))),
            (&[0x55, 0x48, 0x89, 0xe5], None),
            (&[0xf3, 0x0f, 0x1e, 0xfa, 0x55], None),
            (&[0xff, 0xd0], None),
            (&[0xe9, 0], None),
            (&[], None),
        ] {
            assert_eq!(Jump::at(code), expected, "{code:x?}");
        }
    }

    #[test]
    fn the_return_from_a_signal_is_known_by_its_code() {
        assert!(is_sigreturn(&[0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05]));
        assert!(is_sigreturn(&[0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05]));
        assert!(!is_sigreturn(&[0xb8, 0x0e, 0, 0, 0, 0x0f, 0x05]));
        assert!(!is_sigreturn(&[0x48, 0xc7, 0xc0, 0x0f]));
    }
}
