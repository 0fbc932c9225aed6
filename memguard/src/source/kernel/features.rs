//! Facts about the running kernel: version, structure offsets, tracepoints. No decisions: those are
//! [`super::plan`]'s.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    fs, io,
    path::{Path, PathBuf},
};

use btf_rs::{Backend, Btf, Type};
use memguard_common::settings::{ABSENT, Layout};
use thiserror::Error;

/// Where the kernel shows its types.
pub const BTF: &str = "/sys/kernel/btf/vmlinux";

/// Major and minor version of a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KernelVersion {
    /// 6 of 6.18.
    pub major: u32,
    /// 18 of 6.18.
    pub minor: u32,
}

impl KernelVersion {
    /// The first with everything the programs need: `bpf_task_pt_regs` came last.
    pub const REQUIRED: Self = Self {
        major: 5,
        minor: 15,
    };

    /// From `uname -r`, whatever follows the two numbers.
    pub fn parse(release: &str) -> Option<Self> {
        let mut parts = release.split(|c: char| !c.is_ascii_digit());
        let major = parts.next()?.parse().ok()?;
        let minor = parts.next()?.parse().ok()?;
        Some(Self { major, minor })
    }

    /// Of the running kernel.
    pub fn running() -> Option<Self> {
        Self::parse(rustix::system::uname().release().to_str().ok()?)
    }
}

impl std::fmt::Display for KernelVersion {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)
    }
}

/// Why the kernel's types cannot be used.
#[derive(Debug, Error)]
pub enum LayoutError {
    /// No BTF, or not readable.
    #[error("cannot read {BTF}: {0}")]
    Btf(String),
    /// A structure or field is not what the programs expect.
    #[error("the kernel's BTF has no field {0}")]
    Missing(String),
}

/// A field of a tracepoint's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Bytes from the start of the record.
    pub offset: u32,
    /// Bytes.
    pub size: u32,
}

/// A tracepoint's record, as its `format` file describes it. Not an ABI: read before every load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Format {
    /// Fields by name.
    pub fields: BTreeMap<String, Field>,
}

impl Format {
    /// Reads the text of a `format` file; lines that are no fields are passed over.
    pub fn parse(text: &str) -> Self {
        Self {
            fields: text.lines().filter_map(field).collect(),
        }
    }
}

/// One line of a `format` file: `field:unsigned int fd; offset:16; size:8; signed:0;`, tabs
/// between.
fn field(line: &str) -> Option<(String, Field)> {
    let mut parts = line.trim().split(';').map(str::trim);
    let declaration = parts.next()?.strip_prefix("field:")?;
    let name = declaration.rsplit(' ').next()?;
    let name = name.split('[').next()?;
    let offset = parts.next()?.strip_prefix("offset:")?.parse().ok()?;
    let size = parts.next()?.strip_prefix("size:")?.parse().ok()?;
    Some((name.to_owned(), Field { offset, size }))
}

/// The record of a tracepoint; an error where the kernel has none of that name.
pub fn format(tracefs: &Path, category: &str, name: &str) -> io::Result<Format> {
    let path: PathBuf = [
        tracefs,
        Path::new("events"),
        category.as_ref(),
        name.as_ref(),
    ]
    .iter()
    .collect();
    fs::read_to_string(path.join("format")).map(|text| Format::parse(&text))
}

/// Offsets from the running kernel's BTF; those of tracepoint fields stay zero, they are the
/// plan's.
pub fn layout() -> Result<Layout, LayoutError> {
    let btf = read_btf().map_err(LayoutError::Btf)?;
    let structures = Structures::of(&btf);
    let at = |path: &str| structures.offset(path);
    let (word_type, rdonly_cast) = cast(&btf).unwrap_or_default();
    Ok(Layout {
        task_files: at("task_struct.files")?,
        task_tgid: at("task_struct.tgid")?,
        task_tid: at("task_struct.pid")?,
        task_group_leader: at("task_struct.group_leader")?,
        task_start: at("task_struct.start_boottime")?,
        task_exec_id: at("task_struct.self_exec_id")?,
        task_exit_code: at("task_struct.exit_code")?,
        task_mm: at("task_struct.mm")?,
        task_signal: at("task_struct.signal")?,
        signal_live: at("signal_struct.live")?,
        signal_flags: at("signal_struct.flags")?,
        signal_exec_task: at("signal_struct.group_exec_task")
            .or_else(|_| at("signal_struct.group_exit_task"))?,
        mm_arg_start: at("mm_struct.arg_start")?,
        mm_arg_end: at("mm_struct.arg_end")?,
        mm_start_brk: at("mm_struct.start_brk")?,
        mm_brk: at("mm_struct.brk")?,
        files_count: at("files_struct.count")?,
        files_fdt: at("files_struct.fdt")?,
        fdt_max_fds: at("fdtable.max_fds")?,
        fdt_fd: at("fdtable.fd")?,
        fdt_open_fds: at("fdtable.open_fds")?,
        file_private_data: at("file.private_data")?,
        file_inode: at("file.f_inode")?,
        file_mode: at("file.f_mode")?,
        file_dentry: at("file.f_path.dentry")?,
        dentry_parent: at("dentry.d_parent")?,
        inode_mode: at("inode.i_mode")?,
        inode_rdev: at("inode.i_rdev")?,
        inode_number: at("inode.i_ino")?,
        inode_super: at("inode.i_sb")?,
        super_magic: at("super_block.s_magic")?,
        super_device: at("super_block.s_dev")?,
        super_root: at("super_block.s_root")?,
        socket_sk: at("socket.sk")?,
        sock_family: at("sock.__sk_common.skc_family")?,
        sock_type: at("sock.sk_type")?,
        sock_protocol: at("sock.sk_protocol")?,
        uring_open_slot: at("io_open.file_slot").unwrap_or(ABSENT),
        uring_accept_slot: at("io_accept.file_slot").unwrap_or(ABSENT),
        uring_socket_slot: at("io_socket.file_slot").unwrap_or(ABSENT),
        uring_close_fd: at("io_close.fd").unwrap_or(ABSENT),
        uring_close_slot: at("io_close.file_slot").unwrap_or(ABSENT),
        exit_group_dead: 0,
        newtask_clone_flags: 0,
        word_type,
        rdonly_cast,
    })
}

