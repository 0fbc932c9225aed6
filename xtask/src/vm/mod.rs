//! Tries memguard on other kernels: boots Debian's in an emulator, with the agent and programs that
//! leak in a memory disk, and checks what the agent prints there.
//!
//! Only the emulator is installed. The kernels are unpacked below `target/vm`, and once they are
//! there nothing needs the network. What runs in the guest is `tests/vm/init`.

mod packages;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, Result, ensure};

use self::packages::{find, renew};
use crate::{apt, shell, test::release_build, workspace::Workspace};

/// Try memguard on other kernels in an emulator, half a minute each.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only this kernel; may be repeated
    #[arg(long, value_name = "VERSION", value_parser = ["5.10", "6.1", "6.12"])]
    kernel: Vec<String>,
}

/// A kernel, and what the guest must say on it.
struct Kernel {
    version: &'static str,
    sections: &'static [Section],
}

/// What `tests/vm/init` says between two marks.
struct Section {
    name: &'static str,
    code: &'static str,
    words: &'static [&'static str],
}

const KERNELS: [Kernel; 3] = [
    Kernel {
        version: "5.10",
        sections: &REFUSED,
    },
    Kernel {
        version: "6.1",
        sections: &WORKS,
    },
    Kernel {
        version: "6.12",
        sections: &WORKS,
    },
];

/// Too old, and every command says so.
const REFUSED: [Section; 4] = [
    section(
        "doctor",
        "3",
        &[TOO_OLD, "memguard does not work on this host"],
    ),
    section("run", "125", &[TOO_OLD]),
    section("pid", "3", &[TOO_OLD]),
    section("whole_host", "3", &[TOO_OLD]),
];
const TOO_OLD: &str = "is too old, 5.15 or later is needed";

/// The counts are those of `tests/programs/leak_fds_sockets.c`: 16 are left, and the 100 pairs and
/// two connecting sockets are paired in the kernel.
const WORKS: [Section; 6] = [
    section("doctor", "0", &["memguard works on this host"]),
    section(
        "run",
        "23",
        &[
            "leak_sockets (leak_fds_sockets.c:",
            "\"body\":\"16 descriptors left at exit\"",
            "\"acquisitions.paired\":102,",
            CONCLUSIVE,
        ],
    ),
    section("pid", "1", &LEAKS),
    section("comm", "1", &LEAKS),
    section("cgroup", "1", &LEAKS),
    section("whole_host", "0", &["agent.stopped", CONCLUSIVE]),
];
const LEAKS: [&str; 3] = [
    "leak_file (drip.c:17) never closed, +",
    "leak_mapping (drip.c:23) never unmapped, +",
    CONCLUSIVE,
];
const CONCLUSIVE: &str = "\"events_lost\":0,\"conclusive\":true";

const fn section(
    name: &'static str,
    code: &'static str,
    words: &'static [&'static str],
) -> Section {
    Section { name, code, words }
}

/// Boots one after the other, and stops at the first failure.
pub(crate) fn run(options: &Options, workspace: &Workspace) -> Result<()> {
    let Options { kernel } = options;
    if workspace.which(EMULATOR).is_none() {
        apt::refresh(workspace)?;
        apt::install(workspace, &["qemu-system-x86"])?;
    }
    release_build(workspace)?;
    let place = Place {
        workspace,
        path: workspace.target.join("vm"),
    };
    let disk = place.disk()?;
    let is_wanted = |version: &str| kernel.is_empty() || kernel.iter().any(|one| one == version);
    for kernel in KERNELS.iter().filter(|kernel| is_wanted(kernel.version)) {
        let failed = || format!("memguard and Linux {}", kernel.version);
        place.boot(kernel, &disk).with_context(failed)?;
    }
    Ok(())
}

const EMULATOR: &str = "qemu-system-x86_64";

/// Without KVM, the same everywhere. QEMU 7.2 emulates `cmpxchg16b` wrongly, and 6.12 crashes on
/// it.
const MACHINE: [&str; 11] = [
    "-machine",
    "q35,accel=tcg",
    "-cpu",
    "max,-cx16",
    "-m",
    "1G",
    "-nic",
    "none",
    "-nographic",
    "-no-reboot",
    "-append",
];
const COMMAND_LINE: &str = "console=ttyS0 quiet panic=-1 rdinit=/init";

/// Seconds after which a guest that has not ended never will.
const DEADLINE: &str = "400";

/// The directory for all of this.
struct Place<'a> {
    workspace: &'a Workspace,
    path: PathBuf,
}

