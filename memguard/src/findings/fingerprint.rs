//! What a leak is recognised by in other runs and on other hosts.

use crate::model::{
    origin::Origin,
    process::ProcessInfo,
    resource::{Call, Kind},
};

/// Resource, kind, program, and the program's own frames; the calls where there are none.
///
/// No path and no build id: a leak is the same one after it was installed elsewhere, and a baseline
/// must outlive a rebuild.
pub fn of(process: &ProcessInfo, kind: Kind, calls: &[Call], origin: Option<&Origin>) -> u64 {
    let frames = origin.map(|origin| origin.stack.signature());
    let frames = frames.filter(|frames| !frames.is_empty());
    // What is called `python3` when it is started and `python3.11` when it runs is one program.
    let program = origin.and_then(|origin| origin.stack.program().map(str::to_owned));
    let program = program.unwrap_or_else(|| process.label());
    let topic = origin.and_then(|origin| origin.topic.clone());
    let calls = || calls.iter().map(|call| call.name().to_owned()).collect();
    let parts = [kind.resource().name(), kind.name(), &program].map(str::to_owned);
    hash(
        parts
            .into_iter()
            .chain(frames.unwrap_or_else(calls))
            .chain(topic),
    )
}

/// FNV-1a over the parts, each ended
/// by a zero byte. <http://www.isthe.com/chongo/tech/comp/fnv/>
pub fn hash(parts: impl IntoIterator<Item = impl AsRef<str>>) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for part in parts {
        for byte in part.as_ref().bytes().chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_depend_on_where_parts_end() {
        assert_eq!(hash(["a", "b"]), hash(["a", "b"]));
        assert_ne!(hash(["ab", ""]), hash(["a", "b"]));
    }
}
