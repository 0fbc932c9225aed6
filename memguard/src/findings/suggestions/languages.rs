//! What scripts do: where an interpreter made the calls, in its own language.

use crate::model::{
    finding::Finding,
    resource::{Call, Kind, Resource},
};

/// How a script closes such a thing on every path.
pub(super) fn close(finding: &Finding) -> Option<&'static str> {
    let accepted = |call: &Call| matches!(call, Call::Accept | Call::Accept4);
    let accepted = finding.calls.iter().any(accepted);
    Some(match (interpreter(finding)?, finding.kind) {
        ("python", Kind::File) if is_raw(finding) => {
            "os.close in a finally block what os.open returned"
        }
        ("python", Kind::File) => "open it by `with open(...)`, which closes it on every path",
        ("python", Kind::Dir) => "read it by `with os.scandir(...)`, which closes it on every path",
        ("python", kind) if is_socket(kind) && accepted => {
            "serve what accept returned in `with connection:`, which closes it on every path"
        }
        ("python", kind) if is_socket(kind) => {
            "use the socket in `with`, or close it in a finally block"
        }
        ("ruby", Kind::File | Kind::Dir) => "give open a block: it closes at the block's end",
        ("java", kind) if is_stream(kind) => {
            "use it in try-with-resources, which closes it on every path"
        }
        (".net", kind) if is_stream(kind) => {
            "declare it with `using`, which closes it on every path"
        }
        ("node", Kind::File) => "close it in a finally block: the collector closes no descriptor",
        ("php", Kind::File) => "fclose what fopen returned on every path",
        ("lua", Kind::File) => "call close on what io.open returned on every path",
        ("bash", Kind::File) => "close it in the script: exec {fd}>&-",
        ("sh", Kind::File) => "close it in the script: exec N>&-, N being its number",
        _ => return None,
    })
}

/// How a script sees that the peer has closed.
pub(super) fn end_of_input(finding: &Finding) -> &'static str {
    match interpreter(finding) {
        Some("python") => "recv returns b''",
        Some("java") => "read returns -1",
        Some("node") => "it emits end",
        _ => "read returns 0",
    }
}

/// How to find out which of a script's objects have the memory.
pub(super) fn heap(finding: &Finding) -> Option<&'static str> {
    Some(match interpreter(finding)? {
        "python" => {
            "compare two snapshots of tracemalloc: they name the lines whose objects stay; what C \
             code keeps they do not"
        }
        "node" | "deno" | "bun" => {
            "compare two heap snapshots of the inspector: they name the objects that stay"
        }
        "java" => "compare two class histograms (jcmd PID GC.class_histogram)",
        "ruby" => {
            "compare two dumps of ObjectSpace.dump_all: they name the lines whose objects stay"
        }
        _ => return None,
    })
}

fn interpreter(finding: &Finding) -> Option<&str> {
    let origin = finding.origin.as_ref()?;
    origin.stack.interpreter
}

/// A bare number, which no object owns.
fn is_raw(finding: &Finding) -> bool {
    let frames = finding.origin.iter().flat_map(|it| &it.stack.frames);
    let mut functions = frames.filter_map(|frame| frame.function.as_deref());
    functions.any(|function| function.starts_with("os_open"))
}

fn is_socket(kind: Kind) -> bool {
    kind.resource() == Resource::Socket
}

fn is_stream(kind: Kind) -> bool {
    matches!(kind, Kind::File | Kind::Dir) || is_socket(kind)
}
