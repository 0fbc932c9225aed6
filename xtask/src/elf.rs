//! What a comparison of two BPF objects needs to know of them: their sections.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use object::{Object as _, ObjectSection as _, SectionKind, elf::FileHeader64, read::elf::ElfFile};

/// One instruction takes eight bytes.
const INSTRUCTION: usize = 8;

/// A section of an object.
#[derive(Debug)]
pub(crate) struct Section<'a> {
    /// Its name, for a program its attach type.
    pub(crate) name: String,
    /// Its content.
    pub(crate) bytes: &'a [u8],
    is_code: bool,
}

/// All sections of a 64-bit little-endian object, whose headers and contents are all there.
pub(crate) fn sections(object: &[u8]) -> Result<Vec<Section<'_>>> {
    type File<'a> = ElfFile<'a, FileHeader64<object::LittleEndian>>;
    let file = File::parse(object).context("not a 64-bit little-endian ELF object")?;
    file.sections()
        .map(|section| {
            Ok(Section {
                name: String::from_utf8_lossy(section.name_bytes()?).into_owned(),
                bytes: section.data()?,
                is_code: section.kind() == SectionKind::Text,
            })
        })
        .collect::<object::Result<_>>()
        .context("truncated object")
}

/// How many instructions these sections hold.
pub(crate) fn instructions(sections: &[Section<'_>]) -> usize {
    let code = sections.iter().filter(|section| section.is_code);
    code.map(|section| section.bytes.len() / INSTRUCTION).sum()
}

/// The names of the sections in which two objects differ, debug information aside.
pub(crate) fn differences(one: &[u8], other: &[u8]) -> Result<Vec<String>> {
    let (one, other) = (by_name(one)?, by_name(other)?);
    let names = one.keys().chain(other.keys()).collect::<BTreeSet<_>>();
    let differs = names
        .into_iter()
        .filter(|name| one.get(*name) != other.get(*name));
    Ok(differs.cloned().collect())
}

fn by_name(object: &[u8]) -> Result<BTreeMap<String, &[u8]>> {
    let sections = sections(object)?.into_iter();
    let compared = sections.filter(|section| !section.name.starts_with(".debug"));
    Ok(compared
        .map(|section| (section.name, section.bytes))
        .collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    // Any program of this host is an object of the right shape, this test too.
    #[test]
    fn reads_sections() {
        let object = fs::read("/proc/self/exe").unwrap();
        let sections = sections(&object).unwrap();
        let names = sections
            .iter()
            .map(|section| section.name.as_str())
            .collect::<Vec<_>>();
        assert!(
            names.contains(&".text") && names.contains(&".bss"),
            "{names:?}"
        );
        assert!(0 < instructions(&sections));
    }

    // One changed byte of a program is found and named; one of the debug information does not
    // count.
    #[test]
    fn finds_the_section_that_differs() {
        let object = fs::read("/proc/self/exe").unwrap();
        let check = |name: &str, expected: &[&str]| {
            let mut changed = object.clone();
            let sections = sections(&object).unwrap();
            let section = sections
                .iter()
                .find(|section| section.name == name)
                .unwrap();
            let start = section.bytes.as_ptr() as usize - object.as_ptr() as usize;
            changed[start] ^= 1;
            assert_eq!(differences(&object, &changed).unwrap(), expected);
        };
        check(".text", &[".text"]);
        check(".debug_info", &[]);
    }

    // An object that was cut short is an error and no panic.
    #[test]
    fn refuses_what_is_no_object() {
        let object = fs::read("/proc/self/exe").unwrap();
        for bytes in [
            &b""[..],
            b"\x7fELF\x02\x01",
            &object[..64],
            &object[..object.len() / 2],
        ] {
            assert!(sections(bytes).is_err());
        }
    }
}
