//! Debian packages, unpacked without being installed, whatever release this host is.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use super::Place;
use crate::shell;

/// Archives by how their addresses end, and the releases taken from them; only bullseye has 5.10.
const SOURCES: [(&str, &str); 3] = [
    ("/debian", "bookworm"),
    ("/debian-security", "bookworm-security"),
    ("/debian", "bullseye"),
];
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

impl Place<'_> {
    /// The files of the newest package whose name begins and ends like this.
    pub(super) fn unpacked(&self, prefix: &str, suffix: &str) -> Result<PathBuf> {
        let done = self.path.join(format!("{prefix}{suffix}"));
        if done.exists() {
            return Ok(done);
        }
        let parts = self.path.join("parts");
        renew(&parts)?;
        let package = self.newest(prefix, suffix)?;
        shell::run(
            self.apt("apt-get")
                .args(["download", &package])
                .current_dir(&parts),
        )?;
        let archive = find(&parts, |name| name.ends_with("_amd64.deb"))?;
        shell::run(
            self.workspace
                .command("dpkg-deb")
                .arg("-x")
                .args([&archive, &parts]),
        )?;
        fs::rename(&parts, &done).context("cannot rename what was unpacked")?;
        Ok(done)
    }

    fn newest(&self, prefix: &str, suffix: &str) -> Result<String> {
        self.sources()?;
        shell::run(self.apt("apt-get").arg("update"))?;
        let names = shell::read(self.apt("apt-cache").args(["pkgnames", prefix]))?;
        newest(&names, suffix).with_context(|| format!("Debian has no {prefix}*{suffix}"))
    }

    /// Lists of packages of its own: this host may be another release, and is not to be changed.
    fn sources(&self) -> Result<()> {
        let place = self.path.join("apt");
        fs::create_dir_all(place.join("lists/partial"))?;
        fs::create_dir_all(place.join("cache/archives/partial"))?;
        fs::write(place.join("sources.list"), self.lines()?)?;
        // A release that is no longer renewed stays good enough.
        let settings = format!(
            "Dir::Etc::SourceList \"{place}/sources.list\";\nDir::Etc::SourceParts \"-\";\n\
             Dir::State::Lists \"{place}/lists\";\nDir::Cache \"{place}/cache\";\n\
             Acquire::Languages \"none\";\nAcquire::Check-Valid-Until \"false\";\n",
            place = place.display()
        );
        fs::write(place.join("apt.conf"), settings).context("cannot write target/vm/apt")
    }

    /// From the mirrors that this host uses itself: it may reach no others.
    fn lines(&self) -> Result<String> {
        let mut targets = self.workspace.command("apt-get");
        targets.args(["indextargets", "--format", "$(REPO_URI)"]);
        let archives = shell::read(targets.arg("Created-By: Packages"))?;
        let line = |(ending, release)| {
            let mut mirrors = archives.lines().map(|line| line.trim_end_matches('/'));
            let mirror = mirrors
                .find(|mirror| mirror.ends_with(ending))
                .with_context(|| format!("this host's apt has no archive that ends in {ending}"))?;
            Ok(format!("deb [signed-by={KEYS}] {mirror} {release} main\n"))
        };
        SOURCES.into_iter().map(line).collect()
    }

    /// One of apt's programs, with these lists.
    fn apt(&self, program: &str) -> Command {
        let mut command = self.workspace.command(program);
        command
            .arg("--config-file")
            .arg(self.path.join("apt/apt.conf"));
        command
    }
}

/// Makes a directory empty.
pub(super) fn renew(directory: &Path) -> Result<()> {
    let shown = || format!("cannot renew {}", directory.display());
    if directory.exists() {
        fs::remove_dir_all(directory).with_context(shown)?;
    }
    fs::create_dir_all(directory).with_context(shown)
}

/// The file of a directory whose name is so.
pub(super) fn find(directory: &Path, is_it: impl Fn(&str) -> bool) -> Result<PathBuf> {
    let missing = || format!("not what was expected: {}", directory.display());
    let entries = fs::read_dir(directory).with_context(missing)?;
    let mut names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let name = names.find(|name| is_it(name)).with_context(missing)?;
    Ok(directory.join(name))
}

/// Of the names that end so, the one with the largest numbers.
fn newest(names: &str, suffix: &str) -> Option<String> {
    let numbers = |name: &&str| -> Vec<u64> {
        let groups = name.split(|c: char| !c.is_ascii_digit());
        groups.filter_map(|group| group.parse().ok()).collect()
    };
    let names = names.lines().filter(|name| name.ends_with(suffix));
    names.max_by_key(numbers).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Numbers are compared as numbers, and of other kinds of kernels none is taken.
    #[test]
    fn newest_by_number() {
        let names = "linux-image-6.1.0-9-cloud-amd64-unsigned\n\
                     linux-image-6.1.0-56-cloud-amd64-unsigned\n\
                     linux-image-6.1.0-57-rt-amd64-unsigned\n";
        let check = |suffix, expected: Option<&str>| {
            assert_eq!(newest(names, suffix).as_deref(), expected, "{suffix}");
        };
        let cloud = "linux-image-6.1.0-56-cloud-amd64-unsigned";
        check("-cloud-amd64-unsigned", Some(cloud));
        check("-arm64-unsigned", None);
    }
}
