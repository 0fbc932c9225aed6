//! Child processes: printed before they run, named when they fail.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

/// Runs a command on this process's own terminal.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = describe(command);
    println!("+ {line}");
    let status = command
        .status()
        .with_context(|| format!("cannot start `{line}`"))?;
    ensure!(status.success(), "`{line}` failed: {status}");
    Ok(())
}

/// What a command prints, without the white space around it.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let line = describe(command);
    let output = command
        .output()
        .with_context(|| format!("cannot start `{line}`"))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "`{line}` failed: {}\n{complaint}",
        output.status
    );
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether a command starts and succeeds; nothing is printed.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let quiet = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// The command as a person would type it; PATH is left out, every command gets the same.
pub(crate) fn describe(command: &Command) -> String {
    let settings = command.get_envs().filter_map(|(name, value)| {
        let (name, value) = (name.to_str()?, value?.to_str()?);
        // Cargo's own spelling of RUSTFLAGS separates flags by a control character.
        let name = name.strip_prefix("CARGO_ENCODED_").unwrap_or(name);
        (name != "PATH").then(|| format!("{name}={}", quote(&value.replace('\x1f', " "))))
    });
    let words = [command.get_program()]
        .into_iter()
        .chain(command.get_args());
    let words = words.map(|word| quote(&word.to_string_lossy()));
    settings.chain(words).collect::<Vec<_>>().join(" ")
}

fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:+,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    // A command that failed must be one that can be typed again.
    #[test]
    fn described_as_typed() {
        let mut command = Command::new("cargo");
        command
            .args(["test", "--", "a b", "it's"])
            .env("PATH", "/bin")
            .env("CI", "true");
        assert_eq!(describe(&command), r"CI=true cargo test -- 'a b' 'it'\''s'");
        command
            .env("CARGO_ENCODED_RUSTFLAGS", "-Dwarnings\x1f-Ccodegen-units=1")
            .env_remove("CI");
        let flags = "RUSTFLAGS='-Dwarnings -Ccodegen-units=1'";
        assert_eq!(
            describe(&command),
            format!(r"{flags} cargo test -- 'a b' 'it'\''s'")
        );
    }

    // A failure names the command, whether it ran or could not even start.
    #[test]
    fn failures_name_the_command() {
        let check = |command: &mut Command, expected: &str| {
            assert!(run(command).unwrap_err().to_string().contains(expected));
            assert!(read(command).unwrap_err().to_string().contains(expected));
            assert!(!succeeds(command));
        };
        check(&mut Command::new("false"), "`false` failed");
        check(
            &mut Command::new("no-such-program"),
            "cannot start `no-such-program`",
        );
    }
}
