//! What every command says of itself, and what `report` and `diff` make of files: the outputs in
//! `commands/`, run as they stand there. What needs root and BPF is in the package
//! `memguard-tests`.

#[test]
fn commands_say_what_is_written_down() {
    let cases = trycmd::TestCases::new();
    cases.case("tests/commands/*.md");
}
