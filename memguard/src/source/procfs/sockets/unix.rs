//! Rows of `unix`, `proc_pid_net(5)`.
//!
//! ```text
//! Num       RefCount Protocol Flags    Type St Inode Path
//! 00000000583e7f42: 00000003 00000000 00010000 0001 01  1204 /run/x.sock
//! ```

use crate::source::procfs::text;

/// Fields before the inode.
const BEFORE: usize = 6;

/// Inode and name of a row; `None` for the heading. The name is all that follows the inode and one
/// blank, blanks included; abstract ones begin with `@`.
pub(super) fn parse(row: &[u8]) -> Option<(u64, Option<Box<str>>)> {
    let mut rest = row;
    for _ in 0..BEFORE {
        rest = split_field(rest)?.1;
    }
    let (inode, name) = split_field(rest)?;
    let inode = str::from_utf8(inode).ok()?.parse().ok()?;
    let name = name.strip_prefix(b" ").unwrap_or(name);
    Some((
        inode,
        (!name.is_empty()).then(|| text(name).into_boxed_str()),
    ))
}

/// The first field, and what follows it.
fn split_field(row: &[u8]) -> Option<(&[u8], &[u8])> {
    let row = row.trim_ascii_start();
    let end = row
        .iter()
        .position(u8::is_ascii_whitespace)
        .unwrap_or(row.len());
    let (field, rest) = row.split_at_checked(end)?;
    (!field.is_empty()).then_some((field, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_all_that_follows_the_inode() {
        for (row, expected) in [
            (
                &b"00000000583e7f42: 00000003 00000000 00000000 0001 03  1204"[..],
                Some((1204, None)),
            ),
            (
                b"00000000583e7f42: 2 0 00010000 0001 01 17 /run/x.sock",
                Some((17, Some("/run/x.sock"))),
            ),
            (
                b"00000000583e7f42: 2 0 00010000 0001 01 17 @abstract",
                Some((17, Some("@abstract"))),
            ),
            (
                b"00000000583e7f42: 2 0 00010000 0001 01 17  a b ",
                Some((17, Some(" a b "))),
            ),
            (
                b"00000000583e7f42: 2 0 00010000 0001 01 17 @\xff",
                Some((17, Some("@\u{fffd}"))),
            ),
            (
                b"Num       RefCount Protocol Flags    Type St Inode Path",
                None,
            ),
            (b"00000000583e7f42: 2 0 00010000 0001 01", None),
            (b"second line of a name", None),
            (b"", None),
        ] {
            let expected = expected.map(|(inode, name)| (inode, name.map(Box::from)));
            assert_eq!(parse(row), expected, "{}", text(row));
        }
    }
}
