//! What a program about memory says of itself (`tests/programs/zoo_watched.h`):
//!
//! ```text
//! finds PID VERDICT RESOURCE KIND COUNT BYTES FUNCTION    "*" is any
//! grows PID RESOURCE KIND BYTES SECONDS CALL FUNCTION
//! ```

use std::collections::BTreeSet;

/// All of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    /// What is to be reported to the last byte.
    pub finds: Vec<Finds>,
    /// What is to be reported as growth.
    pub grows: Vec<Grows>,
    /// Why this machine cannot do it.
    pub skipped: Option<String>,
}

/// Handles of one process that pile up, or are left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finds {
    /// Whose they are.
    pub pid: u64,
    /// `leak` or `left`.
    pub verdict: String,
    /// `mmap`, `thread` …
    pub resource: String,
    /// `anon`, `unjoined` …
    pub kind: String,
    /// How many.
    pub count: u64,
    /// How large together, where they have a size.
    pub bytes: Option<u64>,
    /// The function that acquires them.
    pub function: String,
}

/// A process that becomes larger.
#[derive(Clone, Debug, PartialEq)]
pub struct Grows {
    /// Which.
    pub pid: u64,
    /// `heap`.
    pub resource: String,
    /// `anon` or `shm`.
    pub kind: String,
    /// By how much.
    pub bytes: u64,
    /// In what time.
    pub seconds: f64,
    /// By which call and in which function most of it is acquired, where that can be seen.
    pub site: Option<(String, String)>,
}

impl Grows {
    /// Bytes a second.
    pub fn rate(&self) -> f64 {
        self.bytes as f64 / self.seconds
    }
}

impl Said {
    /// Reads what the program printed.
    ///
    /// # Panics
    ///
    /// When a line begins like one of these and is none.
    pub fn of(printed: &str) -> Self {
        let mut said = Self::default();
        for line in printed.lines() {
            let (head, rest) = line.split_once(' ').unwrap_or((line, ""));
            match head {
                "finds" => said.finds.push(promised(finds(rest), line)),
                "grows" => said.grows.push(promised(grows(rest), line)),
                "SKIPPED:" => said.skipped = Some(rest.to_owned()),
                _ => {}
            }
        }
        said
    }

    /// Whether nothing at all is to be reported.
    pub fn is_healthy(&self) -> bool {
        self.finds.is_empty() && self.grows.is_empty()
    }

    /// The processes about which something is to be reported.
    pub fn pids(&self) -> BTreeSet<u64> {
        let finds = self.finds.iter().map(|finds| finds.pid);
        finds
            .chain(self.grows.iter().map(|grows| grows.pid))
            .collect()
    }

    /// In a few words, for a table.
    pub fn summary(&self) -> String {
        let finds = self.finds.iter().map(|finds| {
            let Finds {
                verdict,
                resource,
                kind,
                count,
                bytes,
                ..
            } = finds;
            let bytes = bytes.map_or_else(String::new, |bytes| format!(", {bytes} bytes"));
            format!("{verdict} {resource}/{kind} {count}{bytes}")
        });
        let grows = self.grows.iter().map(|grows| {
            let Grows { resource, kind, .. } = grows;
            format!("growth {resource}/{kind} {:.0} bytes/s", grows.rate())
        });
        let all: Vec<_> = finds.chain(grows).collect();
        if all.is_empty() {
            "nothing".to_owned()
        } else {
            all.join("; ")
        }
    }
}

fn promised<T>(read: Option<T>, line: &str) -> T {
    read.unwrap_or_else(|| panic!("not as promised: {line:?}"))
}

fn finds(words: &str) -> Option<Finds> {
    let [pid, verdict, resource, kind, count, bytes, function] = fields(words)?;
    Some(Finds {
        pid: pid.parse().ok()?,
        verdict: verdict.to_owned(),
        resource: resource.to_owned(),
        kind: kind.to_owned(),
        count: count.parse().ok()?,
        bytes: if bytes == "*" {
            None
        } else {
            Some(bytes.parse().ok()?)
        },
        function: function.to_owned(),
    })
}

fn grows(words: &str) -> Option<Grows> {
    let [pid, resource, kind, bytes, seconds, call, function] = fields(words)?;
    Some(Grows {
        pid: pid.parse().ok()?,
        resource: resource.to_owned(),
        kind: kind.to_owned(),
        bytes: bytes.parse().ok()?,
        seconds: seconds.parse().ok()?,
        site: (call != "*").then(|| (call.to_owned(), function.to_owned())),
    })
}

fn fields(words: &str) -> Option<[&str; 7]> {
    words.split(' ').collect::<Vec<_>>().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::{Finds, Grows, Said};

    /// Both lines with and without what may be any, and others left alone.
    #[test]
    fn reads_the_lines() {
        let said = Said::of(
            "ready\nfinds 7 leak mmap anon 3 12288 leak_s47\nfinds 8 leak thread thread 4 * f\n\
             grows 9 heap anon 2000 4.000 brk leak_s55\ngrows 9 heap shm 10 1 * *\nmet 3 moves\n",
        );
        let leak = Finds {
            pid: 7,
            verdict: "leak".to_owned(),
            resource: "mmap".to_owned(),
            kind: "anon".to_owned(),
            count: 3,
            bytes: Some(12288),
            function: "leak_s47".to_owned(),
        };
        assert_eq!(said.finds[0], leak);
        assert_eq!((said.finds[1].count, said.finds[1].bytes), (4, None));
        let grows: Vec<_> = said
            .grows
            .iter()
            .map(|it| (Grows::rate(it), it.site.is_some()))
            .collect();
        assert_eq!(grows, [(500.0, true), (10.0, false)]);
        assert_eq!(said.pids().into_iter().collect::<Vec<_>>(), [7, 8, 9]);
        assert!(!said.is_healthy());
        assert!(Said::of("ready\ndone\n").is_healthy());
    }
}
