use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
};

use tempfile::TempDir;

use super::*;

fn baseline(tgid: u32) -> (ProcessId, BaselineRecord) {
    let process = ProcessId {
        tgid,
        start_ticks: u64::MAX,
    };
    let record = BaselineRecord {
        bytes: u64::MAX,
        samples: 7,
        taken_at: Stamp(5),
        executable: tgid
            .is_multiple_of(2)
            .then(|| "/usr/bin/\"two\nlines\u{fffd}".to_owned()),
    };
    (process, record)
}

fn state(boot_id: &str) -> (TempDir, StateDir) {
    let directory = TempDir::new().unwrap();
    let state = StateDir::new(directory.path(), boot_id);
    (directory, state)
}

#[test]
fn what_was_saved_is_loaded_in_the_same_boot_alone() {
    let (directory, state) = state("one");
    assert_eq!(state.load().unwrap(), [], "no file yet");
    let baselines = [baseline(7), baseline(8)];
    for count in [2, 0, 2] {
        assert_eq!(state.save(&baselines[..count]).unwrap(), count);
        assert_eq!(state.load().unwrap(), baselines[..count]);
    }
    let other = StateDir::new(directory.path(), "two");
    assert_eq!(other.load().unwrap(), []);
}

#[test]
fn the_file_is_ours_alone_and_nothing_else_stays() {
    let (directory, state) = state("one");
    let elsewhere = directory.path().join("elsewhere");
    fs::write(&elsewhere, "precious").unwrap();
    symlink(&elsewhere, state.file()).unwrap();
    let temporary = format!(".{NAME}.{}", std::process::id());
    symlink(&elsewhere, directory.path().join(temporary)).unwrap();
    state.save(&[baseline(7)]).unwrap();
    let metadata = fs::symlink_metadata(state.file()).unwrap();
    assert!(metadata.is_file());
    assert_eq!(metadata.permissions().mode() & 0o7777, 0o600);
    assert_eq!(fs::read_to_string(elsewhere).unwrap(), "precious");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
}

#[test]
fn what_memguard_did_not_write_is_an_error_that_names_the_file() {
    for (content, expected) in [
        ("", "no baselines of memguard: EOF"),
        ("{", "no baselines of memguard: EOF"),
        ("[]", "no baselines of memguard: invalid"),
        (
            r#"{"schema":2,"new":1}"#,
            "schema 2, and this memguard reads 1",
        ),
        (
            r#"{"schema":1,"boot_id":"one"}"#,
            "missing field `processes`",
        ),
        (
            r#"{"schema":1,"boot_id":"one","processes":[{"pid":-1}]}"#,
            "invalid value",
        ),
        (&" ".repeat(FILE_MAX + 1), "over 1048576 bytes"),
        (&"[".repeat(FILE_MAX), "no baselines of memguard: "),
    ] {
        let (_directory, state) = state("one");
        fs::write(state.file(), content).unwrap();
        let message = state.load().unwrap_err().to_string();
        let name = state.file().display().to_string();
        assert!(message.starts_with(&name), "{message}");
        assert!(message.contains(expected), "{message}");
        assert!(message.ends_with("with --state-dir"), "{message}");
    }
}

#[test]
fn links_fifos_and_missing_directories_are_errors() {
    let (directory, state) = state("one");
    symlink("/dev/zero", state.file()).unwrap();
    assert!(matches!(state.load(), Err(StateError::Io { .. })));
    fs::remove_file(state.file()).unwrap();
    let fifo = FileType::Fifo;
    rustix::fs::mknodat(CWD, state.file(), fifo, Mode::RUSR, 0).unwrap();
    let message = state.load().unwrap_err().to_string();
    assert!(message.contains("not a regular file"), "{message}");
    let missing = StateDir::new(directory.path().join("nowhere"), "one");
    for message in [missing.load().unwrap_err(), missing.save(&[]).unwrap_err()] {
        assert!(
            message.to_string().contains("/nowhere: No such file"),
            "{message}"
        );
    }
}

#[test]
fn what_does_not_fit_is_left_out_from_the_end() {
    let (_directory, state) = state("one");
    let many: Vec<_> = (0..20_000).map(baseline).collect();
    let kept = state.save(&many).unwrap();
    assert!(kept > 5000 && kept < many.len(), "{kept}");
    assert!(fs::metadata(state.file()).unwrap().len() <= FILE_MAX as u64);
    assert_eq!(state.load().unwrap(), many[..kept]);
}

proptest::proptest! {
    #[test]
    fn no_bytes_break_the_reader(
        bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200),
        at in 0..200_usize,
    ) {
        let (mut valid, _) = compose(&[baseline(7)], "one").unwrap();
        if let Some(byte) = valid.get_mut(at) {
            *byte = bytes.first().copied().unwrap_or_default();
        }
        for bytes in [bytes, valid] {
            proptest::prop_assert!(parse(&bytes, "one").is_ok_and(|found| found.len() < 2)
                || parse(&bytes, "one").is_err_and(|reason| !reason.is_empty()));
        }
    }
}
