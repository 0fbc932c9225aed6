//! What the processes that read files may do: as the kernel tells it of those that the agent
//! starts.

use std::fs;

use crate::{files::Program, hostile::children, module, stack, symbolizer, this_process, told};

/// `CAP_DAC_READ_SEARCH`, `CAP_SYS_PTRACE`, `CAP_CHECKPOINT_RESTORE`.
const READING: u64 = 1 << 2 | 1 << 19 | 1 << 40;

/// What the kernel tells of a process.
struct Status(String);

impl Status {
    fn of(process: &str) -> Self {
        Self(fs::read_to_string(format!("/proc/{process}/status")).unwrap())
    }

    fn field(&self, name: &str) -> &str {
        let mut lines = self.0.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value
            .unwrap_or_else(|| panic!("no {name}: {}", self.0))
            .trim()
    }

    fn capabilities(&self, set: &str) -> u64 {
        u64::from_str_radix(self.field(set), 16).unwrap()
    }
}

#[test]
fn readers_have_no_rights_that_they_do_not_need() {
    let program = Program::compile(&["-g"]);
    let module = module(&program.path, program.build_id());
    let mut symbolizer = symbolizer();
    let named = symbolizer.name(&stack(&module, program.address("f")), this_process());
    assert_eq!(told(&named.frames[0]), "f program.c:15");
    let own = Status::of("self");
    let is_root = own.field("Uid").starts_with("0\t");
    let may_become_nobody = own.capabilities("CapEff") & 0b1110_0000 == 0b1110_0000;
    let readers = children();
    assert_eq!(readers.len(), 2);
    let mut names = Vec::new();
    for reader in readers {
        let status = Status::of(&reader);
        let name = status.field("Name");
        names.push(name.to_owned());
        let allowed = if name == "memguard-opener" {
            READING
        } else {
            0
        };
        for (set, allowed) in [
            ("CapEff", allowed),
            ("CapPrm", allowed),
            ("CapInh", 0),
            ("CapAmb", 0),
            ("CapBnd", 0),
        ] {
            // Only who may may drop from the bounding set; the others gain nothing by it.
            if set != "CapBnd" || is_root {
                let held = status.capabilities(set);
                assert_eq!(held & !allowed, 0, "{name}: {set} {held:x}");
            }
        }
        if may_become_nobody {
            assert_eq!(status.field("Uid"), ["65534"; 4].join("\t"), "{name}");
            assert_eq!(status.field("Gid"), ["65534"; 4].join("\t"), "{name}");
            assert_eq!(status.field("Groups"), "", "{name}");
        }
        assert_eq!(status.field("NoNewPrivs"), "1", "{name}");
        assert_eq!(status.field("Seccomp"), "2", "{name}");
        assert_eq!(status.field("Threads"), "1", "{name}");
        if name == "memguard-names" && is_root {
            let root = format!("/proc/{reader}/root/");
            assert_eq!(fs::read_dir(root).unwrap().count(), 0);
        }
    }
    names.sort();
    assert_eq!(names, ["memguard-names", "memguard-opener"]);
    drop(symbolizer);
    assert_eq!(children(), Vec::<String>::new(), "buried");
}
