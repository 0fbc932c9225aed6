//! What memguard tells of one workload against what it is. Pure: lines come in as values.

use std::collections::BTreeSet;

use super::{
    Claim, Milestones, Suspicions, VerdictTimes, Workload,
    alarms::{Alarm, alarms},
    truth::{claims, is_implied, is_misplaced, is_so},
};
use crate::{finding::Finding, memory::Said, origins::stack::Stack};

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It leaks, and memguard says so: the right process, kind and place.
    Hit,
    /// It leaks, and memguard does not say so, or takes it back.
    Miss,
    /// It does not leak, and memguard never says so.
    Clean,
    /// memguard says what is not so.
    False,
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Which workload.
    pub workload: Workload,
    /// What is to be reported, in a few words.
    pub expected: String,
    /// What was reported.
    pub reported: String,
    /// How much was lost when all was done, and how much memguard told last: handles or bytes.
    pub held_and_told: Option<(u64, u64)>,
    /// Seconds from the beginning of the work to the verdict.
    pub after_seconds: Option<f64>,
    /// Handles lost a second; `None` for what is counted in bytes, and for the healthy.
    pub rate: Option<f64>,
    /// How soon the verdicts came.
    pub times: VerdictTimes,
    /// Whether it heads for a limit.
    pub exhausts: bool,
    /// Suspicions, where it does not leak.
    pub suspicions: Suspicions,
    /// Lines with verdict `aged`.
    pub aged: usize,
    /// What came of it.
    pub outcome: Outcome,
    /// Alarms that are not so.
    pub false_alarms: Vec<String>,
    /// All lines that may be so or not.
    pub claims: Vec<Claim>,
}

/// All that is known of a workload when its run is over; times are in seconds since 1970.
#[derive(Clone, Debug)]
pub struct Observed<'a> {
    /// Which.
    pub workload: Workload,
    /// What it says it lost.
    pub said: Said,
    /// What it says of its course.
    pub milestones: Milestones,
    /// When it began.
    pub begun: f64,
    /// When memguard was there.
    pub attached: f64,
    /// Until when it lost something.
    pub lost_until: f64,
    /// What memguard told of its processes.
    pub findings: &'a [Finding<'a>],
}

impl Observed<'_> {
    /// What all that amounts to.
    pub fn judged(&self) -> Row {
        let (said, workload) = (&self.said, self.workload);
        let mut alarms = alarms(self.findings);
        let so: Vec<_> = alarms
            .extract_if(.., |alarm| is_so(alarm.last, said))
            .collect();
        let mut reported: BTreeSet<_> = so.iter().map(summary).collect();
        let (warnings, hits): (Vec<_>, Vec<_>) = so
            .into_iter()
            .partition(|alarm| alarm.last.verdict() == "exhaustion");
        alarms.retain(|alarm| !is_implied(alarm.last, said));
        if hits.is_empty() {
            // It leaks, and this is said of another kind or place: a miss, and no accusation of the
            // healthy.
            let misplaced = alarms.extract_if(.., |alarm| is_misplaced(alarm.last, said));
            reported.extend(
                misplaced.map(|alarm| format!("{} from {}", summary(&alarm), place(&alarm))),
            );
        }
        reported.extend(alarms.iter().map(summary));
        let false_alarms: Vec<_> = alarms.iter().map(|alarm| alarm.last.to_string()).collect();
        let stands = hits.iter().any(|alarm| alarm.stands);
        let found = self.is_complete(stands, !warnings.is_empty());
        let outcome = match (workload.leaks, found, false_alarms.is_empty()) {
            (_, _, false) => Outcome::False,
            (true, true, true) => Outcome::Hit,
            (true, false, true) => Outcome::Miss,
            (false, _, true) => Outcome::Clean,
        };
        Row {
            workload,
            expected: self.expected(),
            reported: reported.into_iter().collect::<Vec<_>>().join("; "),
            held_and_told: held(said).zip(stands.then(|| told(&hits))),
            after_seconds: hits
                .iter()
                .map(|alarm| alarm.first.written_at() - self.begun)
                .reduce(f64::min),
            rate: self.rate(),
            times: VerdictTimes::of(self.findings, said, self.zero()),
            exhausts: self.milestones.exhausts.is_some(),
            suspicions: self.suspicions(),
            aged: self.aged(),
            outcome,
            false_alarms,
            claims: claims(self.findings, said),
        }
    }

    /// Whether all is told that has to be. What has reached its limit piles up no more, so nothing
    /// else is asked of that.
    fn is_complete(&self, stands: bool, is_warned: bool) -> bool {
        let warned = is_warned || self.milestones.exhausts.is_none();
        warned && (stands || self.milestones.fills)
    }

    /// From when verdicts are due.
    fn zero(&self) -> f64 {
        let lost = self.milestones.first_loss;
        lost.map_or(self.attached, |first| first.max(self.attached))
    }

    fn rate(&self) -> Option<f64> {
        let lost = self.said.finds.iter().map(|finds| finds.count);
        let lost = lost.reduce(|sum, more| sum + more)?;
        let since = self.milestones.first_loss.unwrap_or(self.begun);
        Some(lost as f64 / (self.lost_until - since).max(1.0))
    }

    fn suspicions(&self) -> Suspicions {
        if self.workload.leaks {
            return Suspicions::default();
        }
        Suspicions::of(self.findings, &self.milestones, self.attached)
    }

    fn aged(&self) -> usize {
        let aged = self.findings.iter();
        aged.filter(|finding| finding.verdict() == "aged").count()
    }

    fn expected(&self) -> String {
        let finds = self.said.finds.iter();
        let finds = finds.map(|it| format!("{} {}/{}", it.verdict, it.resource, it.kind));
        let grows = self.said.grows.iter();
        let grows = grows.map(|it| format!("growth {}/{}", it.resource, it.kind));
        let limit = self.milestones.exhausts.iter();
        let limit = limit.map(|limit| format!("exhaustion of {limit}"));
        finds
            .chain(grows)
            .chain(limit)
            .collect::<Vec<_>>()
            .join("; ")
    }
}

