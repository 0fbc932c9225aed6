//! Builds the BPF object from its sources and commits it to `memguard/bpf`, with the record that
//! `memguard/build.rs` reads; or rebuilds it only to say whether the committed one is still the
//! same.

use std::fs;

use anyhow::{Context as _, Result, ensure};

use crate::{digest, elf, object, toolchain::Toolchain, workspace::Workspace};

/// Build the BPF object from source and write it, with its record, to memguard/bpf.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Write nothing; fail if the committed object does not match the sources.
    #[arg(long)]
    pub(crate) check: bool,
    /// Build an object whose programs log, to target/bpf/memguard-debug.bpf.o, and leave the
    /// committed one alone. For an agent built with `--features debug-log`.
    #[arg(long, conflicts_with = "check")]
    pub(crate) debug_log: bool,
}

/// Builds the object, then writes or compares it.
pub(crate) fn run(options: &Options, workspace: &Workspace) -> Result<()> {
    let Options { check, debug_log } = options;
    if *check {
        // The cheap check first: a stale object is found without a build.
        digest::verify(&workspace.root)?;
    }
    let toolchain = Toolchain::find(workspace);
    let toolchain = toolchain.context("no compiler for BPF: run `cargo xtask setup`")?;
    if *debug_log {
        return object::build_logging(toolchain, workspace);
    }
    let built = Built::from_sources(toolchain, workspace)?;
    built.describe()?;
    if *check {
        built.compare(workspace)
    } else {
        built.commit(workspace)
    }
}

/// An object, and what to say about it in the record.
struct Built {
    object: Vec<u8>,
    sources: String,
    toolchain: String,
}

impl Built {
    fn from_sources(toolchain: Toolchain, workspace: &Workspace) -> Result<Self> {
        let sources = digest::sources(&workspace.root)?;
        let object = object::build(toolchain, workspace)?;
        let unchanged = sources == digest::sources(&workspace.root)?;
        ensure!(
            unchanged,
            "the sources changed during the build: run it again"
        );
        let toolchain = toolchain.version(workspace)?;
        Ok(Self {
            object,
            sources,
            toolchain,
        })
    }

    fn describe(&self) -> Result<()> {
        let instructions = elf::instructions(&elf::sections(&self.object)?);
        let Self {
            object, toolchain, ..
        } = self;
        println!(
            "BPF object: {} bytes, {instructions} instructions",
            object.len()
        );
        println!("built by {toolchain}");
        Ok(())
    }

    fn commit(&self, workspace: &Workspace) -> Result<()> {
        let path = workspace.root.join(digest::OBJECT);
        fs::create_dir_all(path.parent().context("the object lies in no directory")?)?;
        fs::write(&path, &self.object).with_context(|| format!("{}", path.display()))?;
        let path = workspace.root.join(digest::RECORD);
        fs::write(&path, self.record()).with_context(|| format!("{}", path.display()))?;
        println!("wrote {} and {}", digest::OBJECT, digest::RECORD);
        Ok(())
    }

    fn record(&self) -> String {
        let Self {
            object,
            sources,
            toolchain,
        } = self;
        let object = digest::of(object);
        format!(
            "# Written by `cargo xtask build-ebpf`, explained in memguard/build/digest.rs.\n\
             sources {sources}\nobject {object}\ntoolchain {toolchain}\n"
        )
    }

    /// Another compiler may choose other instructions for the same sources, so only the one of the
    /// record is held to its object.
    fn compare(&self, workspace: &Workspace) -> Result<()> {
        let committed = fs::read(workspace.root.join(digest::OBJECT))?;
        let differences = elf::differences(&committed, &self.object)?.join(", ");
        if differences.is_empty() {
            println!("the committed object matches the sources");
            return Ok(());
        }
        let record = fs::read_to_string(workspace.root.join(digest::RECORD))?;
        let recorded = digest::field(&record, "toolchain").unwrap_or_default();
        let same = recorded == self.toolchain;
        ensure!(
            !same,
            "{} differs in {differences}: run `cargo xtask build-ebpf`",
            digest::OBJECT
        );
        println!("the committed object was built from the same sources, by {recorded};");
        println!("the object built here differs in {differences}, as it may with another compiler");
        Ok(())
    }
}