impl Place<'_> {
    /// Runs the guest to its end and judges what it said.
    fn boot(&self, kernel: &Kernel, disk: &Path) -> Result<()> {
        let Kernel { version, sections } = kernel;
        let image = self.image(version)?;
        let console = self.path.join(format!("console-{version}"));
        println!("== Linux {version}: {}", console.display());
        let mut guest = self.workspace.command("timeout");
        guest
            .args([DEADLINE, EMULATOR])
            .args(MACHINE)
            .arg(COMMAND_LINE);
        guest.arg("-kernel").arg(image).arg("-initrd").arg(disk);
        guest.stdin(Stdio::null()).stdout(File::create(&console)?);
        let ended = shell::run(&mut guest);
        let words = String::from_utf8_lossy(&fs::read(&console)?).replace('\r', "");
        ended.with_context(|| tail(&words))?;
        judge(&words, sections)
    }

    /// The kernel itself.
    fn image(&self, version: &str) -> Result<PathBuf> {
        let package = format!("linux-image-{version}.");
        let boot = self
            .unpacked(&package, "-cloud-amd64-unsigned")?
            .join("boot");
        find(&boot, |name| name.starts_with("vmlinuz"))
    }

    /// The memory disk.
    fn disk(&self) -> Result<PathBuf> {
        let root = self.path.join("root");
        renew(&root)?;
        for directory in ["bin", "dev", "proc", "sys", "tmp"] {
            fs::create_dir(root.join(directory))?;
        }
        let busybox = self.unpacked("busybox-static", "")?.join("bin/busybox");
        fs::copy(&busybox, root.join("bin/busybox"))?;
        fs::copy(self.workspace.root.join("tests/vm/init"), root.join("init"))?;
        self.agent(&root)?;
        for program in ["leak_fds_sockets", "drip"] {
            self.compile(program, &root)?;
        }
        let disk = self.path.join("disk");
        let mut pack = self.workspace.command("sh");
        pack.args(["-c", "find . | \"$0\" cpio -o -H newc > \"$1\""]);
        shell::run(pack.arg(busybox).arg(&disk).current_dir(root))?;
        Ok(disk)
    }

    /// The agent and the libraries that it asks for, where it looks for them.
    fn agent(&self, root: &Path) -> Result<()> {
        let agent = self.workspace.agent();
        fs::copy(&agent, root.join("bin/memguard"))?;
        let asked = shell::read(self.workspace.command("ldd").arg(agent))?;
        for library in asked
            .split_whitespace()
            .filter(|word| word.starts_with('/'))
        {
            let place = root.join(library.trim_start_matches('/'));
            fs::create_dir_all(place.parent().unwrap_or(root))?;
            fs::copy(library, place).with_context(|| format!("cannot copy {library}"))?;
        }
        Ok(())
    }

    fn compile(&self, program: &str, root: &Path) -> Result<()> {
        let mut gcc = self.workspace.command("gcc");
        gcc.args(["-static", "-O0", "-g", "-o"])
            .arg(root.join("bin").join(program));
        shell::run(gcc.arg(format!("tests/programs/{program}.c")))
    }
}

/// Compares every section with what it must say.
fn judge(console: &str, sections: &[Section]) -> Result<()> {
    for Section { name, code, words } in sections {
        let unended = || format!("{name} did not end\n{}", tail(console));
        let (said, ended) = said(console, name).with_context(unended)?;
        let tail = tail(said);
        for word in *words {
            ensure!(said.contains(word), "{name} does not say {word:?}\n{tail}");
        }
        ensure!(
            ended == *code,
            "{name} ended with {ended}, not {code}\n{tail}"
        );
        println!("{name} ended with {code} and said {}", words.join(", "));
    }
    Ok(())
}

/// What was said in a section, on one line, and the code at its end.
fn said<'a>(console: &'a str, name: &str) -> Option<(&'a str, &'a str)> {
    let (_, rest) = console.split_once(&format!("== {name}\n"))?;
    let (said, rest) = rest.split_once(&format!("== {name} exit "))?;
    Some((said, rest.lines().next()?))
}

/// The last lines, of each not too much.
fn tail(words: &str) -> String {
    const LINES: usize = 40;
    const CHARACTERS: usize = 300;
    let lines: Vec<&str> = words.lines().collect();
    let last = lines.iter().skip(lines.len().saturating_sub(LINES));
    let cut = last.map(|line| line.chars().take(CHARACTERS).collect::<String>());
    cut.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONSOLE: &str = "booting\n== run\n16 left\n== run exit 23\n== cut\nnothing";

    // A wrong code, a word that is missing and a section that has no end are failures, each named.
    #[test]
    fn judged_by_code_and_words() {
        let check = |name, code, words, expected: &str| {
            let result = judge(CONSOLE, &[section(name, code, words)]);
            let told = result.map_or_else(|error| error.to_string(), |()| "good".to_owned());
            assert!(told.contains(expected), "{name} {code} {words:?}: {told}");
        };
        check("run", "23", &["16 left"], "good");
        check("run", "2", &["16 left"], "run ended with 23, not 2");
        check("run", "23", &["17 left"], "run does not say \"17 left\"");
        check("cut", "0", &[], "cut did not end");
    }
}