/// The function that it names.
fn place(alarm: &Alarm<'_>) -> String {
    let stack = Stack::of(alarm.last.0).unwrap_or_default();
    let frame = stack.application().cloned().unwrap_or_default();
    frame.function.unwrap_or_else(|| "nowhere".to_owned())
}

fn summary(alarm: &Alarm<'_>) -> String {
    let last = alarm.last;
    let withdrawn = if alarm.stands { "" } else { ", withdrawn" };
    format!(
        "{} {}/{}{withdrawn}",
        last.verdict(),
        last.resource(),
        last.kind()
    )
}

fn held(said: &Said) -> Option<u64> {
    let lost = said.finds.iter().map(|finds| finds.count);
    let grown = said.grows.iter().map(|grows| grows.bytes);
    lost.chain(grown).reduce(|sum, more| sum + more)
}

fn told(hits: &[Alarm<'_>]) -> u64 {
    let standing = hits
        .iter()
        .filter(|alarm| alarm.stands)
        .map(|alarm| alarm.last);
    let of = |finding: Finding<'_>| match finding.verdict() {
        "growth" => finding.open_bytes().unwrap_or(0),
        _ => finding.open_count(),
    };
    standing.map(of).sum()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Observed, Outcome, Row};
    use crate::{
        accuracy::{Milestones, Workload, workloads::Scale},
        lines::Lines,
        memory::Said,
    };

    const LEAKING: &str = "finds 7 leak fd file 9 * forget_here\n";

    fn line(id: &str, second: u64, words: &str) -> Value {
        let [verdict, kind, function, count, state] = words.split(' ').collect::<Vec<_>>()[..]
        else {
            panic!("{words}");
        };
        let finding = json!({"id": id, "verdict": verdict, "resource": "fd", "kind": kind,
            "open_count": count.parse::<u64>().unwrap(), "state": state, "confidence": 0.95,
            "limit": {"name": "RLIMIT_NOFILE"}});
        let stack = json!({"complete": true, "frames": [{"function": "open", "offset": "0x1"},
            {"function": function, "offset": "0x2", "application": true}]});
        json!({"event_name": "memguard.finding.updated", "body": words, "process": {"pid": 7},
            "timestamp": format!("1970-01-01T00:00:{second:02}Z"),
            "memguard": {"finding": finding, "stack": stack}})
    }

    fn row(said: &str, told: &[(&str, &str)]) -> Row {
        let lines = told
            .iter()
            .zip(1..)
            .map(|((id, words), second)| line(id, second, words));
        let lines = Lines::of(lines.collect());
        let workload = Workload {
            program: "x.c",
            name: "x",
            leaks: !said.is_empty(),
            shows: "",
            scale: Scale::Ages,
            age_seconds: 0,
            is_young: false,
        };
        let observed = Observed {
            workload,
            said: Said::of(said),
            milestones: Milestones::of(said),
            begun: 0.0,
            attached: 0.0,
            lost_until: 5.0,
            findings: &lines.finding_lines(),
        };
        observed.judged()
    }

    /// A hit stands at the end, and says where; its numbers are those of the first and last line.
    #[test]
    fn a_hit_is_of_the_right_kind_and_place_and_stands() {
        let aged = ("a", "aged file forget_here 3 open");
        let early = ("a", "leak file forget_here 4 open");
        let late = ("a", "leak file forget_here 8 open");
        let found = row(LEAKING, &[aged, early, late]);
        assert_eq!((found.outcome, found.aged), (Outcome::Hit, 1));
        assert_eq!(found.held_and_told, Some((9, 8)));
        assert_eq!(found.after_seconds, Some(2.0));
        for (told, why) in [
            (vec![], "nothing"),
            (vec![aged], "age alone"),
            (
                vec![early, ("a", "leak file forget_here 0 resolved")],
                "withdrawn",
            ),
            (vec![("a", "leak file other 9 open")], "another place"),
            (vec![("a", "leak pipe forget_here 9 open")], "another kind"),
        ] {
            let missed = row(LEAKING, &told);
            assert_eq!(
                (missed.outcome, missed.held_and_told),
                (Outcome::Miss, None),
                "{why}"
            );
        }
    }

    /// What is not so is false, beside a hit too, and even if it is taken back.
    #[test]
    fn a_false_alarm_is_false_for_ever() {
        let hit = ("a", "leak file forget_here 8 open");
        let other = ("b", "leak file other 2 open");
        let gone = ("b", "leak file other 0 resolved");
        let both = row(LEAKING, &[hit, other, gone]);
        assert_eq!((both.outcome, both.false_alarms.len()), (Outcome::False, 1));
        assert_eq!(both.held_and_told, Some((9, 8)));
        assert_eq!(row("", &[other, gone]).outcome, Outcome::False);
        assert_eq!(
            row("", &[("b", "aged file other 2 open")]).outcome,
            Outcome::Clean
        );
    }

    /// Who heads for a limit has to be told so; and where it is reached there is no more to a leak.
    #[test]
    fn the_way_to_a_limit_is_told() {
        let limited = format!("{LEAKING}exhausts RLIMIT_NOFILE\n");
        let leak = ("a", "leak file forget_here 8 open");
        let warning = ("b", "exhaustion file elsewhere 8 open");
        assert_eq!(row(&limited, &[leak]).outcome, Outcome::Miss);
        let both = row(&limited, &[leak, warning]);
        assert_eq!(
            (both.outcome, both.times.exhaustion),
            (Outcome::Hit, Some(2.0))
        );
        assert_eq!(row(&limited, &[warning]).outcome, Outcome::Miss);
        let full = format!("{limited}full\n");
        assert_eq!(row(&full, &[warning]).outcome, Outcome::Hit);
        // Of the healthy it is false.
        assert_eq!(row("", &[warning]).outcome, Outcome::False);
    }

    /// So many in the time for which it loses; what is told of it claims to be so.
    #[test]
    fn paces_and_claims_are_of_the_row() {
        let said = format!("{LEAKING}first 0.500\n");
        let found = row(&said, &[("a", "leak file forget_here 8 open")]);
        assert_eq!(found.rate, Some(2.0));
        assert_eq!(found.times.leak, Some(0.5));
        assert_eq!(found.claims.len(), 1);
        assert!(found.claims[0].is_so);
        let suspected = row("", &[("a", "suspect file forget_here 8 open")]);
        assert_eq!(
            (suspected.outcome, suspected.suspicions.after),
            (Outcome::Clean, 1)
        );
    }
}
