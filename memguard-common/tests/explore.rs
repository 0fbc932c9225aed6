//! Exhaustive exploration.

mod explore {
    pub(crate) mod changed;
    pub(crate) mod ghost;
    pub(crate) mod judge;
    pub(crate) mod op;
    pub(crate) mod party;
    pub(crate) mod programs;
    pub(crate) mod report;
    pub(crate) mod scenario;
    pub(crate) mod script;
    pub(crate) mod search;
    pub(crate) mod world;
}

use std::time::Instant;

use explore::{
    judge::Oddity,
    programs::{self, Case, TWO_KEYS, close, close_blindly, is_known, onto, open},
    report::{Counterexample, Report},
    scenario::{
        Change,
        Fill::{self, Dead, Empty},
        Role, Scenario,
    },
    search::{Merge, explore},
};

const fn never(_: &Oddity) -> bool {
    false
}

fn check(cases: &[Case]) {
    for case in cases {
        let start = Instant::now();
        let known = |oddity: &Oddity| case.odd.contains(oddity);
        let any = |_: &Oddity| true;
        let report = match explore(&case.scenario, Merge::Yes, &any) {
            Ok(report) => report,
            Err(counterexample) => panic!("{counterexample}"),
        };
        println!("{report}, {:.1?}", start.elapsed());
        for stat in case.reaches {
            if !report.reaches(*stat) {println!("  ############### does not reach {}", stat.name());}
        }
        let found: Vec<_> = report.oddities.keys().copied().collect();
        let mut expected = case.odd.to_vec();
        expected.sort();
        if found != expected {println!("  ############### {expected:?}");}
    }
}

#[test]
fn correct() {
    check(&programs::correct());
}

#[test]
fn dup() {
    check(&programs::overwriting());
}

#[test]
fn blind() {
    check(&programs::blind());
}

#[test]
#[ignore = "long"]
fn large() {
    check(&programs::correct_and_large());
}
#[test]
#[ignore = "long"]
fn large_blind() {
    check(&programs::blind_and_large());
}

fn flaws() -> Vec<(Scenario, Change)> {
    let two = Scenario::new("two keys, 1 way", &[Empty], &TWO_KEYS);
    let [a,b]=[open(0, 1), close_blindly(0, 1)];
    let polled = Scenario::new("polled", &[Empty], &[a, b, Role::Sweep]);
    let blind = Scenario::new("two opens, 1 way", &[Empty], &[a,b,a,Role::Sweep]);
    let dead = Scenario::new("dead", &[Dead{key:0,owner:1}], &[open(0,2),close(0,2,0), Role::Sweep]);
    vec![
        (polled.clone(), Change::NoLook),
        (two.clone(), Change::EarlyPublication),
        (dead, Change::StrangerReplaced),
        (blind, Change::TakesBackAnything),
        (two.clone(), Change::AnyIdentity),
        (two.clone(), Change::ReleaseStores),
        (polled, Change::StampBeforeScan),
        (two.clone(), Change::SweepReadsLate),
        (two.clone(), Change::SweepStores),
        (two.within_a_unit(), Change::NoGenerations),
    ]
}
#[test]
fn caught() {
    for (scenario, change) in flaws() {
        let start = Instant::now();
        let is_known: &dyn Fn(&Oddity) -> bool = if scenario.parties.iter().any(|role| matches!(role, Role::Close{after: None, ..})) {&is_known} else {&never};
        println!("{:?}", explore(&scenario, Merge::Yes, is_known).map(|r| r.to_string()));
        match explore(&scenario.with(change), Merge::Yes, is_known) {
            Ok(report) => println!("###### {change:?} is not caught {report}"),
            Err(counter) => println!("{counter} {:?}", start.elapsed()),
        }
    }
}
