//! What the agent and the two processes of [`sandbox`](crate::origin::sandbox) say to each other:
//! one JSON object a line, a question and its answer in turn. Files travel beside the lines, as
//! open descriptors.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::model::origin::BUILD_ID_BYTES;

/// Longest name, bytes; longer ones are of templates, and nobody reads their end.
pub(in crate::origin) const NAME_BYTES: usize = 1024;

/// Most functions that are inlined into each other at one address.
pub(in crate::origin) const INLINED: usize = 64;

/// To the opener: addresses that want names.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::origin) struct Request {
    /// Whose they are.
    pub(in crate::origin) process: Process,
    /// What is there.
    pub(in crate::origin) code: Code,
    /// What to look up: as the headers of the file count, or as the process counts.
    pub(in crate::origin) addresses: Vec<u64>,
}

/// A process, which may have ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::origin) struct Process {
    /// Where processes are looked up.
    pub(in crate::origin) procfs: String,
    /// Its number.
    pub(in crate::origin) tgid: u32,
    /// When it started, in clock ticks since boot.
    pub(in crate::origin) start_ticks: u64,
}

/// Which code the addresses are in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::origin) enum Code {
    /// That of a file.
    File(MappedFile),
    /// Code that the process made, and may have written a list of.
    Generated,
}

/// A file that was mapped.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::origin) struct MappedFile {
    /// Its path, as the process names it.
    pub(in crate::origin) path: String,
    /// Its build id, where it is known: a file with another one is not the one.
    pub(in crate::origin) build_id: Option<String>,
    /// An address of the process where it was mapped.
    pub(in crate::origin) ip: u64,
    /// Read debug information too, not just tables of symbols.
    pub(in crate::origin) lines: bool,
}

/// From the opener: what became of it.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::origin) enum Opened {
    /// The file is beside this line, and behind it the file with its debug information, where that
    /// is another.
    File {
        /// The build id that the file has.
        build_id: Option<String>,
    },
    /// It was not found, or is not what it was.
    Refused {
        /// Why.
        reason: String,
    },
}

/// To the parser: what to look up in the files beside this line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::origin) struct Job {
    pub(in crate::origin) kind: FileKind,
    pub(in crate::origin) addresses: Vec<u64>,
}

/// How the files of a [`Job`] are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::origin) enum FileKind {
    /// A program or library, and maybe a second file with its debug information.
    Elf {
        /// Read debug information too, not just tables of symbols.
        lines: bool,
    },
    /// The list that a just-in-time compiler wrote.
    PerfMap,
}

/// From the parser: for each address its functions, the innermost first; none where there are no
/// names.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(in crate::origin) struct Names {
    pub(in crate::origin) names: Vec<Vec<Name>>,
}

impl Names {
    /// Whether this may be an answer about so many addresses. The parser has read files that may
    /// have been made to break it, so the agent checks what it says.
    pub(super) fn fit(&self, addresses: usize) -> bool {
        let mut all = self.names.iter();
        self.names.len() <= addresses
            && all.all(|names| names.len() <= INLINED + 1 && names.iter().all(Name::fits))
    }
}

/// A function that an address belongs to; all but the last of an address are inlined into the
/// next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::origin) struct Name {
    /// Its name, demangled.
    pub(in crate::origin) function: Option<String>,
    /// The source file.
    pub(in crate::origin) file: Option<String>,
    /// The line in it, from 1.
    pub(in crate::origin) line: Option<u32>,
}

impl Name {
    /// Bytes that it takes in memory, about.
    pub(super) fn bytes(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        size_of::<Self>() + text(&self.function) + text(&self.file)
    }

    fn fits(&self) -> bool {
        // A name that was cut ends with an ellipsis.
        let most = NAME_BYTES + '…'.len_utf8();
        let fits = |text: &Option<String>| text.as_ref().is_none_or(|text| text.len() <= most);
        fits(&self.function) && fits(&self.file)
    }
}

/// A line, with its end.
pub(in crate::origin) fn encode<T: Serialize>(message: &T) -> Vec<u8> {
    // None of the messages has anything that JSON cannot hold.
    let mut line = serde_json::to_vec(message).unwrap_or_default();
    line.push(b'\n');
    line
}

/// What a line says; `None` where it is none of ours.
pub(in crate::origin) fn decode<T: DeserializeOwned>(line: &[u8]) -> Option<T> {
    serde_json::from_slice(line).ok()
}

/// The bytes of a build id in hex.
pub(in crate::origin) fn unhex(text: &str) -> Option<Vec<u8>> {
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
    fn answers_of_the_parser_are_bounded() {
        let name = |bytes| Name {
            function: Some("x".repeat(bytes)),
            ..Name::default()
        };
        for (names, expected) in [
            (vec![], true),
            (vec![vec![name(NAME_BYTES)]; 2], true),
            (vec![vec![]; 3], false),
            (vec![vec![name(NAME_BYTES + 4)]], false),
            (vec![vec![name(1); INLINED + 1]], true),
            (vec![vec![name(1); INLINED + 2]], false),
        ] {
            let count = names.len();
            assert_eq!(Names { names }.fit(2), expected, "{count}");
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
