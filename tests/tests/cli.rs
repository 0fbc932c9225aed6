//! The command line as a newcomer meets it.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use memguard_tests::{Memguard, machine};

/// Without arguments it says in two lines what it is, gives three commands to try, and succeeds.
#[test]
fn without_arguments_it_introduces_itself() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let ran = Memguard::plain(&[]).finish();
    let output = ran.output();
    let lines: Vec<&str> = output
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let commands = lines.iter().filter(|line| is_command(line)).count();
    println!("{commands} commands in {} lines:\n{output}", lines.len());
    assert_eq!(ran.code, 0);
    assert!(lines.len() >= 5, "two lines and three commands");
    assert!(commands >= 3, "three commands to try");
}

/// Every subcommand's help has examples.
#[test]
fn every_help_has_examples() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let help = Memguard::plain(&["--help"]).finish();
    assert_eq!(help.code, 0);
    let subcommands = subcommands(&help.stdout);
    println!("subcommands: {subcommands:?}");
    for required in ["watch", "run", "doctor"] {
        assert!(
            subcommands.contains(&required),
            "{required} is in the list of commands"
        );
    }
    for subcommand in subcommands {
        let help = Memguard::plain(&[subcommand, "--help"]).finish();
        assert_eq!(help.code, 0, "{subcommand} --help");
        assert!(
            help.stdout.contains("Examples"),
            "{subcommand} --help: {}",
            help.stdout
        );
    }
}

/// `doctor` succeeds where the kernel tests run, with a line for each capability.
#[test]
fn doctor_has_a_line_per_capability() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let ran = Memguard::plain(&["doctor"]).finish();
    let lines = ran
        .stdout
        .lines()
        .filter(|line| !line.trim().is_empty())
        .count();
    println!("{}", ran.stdout);
    assert_eq!(ran.code, 0);
    assert!(lines >= 5, "only {lines} lines");
}

/// `doctor --json` writes nothing but JSON objects.
#[test]
fn doctor_speaks_json() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let ran = Memguard::plain(&["doctor", "--json"]).finish();
    let values: Result<Vec<serde_json::Value>, _> = serde_json::Deserializer::from_str(&ran.stdout)
        .into_iter()
        .collect();
    let values = values.unwrap_or_else(|error| panic!("{error}: {}", ran.stdout));
    println!("{} JSON objects", values.len());
    assert_eq!(ran.code, 0);
    assert!(!values.is_empty());
    assert!(
        values.iter().all(serde_json::Value::is_object),
        "{}",
        ran.stdout
    );
}

/// `--version` is the package's.
#[test]
fn version() {
    let Some(_alone) = machine::ready() else {
        return;
    };
    let ran = Memguard::plain(&["--version"]).finish();
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (0, concat!("memguard ", env!("CARGO_PKG_VERSION"), "\n"))
    );
}

fn is_command(line: &str) -> bool {
    let line = line.trim_start_matches(['$', ' ']);
    let line = line.strip_prefix("sudo ").unwrap_or(line);
    line.starts_with("memguard ")
}

/// The names in the list of commands of a help text.
fn subcommands(help: &str) -> Vec<&str> {
    let list = help
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1);
    list.take_while(|line| line.starts_with("  "))
        // Deeper lines continue a description.
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect()
}
