//! Calls of `bpf_rdonly_cast`, put into the object before it is loaded: the library knows functions
//! of the kernel only in modules' and programs' own BTF, which these programs have not.
//!
//! The kernel makes such a call a move from one register to another, and what is loaded through the
//! result a plain load, two nanoseconds for the thirty of `bpf_probe_read_kernel`:
//! <https://docs.kernel.org/bpf/kfuncs.html#bpf-rdonly-cast>

use std::ops::Range;

use memguard_common::settings::{Layout, RDONLY_CAST};
use object::{Object as _, ObjectSection as _, SectionFlags, elf::SHF_EXECINSTR};

/// Bytes of an instruction: opcode, registers, an offset, a number.
const INSTRUCTION: usize = 8;
/// `BPF_JMP | BPF_CALL`.
const CALL: u8 = 0x85;
/// `BPF_PSEUDO_KFUNC_CALL`, in the place of the source register.
const KERNEL_FUNCTION: u8 = 2 << 4;
/// `r0 = 0`: `BPF_ALU64 | BPF_MOV | BPF_K`.
const NOTHING: [u8; INSTRUCTION] = [0xb7, 0, 0, 0, 0, 0, 0, 0];

/// The object with calls of the kernel's function of this id. With 0 there are none: the programs
/// then jump over what would use them. An object that cannot be read is left as it is, for the
/// loader to refuse.
pub(super) fn resolved(object: impl Into<Vec<u8>>, function: u32) -> Vec<u8> {
    let mut object = object.into();
    for range in code(&object) {
        if let Some(section) = object.get_mut(range) {
            resolve(section, function);
        }
    }
    object
}

/// Where the instructions are: the same bytes may stand among data and debug information.
fn code(object: &[u8]) -> Vec<Range<usize>> {
    let Ok(file) = object::File::parse(object) else {
        return Vec::new();
    };
    let executable = |section: &object::Section<'_, '_>| match section.flags() {
        SectionFlags::Elf { sh_flags } => sh_flags & u64::from(SHF_EXECINSTR) != 0,
        _ => false,
    };
    let code = file.sections().filter(executable);
    let ranges = code.filter_map(|section| section.file_range());
    let end = |(start, size): (u64, u64)| start as usize..start.saturating_add(size) as usize;
    ranges.map(end).collect()
}

fn resolve(instructions: &mut [u8], function: u32) {
    let [a, b, c, d] = RDONLY_CAST.to_le_bytes();
    let placeholder = [CALL, 0, 0, 0, a, b, c, d];
    let [a, b, c, d] = function.to_le_bytes();
    let call = [CALL, KERNEL_FUNCTION, 0, 0, a, b, c, d];
    for instruction in instructions.chunks_exact_mut(INSTRUCTION) {
        if instruction == placeholder {
            instruction.copy_from_slice(if function == 0 { &NOTHING } else { &call });
        }
    }
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

    const PLACEHOLDER: [u8; INSTRUCTION] = [0x85, 0, 0, 0, 0x01, 0, 0x67, 0x6d];

    #[test]
    fn only_placeholders_are_replaced() {
        let helper = [0x85, 0, 0, 0, 0x05, 0, 0, 0];
        let call = [0x85, 0x20, 0, 0, 0x39, 0x30, 0, 0];
        for (function, expected) in [(12345, call), (0, NOTHING)] {
            let mut code = [helper, PLACEHOLDER, helper].concat();
            resolve(&mut code, function);
            assert_eq!(code, [helper, expected, helper].concat());
        }
    }

    fn placeholders(bytes: &[u8]) -> usize {
        let chunks = bytes.chunks_exact(INSTRUCTION);
        chunks.filter(|chunk| *chunk == PLACEHOLDER).count()
    }

    /// The defect: bytes outside the instructions that happen to be the same were changed too.
    #[test]
    fn what_is_no_instruction_stays_as_it_is() {
        let mut object = super::super::OBJECT.to_vec();
        assert!(placeholders(&object) > 0, "the programs have some");
        let at = object.len().next_multiple_of(INSTRUCTION);
        object.resize(at, 0);
        object.extend(PLACEHOLDER);
        let resolved = resolved(object.clone(), 7);
        assert_eq!(placeholders(&resolved), 1);
        assert_eq!(resolved[at..], PLACEHOLDER);
        assert_eq!(resolved.len(), object.len());
    }

    #[test]
    fn what_is_no_object_stays_as_it_is() {
        assert_eq!(resolved(PLACEHOLDER, 7), PLACEHOLDER);
    }
}