/// Ids of a structure whose first field is a number of eight bytes, and of `bpf_rdonly_cast`.
fn cast(btf: &Btf) -> Option<(u32, u32)> {
    let id = |name: &str, wanted: fn(&Type) -> bool| {
        let types = btf.resolve_types_by_name(name).ok()?;
        let at = types.iter().position(wanted)?;
        btf.resolve_ids_by_name(name).ok()?.get(at).copied()
    };
    let function = id("bpf_rdonly_cast", |it| matches!(it, Type::Func(_)))?;
    Some((id("pt_regs", is_struct)?, function))
}

/// Mapped where the kernel allows that (since 6.16), which parses only what is asked for; else read
/// as a whole: the library's own reading of files seeks once a type, 126 000 times here.
fn read_btf() -> Result<Btf, String> {
    if let Ok(btf) = Btf::from_file_with_backend(BTF, Backend::Mmap) {
        return Ok(btf);
    }
    let bytes = fs::read(BTF).map_err(|error| error.to_string())?;
    Btf::from_bytes(&bytes).map_err(|error| error.to_string())
}

/// The kernel's structures, each looked up once: by its name among all types of the kernel, which
/// takes milliseconds.
struct Structures<'a> {
    btf: &'a Btf,
    known: RefCell<HashMap<String, Option<Type>>>,
}

impl<'a> Structures<'a> {
    fn of(btf: &'a Btf) -> Self {
        Self {
            btf,
            known: RefCell::default(),
        }
    }

    fn named(&self, name: &str) -> Option<Type> {
        let mut known = self.known.borrow_mut();
        let found = known.entry(name.to_owned()).or_insert_with(|| {
            let types = self.btf.resolve_types_by_name(name).ok()?;
            types.into_iter().find(is_struct)
        });
        found.clone()
    }

    /// Byte offset of `struct.field.field`.
    fn offset(&self, path: &str) -> Result<u32, LayoutError> {
        let missing = || LayoutError::Missing(path.to_owned());
        let (name, fields) = path.split_once('.').ok_or_else(missing)?;
        let mut current = self.named(name).ok_or_else(missing)?;
        let mut bits = 0;
        for name in fields.split('.') {
            let (at, next) = member(self.btf, &current, name).ok_or_else(missing)?;
            bits += at;
            current = next;
        }
        Ok(bits / 8)
    }
}

fn is_struct(candidate: &Type) -> bool {
    matches!(candidate, Type::Struct(_) | Type::Union(_))
}

/// Offset in bits and type of a member, anonymous structures and unions looked through.
fn member(btf: &Btf, parent: &Type, name: &str) -> Option<(u32, Type)> {
    let (Type::Struct(parent) | Type::Union(parent)) = parent else {
        return None;
    };
    for member in &parent.members {
        let its_name = btf.resolve_name(member).unwrap_or_default();
        if its_name == name {
            return Some((
                member.bit_offset(),
                through(btf, btf.resolve_chained_type(member).ok()?),
            ));
        }
        if its_name.is_empty() {
            let inner = through(btf, btf.resolve_chained_type(member).ok()?);
            if let Some((offset, found)) = self::member(btf, &inner, name) {
                return Some((member.bit_offset() + offset, found));
            }
        }
    }
    None
}

/// The type behind `const` and `volatile`.
fn through(btf: &Btf, mut outer: Type) -> Type {
    while let Type::Const(inner) | Type::Volatile(inner) = &outer {
        let Ok(next) = btf.resolve_chained_type(inner) else {
            break;
        };
        outer = next;
    }
    outer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_releases() {
        for (release, expected) in [
            ("6.18.44-fc-v657", Some((6, 18))),
            ("5.15.0-1-cloud-amd64", Some((5, 15))),
            ("6.1", Some((6, 1))),
            ("nonsense", None),
        ] {
            let parsed = KernelVersion::parse(release).map(|v| (v.major, v.minor));
            assert_eq!(parsed, expected, "{release}");
        }
        assert!(KernelVersion { major: 6, minor: 1 } > KernelVersion::REQUIRED);
    }

    #[test]
    fn fields_are_read_from_format_files() {
        let format = Format::parse(
            "name: sched_process_exit\nID: 369\nformat:\n\
             \tfield:char comm[16];\toffset:8;\tsize:16;\tsigned:0;\n\
             \tfield:__data_loc char[] filename;\toffset:12;\tsize:4;\tsigned:0;\n\
             \tfield:bool group_dead;\toffset:32;\tsize:1;\tsigned:0;\n\
             \nprint fmt: \"comm=%s\", REC->comm\n",
        );
        let offsets: Vec<_> = format
            .fields
            .iter()
            .map(|(k, v)| (k.as_str(), v.offset))
            .collect();
        assert_eq!(offsets, [("comm", 8), ("filename", 12), ("group_dead", 32)]);
    }
}
