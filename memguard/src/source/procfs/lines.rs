//! Files that may be long, line by line: `maps`, `smaps` and others are never whole in memory.

use std::ops::ControlFlow;

use rustix::{
    buffer::spare_capacity,
    fs::OFlags,
    io::{read, retry_on_intr},
};

use super::{ProcError, Procfs};

impl Procfs {
    /// Calls `each` for every line, without its end, until it breaks; whether there was an end to
    /// the file, or `each` to it, before `limit` bytes. A line that does not fit the buffer is the
    /// last: the kernel prints none.
    pub(super) fn each_line(
        &self,
        place: &str,
        limit: usize,
        mut each: impl FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<bool, ProcError> {
        let file = self.open(place, OFlags::empty())?;
        self.with_buffer(|buffer| {
            let mut left = limit;
            while left > 0 {
                let count = retry_on_intr(|| read(&file, spare_capacity(buffer)))
                    .map_err(|errno| self.fail(place, errno))?;
                if count == 0 {
                    return Ok(buffer.len() < buffer.capacity());
                }
                if take_lines(buffer, &mut each).is_break() {
                    return Ok(true);
                }
                left = left.saturating_sub(count);
            }
            Ok(false)
        })
    }

    /// The same for files in which a leader that has exited says nothing; only then a live thread
    /// is asked.
    pub(super) fn each_line_of(
        &self,
        tgid: u32,
        file: &str,
        limit: usize,
        mut each: impl FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<bool, ProcError> {
        let mut any = false;
        let told = self.each_line(&format!("{tgid}/{file}"), limit, |line| {
            any = true;
            each(line)
        });
        if any || told.as_ref().is_err_and(|error| !error.is_gone()) {
            return told;
        }
        match self.stand_in(tgid)? {
            Some(tid) => self.each_line(&format!("{tgid}/task/{tid}/{file}"), limit, each),
            None => told,
        }
    }
}

/// Hands over the whole lines and leaves what follows the last.
fn take_lines(
    buffer: &mut Vec<u8>,
    mut each: impl FnMut(&[u8]) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let Some(end) = buffer.iter().rposition(|&byte| byte == b'\n') else {
        return ControlFlow::Continue(());
    };
    let lines = buffer.get(..end).unwrap_or_default();
    lines.split(|&byte| byte == b'\n').try_for_each(&mut each)?;
    buffer.drain(..=end);
    ControlFlow::Continue(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::procfs::{BUFFER, testing::TestProcfs};

    fn lines(content: &[u8], limit: usize, stop_at: usize) -> (usize, bool) {
        let tree = TestProcfs::new();
        tree.file("f", content);
        let mut count = 0;
        let whole = tree.procfs().each_line("f", limit, |_| {
            count += 1;
            if count == stop_at {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        (count, whole.unwrap())
    }

    #[test]
    fn all_lines_are_told_or_that_there_are_more() {
        let long = b"x".repeat(2 * BUFFER);
        let many = b"x\n".repeat(BUFFER);
        for (content, limit, stop_at, expected) in [
            (&b""[..], 99, 0, (0, true)),
            (b"a\nb\n\n", 99, 0, (3, true)),
            (b"a\nno end", 99, 0, (1, true)),
            (b"a\nb\nc\n", 99, 2, (2, true)),
            (&many, usize::MAX, 0, (BUFFER, true)),
            (&many, BUFFER, 0, (BUFFER / 2, false)),
            (&long, usize::MAX, 0, (0, false)),
        ] {
            let found = lines(content, limit, stop_at);
            assert_eq!(found, expected, "{} {limit} {stop_at}", content.len());
        }
    }
}
