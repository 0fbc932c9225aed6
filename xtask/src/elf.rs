//! As much of the ELF format as a comparison of two BPF objects needs: their sections.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use anyhow::{Context as _, Result, ensure};

/// A section that holds instructions.
const EXECUTABLE: u64 = 4;

/// A section without bytes in the file (`.bss`).
const NO_BITS: u64 = 8;

/// One instruction takes eight bytes.
const INSTRUCTION: usize = 8;

/// A section of an object.
#[derive(Debug)]
pub(crate) struct Section<'a> {
    /// Its name, for a program its attach type.
    pub(crate) name: String,
    /// Its content.
    pub(crate) bytes: &'a [u8],
    flags: u64,
}

/// All sections of a 64-bit little-endian object.
pub(crate) fn sections(object: &[u8]) -> Result<Vec<Section<'_>>> {
    ensure!(
        object.starts_with(b"\x7fELF\x02\x01"),
        "not a 64-bit little-endian ELF object"
    );
    let (start, size) = (number(object, 40..48)?, number(object, 58..60)?);
    let (count, names) = (number(object, 60..62)?, number(object, 62..64)?);
    let header = |index: u64| range(object, start + index * size, size);
    let names = content(object, header(names)?)?;
    (0..count)
        .map(|index| section(object, header(index)?, names))
        .collect()
}

/// How many instructions these sections hold.
pub(crate) fn instructions(sections: &[Section<'_>]) -> usize {
    let executable = sections
        .iter()
        .filter(|section| section.flags & EXECUTABLE != 0);
    executable
        .map(|section| section.bytes.len() / INSTRUCTION)
        .sum()
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

fn section<'a>(object: &'a [u8], header: &[u8], names: &[u8]) -> Result<Section<'a>> {
    let name = names
        .get(number(header, 0..4)? as usize..)
        .context("truncated names")?;
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(Section {
        name: String::from_utf8_lossy(name).into_owned(),
        bytes: content(object, header)?,
        flags: number(header, 8..16)?,
    })
}

fn content<'a>(object: &'a [u8], header: &[u8]) -> Result<&'a [u8]> {
    if number(header, 4..8)? == NO_BITS {
        return Ok(&[]);
    }
    range(object, number(header, 24..32)?, number(header, 32..40)?)
}

fn range(object: &[u8], start: u64, length: u64) -> Result<&[u8]> {
    let end = start.checked_add(length).context("truncated object")?;
    object
        .get(start as usize..end as usize)
        .context("truncated object")
}

fn number(bytes: &[u8], at: Range<usize>) -> Result<u64> {
    let bytes = bytes.get(at).context("truncated header")?;
    Ok(bytes
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | u64::from(*byte)))
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
