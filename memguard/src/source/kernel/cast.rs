//! Calls of `bpf_rdonly_cast`, put into the object before it is loaded: the library knows functions
//! of the kernel only in modules' and programs' own BTF, which these programs have not.
//!
//! The kernel makes such a call a move from one register to another, and what is loaded through the
//! result a plain load, two nanoseconds for the thirty of `bpf_probe_read_kernel`:
//! <https://docs.kernel.org/bpf/kfuncs.html#bpf-rdonly-cast>

use memguard_common::settings::{Layout, RDONLY_CAST};

/// Bytes of an instruction: opcode, registers, an offset, a number.
const INSTRUCTION: usize = 8;
/// `BPF_JMP | BPF_CALL`.
const CALL: u8 = 0x85;
/// `BPF_PSEUDO_KFUNC_CALL`, in the place of the source register.
const KERNEL_FUNCTION: u8 = 2 << 4;
/// `r0 = 0`: `BPF_ALU64 | BPF_MOV | BPF_K`.
const NOTHING: [u8; INSTRUCTION] = [0xb7, 0, 0, 0, 0, 0, 0, 0];

/// The object with calls of the kernel's function of this id. With 0 there are none: the programs
/// then jump over what would use them.
pub(super) fn resolved(object: impl Into<Vec<u8>>, function: u32) -> Vec<u8> {
    let mut object = object.into();
    let [a, b, c, d] = RDONLY_CAST.to_le_bytes();
    let placeholder = [CALL, 0, 0, 0, a, b, c, d];
    let [a, b, c, d] = function.to_le_bytes();
    let call = [CALL, KERNEL_FUNCTION, 0, 0, a, b, c, d];
    // Sections of instructions are aligned to them.
    for instruction in object.chunks_exact_mut(INSTRUCTION) {
        if instruction == placeholder {
            instruction.copy_from_slice(if function == 0 { &NOTHING } else { &call });
        }
    }
    object
}

/// For a kernel that has no such function, or refuses it.
pub(super) fn without(layout: Layout) -> Layout {
    Layout {
        word_type: 0,
        rdonly_cast: 0,
        ..layout
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_placeholders_are_replaced() {
        let placeholder = [0x85, 0, 0, 0, 0x01, 0, 0x67, 0x6d];
        let helper = [0x85, 0, 0, 0, 0x05, 0, 0, 0];
        let object = [helper, placeholder, helper].concat();
        let call = [0x85, 0x20, 0, 0, 0x39, 0x30, 0, 0];
        assert_eq!(
            resolved(object.clone(), 12345),
            [helper, call, helper].concat()
        );
        assert_eq!(resolved(object, 0), [helper, NOTHING, helper].concat());
    }

    #[test]
    fn the_programs_have_some() {
        let object = super::super::OBJECT;
        assert_ne!(resolved(object, 7), object.to_vec());
    }
}
