//! What the agent and its child say to each other: one JSON object a line, a question and its
//! answer in turn.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::model::origin::BUILD_ID_BYTES;

/// Addresses that want names.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Request {
    /// Whose they are.
    pub(super) process: Process,
    /// What is there.
    pub(super) subject: Subject,
    /// What to look up: as the headers of the file count, or as the process counts.
    pub(super) addresses: Vec<u64>,
}

/// A process, which may have ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Process {
    /// Where processes are looked up.
    pub(super) procfs: String,
    /// Its number.
    pub(super) tgid: u32,
    /// When it started, in clock ticks since boot.
    pub(super) start_ticks: u64,
}

/// What the addresses are of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Subject {
    /// A file.
    File(Mapped),
    /// Code that the process made, and may have written a list of.
    Made,
}

/// A file that was mapped.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Mapped {
    /// Its path, as the process names it.
    pub(super) path: String,
    /// Its build id, where it is known: a file with another one is not the one.
    pub(super) build_id: Option<String>,
    /// An address of the process where it was mapped.
    pub(super) ip: u64,
    /// Read debug information too, not just tables of symbols.
    pub(super) lines: bool,
}

/// What became of it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    /// It was found.
    Named {
        /// The build id that the file has.
        build_id: Option<String>,
        /// For each address its functions, the innermost first; none where there are no names.
        names: Vec<Vec<Name>>,
    },
    /// It was not, or is not what it was.
    Refused {
        /// Why.
        reason: String,
    },
}

/// A function that an address belongs to; all but the last of an address are inlined into the
/// next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Name {
    /// Its name, demangled.
    pub(super) function: Option<String>,
    /// The source file.
    pub(super) file: Option<String>,
    /// The line in it, from 1.
    pub(super) line: Option<u32>,
}

impl Name {
    /// Bytes that it takes in memory, about.
    pub(super) fn bytes(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        size_of::<Self>() + text(&self.function) + text(&self.file)
    }
}

/// A line, with its end.
pub(super) fn encode<T: Serialize>(message: &T) -> Vec<u8> {
    // Neither of the messages has anything that JSON cannot hold.
    let mut line = serde_json::to_vec(message).unwrap_or_default();
    line.push(b'\n');
    line
}

/// What a line says; `None` where it is none of ours.
pub(super) fn decode<T: DeserializeOwned>(line: &[u8]) -> Option<T> {
    serde_json::from_slice(line).ok()
}

/// The bytes of a build id in hex.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let fits = text.is_ascii() && text.len().is_multiple_of(2) && text.len() <= BUILD_ID_BYTES * 2;
    let digits = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    fits.then(|| (0..text.len()).step_by(2).map(digits).collect())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read() {
        for (text, expected) in [
            ("9f3c00", Some(vec![0x9f, 0x3c, 0])),
            ("", Some(vec![])),
            ("9f3", None),
            ("zz", None),
            ("ü1", None),
            (&"00".repeat(21), None),
        ] {
            assert_eq!(unhex(text), expected, "{text}");
        }
    }

    #[test]
    fn a_message_is_a_line() {
        let name = Name {
            function: Some("a\nb".to_owned()),
            ..Name::default()
        };
        let line = encode(&name);
        let end = line.iter().position(|byte| *byte == b'\n');
        assert_eq!(end, Some(line.len() - 1));
        assert_eq!(decode::<Name>(&line), Some(name));
        assert_eq!(decode::<Name>(b"random bytes"), None);
    }
}
