//! The list that just-in-time compilers write of the code they made: `/tmp/perf-PID.map`, a line
//! with address, size and name for each function.
//!
//! Code is moved and thrown away, and the list only grows. Where two entries with different names
//! cover an address, which of them was there is not known, and it has none.

use std::{
    fs::File,
    io::{self, BufReader, Read as _},
};

use crate::origin::symbolize::wire::Name;

/// Most of a list that is read.
const BYTES: u64 = 32 << 20;

/// Names for each address.
pub(super) fn names(file: File, addresses: &[u64]) -> Vec<Vec<Name>> {
    find(BufReader::new(file.take(BYTES)), addresses)
}

fn find(mut list: impl io::BufRead, addresses: &[u64]) -> Vec<Vec<Name>> {
    let mut found = vec![Found::Nothing; addresses.len()];
    let mut line = Vec::new();
    while list
        .read_until(b'\n', &mut line)
        .is_ok_and(|count| count > 0)
    {
        if let Some((start, size, name)) = entry(&line) {
            for (address, found) in addresses.iter().zip(&mut found) {
                if address.wrapping_sub(start) < size {
                    found.add(name);
                }
            }
        }
        line.clear();
    }
    found.into_iter().map(Found::names).collect()
}

/// `7f3c5a0010 1a0 LazyCompile:*load /srv/app.js:3`, numbers in hex.
fn entry(line: &[u8]) -> Option<(u64, u64, &str)> {
    let line = std::str::from_utf8(line).ok()?.trim_end();
    let (start, rest) = line.split_once(' ')?;
    let (size, name) = rest.split_once(' ')?;
    let number = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).ok();
    Some((number(start)?, number(size)?, name))
}

#[derive(Clone)]
enum Found {
    Nothing,
    One(String),
    Several,
}

impl Found {
    fn add(&mut self, name: &str) {
        *self = match std::mem::replace(self, Self::Several) {
            Self::Nothing => Self::One(name.to_owned()),
            Self::One(other) if other == name => Self::One(other),
            Self::One(_) | Self::Several => Self::Several,
        };
    }

    fn names(self) -> Vec<Name> {
        match self {
            Self::One(name) => vec![Name {
                function: Some(super::symbols::shortened(name)),
                ..Name::default()
            }],
            Self::Nothing | Self::Several => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_the_one_name_that_covers_it() {
        let list = b"1000 10 first\n\
            0x1010 0x10 a name with blanks\n\
            garbage\n\
            2000 zz bad\n\
            3000 100 old\n3080 10 new\n\
            4000 10 same\n4000 10 same\n\
            5000 10 \xff\n\
            6000 10 cut";
        for (address, expected) in [
            (0x1000, Some("first")),
            (0x100f, Some("first")),
            (0x1010, Some("a name with blanks")),
            (0x1020, None),
            (0x2000, None),
            (0x3000, Some("old")),
            (0x3080, None),
            (0x4001, Some("same")),
            (0x5000, None),
            (0x6000, Some("cut")),
        ] {
            let names = find(&list[..], &[address]).remove(0);
            let name = names.first().and_then(|name| name.function.as_deref());
            assert_eq!(name, expected, "{address:#x}");
        }
    }
}
