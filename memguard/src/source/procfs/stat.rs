//! The one line of `/proc/PID/stat`, `proc_pid_stat(5)`.

use super::text;

/// What memguard takes from the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    /// Command name, field 2.
    pub(super) name: String,
    /// State letter, field 3.
    pub(super) state: u8,
    /// Thread group of the parent, field 4; 0 where it has none in this PID namespace.
    pub(super) parent: u32,
    /// Kernel flags, field 9.
    pub(super) flags: u32,
    /// Threads, with a leader that has exited, field 20.
    pub(super) threads: u32,
    /// Start in clock ticks since boot, field 22.
    pub(super) start_ticks: u64,
}

/// `PF_EXITING` of `include/linux/sched.h`: set before the task gives up its table and its memory,
/// which is before it becomes a zombie.
const EXITING: u32 = 0x4;

impl Stat {
    /// The name is whatever bytes the process chose, parentheses and newlines included, and no
    /// parenthesis comes after it: it ends at the last one.
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        let open = line.iter().position(|&byte| byte == b'(')?;
        let close = line.iter().rposition(|&byte| byte == b')')?;
        let name = line.get(open + 1..close)?;
        let rest = str::from_utf8(line.get(close + 1..)?).ok()?;
        let mut fields = rest.split_ascii_whitespace();
        Some(Self {
            name: text(name),
            state: *fields.next()?.as_bytes().first()?,
            parent: fields.next()?.parse().ok()?,
            flags: fields.nth(9 - 5)?.parse().ok()?,
            threads: fields.nth(20 - 10)?.parse().ok()?,
            start_ticks: fields.nth(22 - 21)?.parse().ok()?,
        })
    }

    /// Not dead, no zombie and not on the way there. What was read of the table before this was
    /// true is whole.
    pub(super) fn alive(&self) -> bool {
        !matches!(self.state, b'Z' | b'X' | b'x') && self.flags & EXITING == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: &[u8] =
        b" S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 3 0 4711 2998272 417 18446744073709551615\n";

    #[test]
    fn the_name_ends_at_the_last_parenthesis() {
        let long = vec![b'x'; 4096];
        for (name, expected) in [
            (&b"cat"[..], "cat"),
            (b"", ""),
            (b"a) R 2 (b", "a) R 2 (b"),
            (b") S 1 1 1", ") S 1 1 1"),
            (b"two\nlines", "two\nlines"),
            (b"\xff\xfe", "\u{fffd}\u{fffd}"),
            (&long, str::from_utf8(&long).unwrap()),
        ] {
            let line = [b"7 (", name, b")", REST].concat();
            let stat = Stat::parse(&line).unwrap();
            let found = (
                stat.name.as_str(),
                stat.state,
                stat.parent,
                stat.flags,
                stat.threads,
                stat.start_ticks,
            );
            assert_eq!(found, (expected, b'S', 1, 4194560, 3, 4711));
        }
    }

    #[test]
    fn what_is_no_stat_line_is_none() {
        for line in [
            &b""[..],
            b"7",
            b"7 (cat",
            b")(",
            b"7 (cat)",
            b"7 (cat) S",
            b"7 (cat) S 1 2 3",
            b"7 (cat) S -1 7 7 0 -1 0 0 0 0 0 0 0 0 0 0 0 0 0 5 0",
            b"7 (cat) \xff 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 0 0 0 0 5 0",
        ] {
            assert_eq!(Stat::parse(line), None, "{}", text(line));
        }
    }

    #[test]
    fn zombies_the_dead_and_the_dying_are_not_alive() {
        for (state, flags, alive) in [
            (b'R', 0, true),
            (b'D', 0x0040_0100, true),
            (b't', !EXITING, true),
            (b'R', EXITING, false),
            (b'Z', 0, false),
            (b'X', 0, false),
            (b'x', 0, false),
        ] {
            let stat = Stat {
                name: String::new(),
                state,
                parent: 1,
                flags,
                threads: 1,
                start_ticks: 1,
            };
            assert_eq!(stat.alive(), alive, "{} {flags:#x}", char::from(state));
        }
    }
}
