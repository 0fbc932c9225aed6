//! What `doctor` found, as lines or as one JSON object.

use serde::Serialize;

use crate::{
    output::text::{clean, wrap},
    preflight::{Check, Status},
};

/// Width of the text.
const COLUMNS: usize = 80;
/// Lines of what the verifier says at most.
const LINES: usize = 100;

/// All answers.
#[derive(Clone, Copy, Debug)]
pub struct Diagnosis<'a> {
    /// In the order they were asked.
    pub checks: &'a [Check],
    /// memguard works here.
    pub works: bool,
}

#[derive(Serialize)]
struct Wire<'a> {
    schema_version: &'static str,
    ok: bool,
    checks: Vec<WireCheck<'a>>,
}

#[derive(Serialize)]
struct WireCheck<'a> {
    name: &'a str,
    status: &'static str,
    detail: &'a str,
    fix: Option<&'a str>,
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::Warn => "warn",
        Status::Fail => "fail",
    }
}

/// One object on one line.
pub fn json(diagnosis: &Diagnosis<'_>) -> String {
    let checks = diagnosis.checks.iter().map(|check| WireCheck {
        name: check.name,
        status: word(check.status),
        detail: &check.detail,
        fix: check.fix.as_deref(),
    });
    let wire = Wire {
        schema_version: "1.0",
        ok: diagnosis.works,
        checks: checks.collect(),
    };
    serde_json::to_string(&wire).map_or_else(|error| error.to_string(), |line| line + "\n")
}

/// A line an answer, the fix below what needs one, and the verdict at the end.
pub fn text(diagnosis: &Diagnosis<'_>) -> String {
    let lines = diagnosis.checks.iter().map(line);
    let verdict = if diagnosis.works {
        "memguard works on this host\n"
    } else {
        "memguard does not work on this host: see the lines marked fail\n"
    };
    lines.chain([verdict.to_owned()]).collect()
}

/// Columns before what was found.
const INDENT: usize = 28;

fn line(check: &Check) -> String {
    let (status, name) = (word(check.status), check.name);
    let fix = check.fix.as_ref().map(|fix| format!("fix: {fix}"));
    let details = [Some(check.detail.clone()), fix].into_iter().flatten();
    let lines = details.flat_map(|text| {
        let lines = text
            .lines()
            .flat_map(|line| wrap(&clean(line), COLUMNS - INDENT, LINES));
        lines.collect::<Vec<_>>()
    });
    let mut head = format!("{status:<4}  {name:<20}  ");
    let mut text = String::new();
    for line in lines {
        text += &(std::mem::take(&mut head) + &line + "\n");
        head = " ".repeat(INDENT);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_shows_its_fix() {
        let checks = [
            Check::ok("kernel", "Linux 6.18"),
            Check::fail("BTF", "none", "use another"),
        ];
        let diagnosis = Diagnosis {
            checks: &checks,
            works: false,
        };
        assert_eq!(
            text(&diagnosis),
            "ok    kernel                Linux 6.18\n\
             fail  BTF                   none\n                            fix: use another\n\
             memguard does not work on this host: see the lines marked fail\n"
        );
        let value: serde_json::Value = serde_json::from_str(&json(&diagnosis)).unwrap();
        assert_eq!(value["ok"], false);
        assert_eq!(value["checks"][1]["fix"], "use another");
        assert!(value["checks"][0]["fix"].is_null());
    }
}
