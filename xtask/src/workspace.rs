//! Where the checkout is and how programs are started in it, with root's rights where needed.

use std::{
    env,
    ffi::OsString,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

/// Puts a program into root's hands, together with the environment.
pub(crate) const SUDO: [&str; 2] = ["sudo", "--preserve-env"];

/// The directories that every verb needs.
pub(crate) struct Workspace {
    /// The checkout.
    pub(crate) root: PathBuf,
    /// Where cargo puts what it builds.
    pub(crate) target: PathBuf,
    /// Cargo's home, with the registry and the installed programs.
    pub(crate) cargo_home: PathBuf,
    path: OsString,
}

impl Workspace {
    /// Asks cargo's environment; cargo sets it for `cargo xtask`.
    pub(crate) fn find() -> Result<Self> {
        let manifest = env::var_os("CARGO_MANIFEST_DIR").context("start me as `cargo xtask`")?;
        let root = Path::new(&manifest)
            .parent()
            .context("xtask lies in no workspace")?
            .to_owned();
        let target = root.join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()));
        let cargo_home = cargo_home()?;
        let path = search_path(&cargo_home)?;
        Ok(Self {
            root,
            target,
            cargo_home,
            path,
        })
    }

    /// A program, to be run at the root of the checkout.
    pub(crate) fn command(&self, program: impl Into<OsString>) -> Command {
        let mut command = Command::new(program.into());
        command.current_dir(&self.root).env("PATH", &self.path);
        command
    }

    /// Cargo, with the first of its arguments.
    pub(crate) fn cargo<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let mut command = self.command("cargo");
        command.args(arguments);
        command
    }

    /// The directory in which a program lies.
    pub(crate) fn which(&self, program: &str) -> Option<PathBuf> {
        env::split_paths(&self.path).find(|directory| directory.join(program).is_file())
    }

    /// The agent as `cargo build --release` leaves it.
    pub(crate) fn agent(&self) -> PathBuf {
        self.target.join("release/memguard")
    }

    /// A program, to be run as root.
    pub(crate) fn command_as_root(&self, program: PathBuf) -> Result<Command> {
        if !self.needs_sudo()? {
            return Ok(self.command(program));
        }
        let [sudo, keep] = SUDO;
        let mut command = self.command(sudo);
        command.arg(keep).arg(program);
        Ok(command)
    }

    /// Whether root's rights have to come from sudo. Fails where there is none.
    pub(crate) fn needs_sudo(&self) -> Result<bool> {
        if is_root()? {
            return Ok(false);
        }
        let advice = "BPF programs need root: run this as root, or install sudo";
        ensure!(self.which("sudo").is_some(), advice);
        Ok(true)
    }
}

/// Whether this process has root's rights.
pub(crate) fn is_root() -> Result<bool> {
    let owner = fs::metadata("/proc/self")
        .context("cannot read /proc/self")?
        .uid();
    Ok(owner == 0)
}

fn cargo_home() -> Result<PathBuf> {
    if let Some(home) = env::var_os("CARGO_HOME") {
        return Ok(home.into());
    }
    let home = env::home_dir().context("neither CARGO_HOME nor HOME is set")?;
    Ok(home.join(".cargo"))
}

/// `bpf-linker` is found even where nobody sourced cargo's environment file, and so is nginx, which
/// distributions put where only root looks.
fn search_path(cargo_home: &Path) -> Result<OsString> {
    let inherited = env::var_os("PATH").unwrap_or_default();
    let all = env::split_paths(&inherited).chain([cargo_home.join("bin"), "/usr/sbin".into()]);
    env::join_paths(all).context("cannot add cargo's programs to PATH")
}
