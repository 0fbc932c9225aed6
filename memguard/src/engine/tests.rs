//! One engine, told what a run would tell it.

use std::time::Duration;

use super::{Effect, Engine, Input, Setup};
use crate::{
    config::DetectConfig,
    judge::question::{
        Answer, Inspect, Inspected, Look, Purpose, Question, Survey, Surveyed, SurveyedProcess,
    },
    ledger::{AcquisitionId, FileIdentity, HandleId},
    model::{
        event::{Acquired, Event, Execed, Exited, Released},
        finding::{Finding, Verdict},
        ids::{ProcessId, Stamp, TableId},
        memory::Usage,
        observed::OpenFile,
        origin::StackId,
        report::Report,
        resource::Call,
    },
};

pub(super) const PROCESS: ProcessId = ProcessId {
    tgid: 7,
    start_ticks: 1,
};
/// The next one that gets the number.
const NEXT: ProcessId = ProcessId {
    tgid: 7,
    start_ticks: 900,
};
const TABLE: TableId = TableId(0x1000);

pub(super) fn second(second: u64) -> Stamp {
    Stamp(second * 1_000_000_000)
}

pub(super) fn engine() -> Engine {
    engine_with(false)
}

/// `names` says whether there is somebody who names stacks.
fn engine_with(names: bool) -> Engine {
    engine_of(
        DetectConfig::testing(Duration::from_secs(2), Duration::from_secs(1)),
        names,
    )
}

pub(super) fn engine_of(config: DetectConfig, names: bool) -> Engine {
    Engine::new(Setup {
        config,
        attached_at: second(1),
        own: 1,
        suspended: Duration::ZERO,
        blind: Vec::new(),
        names,
        swaps: false,
        faults: false,
        cgroups: Vec::new(),
        kept: None,
    })
}

pub(super) fn acquired(fd: u32, at: u64) -> Acquired {
    Acquired {
        stamp: second(at),
        table: TABLE,
        fd,
        process: PROCESS,
        tid: PROCESS.tgid,
        exec_id: 1,
        call: Call::Openat,
        detail: 0,
    }
}

pub(super) fn exited(at: u64) -> Event {
    Event::Exited(Exited {
        stamp: second(at),
        process: PROCESS,
        table: TABLE,
        exec_id: 1,
        group_dead: true,
        group_exit: true,
        users: 1,
        snapshot_lost: true,
        uid: 0,
        status: 0,
        comm: [0; 16],
        space: None,
    })
}

/// The process that has the number next becomes a program: the end of the one before was missed.
fn reused(at: u64) -> Event {
    Event::Execed(Execed {
        stamp: second(at),
        process: NEXT,
        table: TableId(0x2000),
        exec_id: 2,
        uid: 0,
        path: b"/bin/next".to_vec(),
        args: Vec::new(),
        text_cut: false,
        snapshot_lost: false,
        space: None,
    })
}

pub(super) fn questions(effects: &[Effect]) -> (Option<Inspect>, Option<Survey>) {
    let (mut inspect, mut survey) = (None, None);
    for effect in effects {
        match effect {
            Effect::Ask(Question::Inspect(asked)) => inspect = Some(asked.clone()),
            Effect::Ask(Question::Survey(asked)) => survey = Some(asked.clone()),
            _ => {}
        }
    }
    (inspect, survey)
}

pub(super) fn findings(effects: Vec<Effect>) -> Vec<Finding> {
    let reports = effects.into_iter().filter_map(|effect| match effect {
        Effect::Report(report) => Some(*report),
        _ => None,
    });
    let findings = reports.filter_map(|report| match report {
        Report::Finding(finding) => Some(*finding),
        _ => None,
    });
    findings.collect()
}

/// Every handle is open, the same file both times.
pub(super) fn shown(inspect: &Inspect) -> Answer {
    let look = |handle: HandleId| {
        let (dev, ino) = (1, u64::from(handle.fd));
        let look = Look::Verified {
            seen: OpenFile {
                target: "/etc/hostname".to_owned(),
                dev,
                ino,
                mode: libc::S_IFREG,
            },
            identity: FileIdentity {
                device: dev,
                inode: ino,
                topic: 1,
            },
        };
        (handle, look)
    };
    let handles = inspect
        .looks
        .iter()
        .map(|held| HandleId::from(&held.acquired));
    let found = Inspected {
        alive: true,
        looks: handles.map(look).collect(),
        residency: Some(Vec::new()),
        ..Inspected::gone(inspect)
    };
    Answer::Inspected(Box::new(found))
}

pub(super) fn surveyed() -> SurveyedProcess {
    SurveyedProcess {
        process: PROCESS,
        usage: Some(Usage {
            anonymous_bytes: 1 << 20,
            ..Usage::default()
        }),
        ceilings: Vec::new(),
        info: None,
        descriptor_count: Some(3),
        open: Some(vec![0, 1, 2]),
        modes: Vec::new(),
        watches: None,
    }
}

pub(super) fn answered(at: u64, answer: Answer) -> Input {
    Input::Answered {
        at: second(at),
        answer,
    }
}

/// One that holds what is told to be held for a long time, was sampled, and runs.
fn with_a_finding() -> Engine {
    let mut engine = engine();
    engine.handle(Input::Event(Event::Acquired(acquired(5, 3))));
    let effects = engine.handle(Input::Tick(second(6)));
    let (inspect, survey) = questions(&effects);
    assert!(survey.is_some(), "everything is looked at");
    let inspect = inspect.expect("it is suspected");
    let told = findings(engine.handle(answered(6, shown(&inspect))));
    let verdicts: Vec<_> = told.iter().map(|finding| finding.verdict).collect();
    assert_eq!(verdicts, [Verdict::Aged], "by the first answer");
    let found = Surveyed {
        processes: vec![surveyed()],
        ..Surveyed::default()
    };
    engine.handle(answered(6, Answer::Surveyed(found)));
    assert!(engine.mentions(PROCESS) > 0);
    engine
}

pub(super) fn sweep(engine: &mut Engine, at: u64) {
    engine.handle(Input::SweepBegins);
    engine.handle(Input::Swept {
        at: second(at),
        cutoff: second(at - 1),
    });
    // Nobody else answers what segments there are.
    engine.handle(answered(
        at,
        Answer::Segments {
            segments: Vec::new(),
            boot_seconds: 0,
        },
    ));
}

/// What a survey says that did not find the process.
fn gone() -> Answer {
    Answer::Surveyed(Surveyed {
        gone: vec![PROCESS],
        ..Surveyed::default()
    })
}

#[test]
fn a_verdict_waits_for_no_second_interval() {
    with_a_finding();
}

#[test]
fn however_an_end_is_learned_nothing_speaks_of_the_process() {
    let mut by_record = with_a_finding();
    by_record.handle(Input::Event(exited(8)));
    sweep(&mut by_record, 9);
    // As long as late records may come, the ledger knows whose they are.
    sweep(&mut by_record, 11);
    assert_eq!(by_record.mentions(PROCESS), 0, "a record of its end");
    assert_eq!(by_record.judged(), 1);

    let mut by_reuse = with_a_finding();
    by_reuse.handle(Input::Event(reused(8)));
    sweep(&mut by_reuse, 9);
    sweep(&mut by_reuse, 11);
    assert_eq!(by_reuse.mentions(PROCESS), 0, "its number is another's");

    let mut by_proc = with_a_finding();
    for at in [8, 10, 12] {
        let (_, survey) = questions(&by_proc.handle(Input::Tick(second(at))));
        assert!(survey.is_some());
        let told = findings(by_proc.handle(answered(at, gone())));
        let over = told.iter().any(|finding| finding.resolution.is_some());
        assert_eq!(over, at == 12, "at {at} s");
    }
    sweep(&mut by_proc, 14);
    assert_eq!(by_proc.mentions(PROCESS), 0, "/proc has it no more");
    assert_eq!(by_proc.judged(), 0, "nobody knows what it held");
}

#[test]
fn an_answer_that_comes_late_brings_nobody_back() {
    let mut engine = with_a_finding();
    let (inspect, _) = questions(&engine.handle(Input::Tick(second(7))));
    engine.handle(Input::Event(exited(8)));
    sweep(&mut engine, 9);
    sweep(&mut engine, 11);
    if let Some(inspect) = inspect {
        engine.handle(answered(11, shown(&inspect)));
    }
    let found = Surveyed {
        processes: vec![surveyed()],
        ..Surveyed::default()
    };
    engine.handle(answered(11, Answer::Surveyed(found)));
    assert_eq!(engine.mentions(PROCESS), 0);
}

#[test]
fn what_nobody_could_look_at_is_not_gone() {
    let mut engine = with_a_finding();
    for at in [8, 12, 16, 20] {
        engine.handle(Input::Tick(second(at)));
        let refused = Surveyed {
            refused: true,
            ..Surveyed::default()
        };
        engine.handle(answered(at, Answer::Surveyed(refused)));
    }
    assert!(engine.mentions(PROCESS) > 0);
    assert_eq!(engine.running(), 1);
}

#[test]
fn a_process_is_looked_at_once_at_a_time() {
    let mut engine = engine();
    engine.handle(Input::Event(Event::Acquired(acquired(5, 3))));
    let (first, _) = questions(&engine.handle(Input::Tick(second(6))));
    let (second_look, survey) = questions(&engine.handle(Input::Tick(second(7))));
    assert!(first.is_some_and(|inspect| inspect.purpose == Purpose::Held));
    assert!(second_look.is_none(), "the first is not answered");
    assert!(survey.is_none(), "nor is the survey");
    assert!(engine.is_judging());
}

#[test]
fn what_was_released_meanwhile_is_not_told() {
    let mut engine = engine();
    engine.handle(Input::Event(Event::Acquired(acquired(5, 3))));
    let (inspect, _) = questions(&engine.handle(Input::Tick(second(6))));
    let inspect = inspect.expect("it is suspected");
    engine.handle(Input::Event(Event::Released(Released {
        stamp: second(6).next(),
        table: TABLE,
        fd: 5,
        process: PROCESS,
    })));
    assert!(findings(engine.handle(answered(7, shown(&inspect)))).is_empty());
}

/// Names may take long; what is judged when they come is what is so then.
#[test]
fn what_waits_for_names_is_looked_at_anew() {
    let mut engine = engine_with(true);
    let held = |engine: &mut Engine, fd, at| {
        let acquired = acquired(fd, at);
        let id = AcquisitionId::Handle(HandleId::from(&acquired));
        engine.handle(Input::Event(Event::Acquired(acquired)));
        engine.handle(Input::Attributed {
            acquisition: id,
            stack: StackId(1),
        });
    };
    held(&mut engine, 5, 3);
    let (first, _) = questions(&engine.handle(Input::Tick(second(6))));
    let first = first.expect("it is suspected");
    assert!(
        findings(engine.handle(answered(6, shown(&first)))).is_empty(),
        "no names"
    );
    held(&mut engine, 6, 7);
    let (again, _) = questions(&engine.handle(Input::Tick(second(10))));
    let again = again.expect("it is looked at anew");
    assert_eq!(again.looks.len(), 2);
    engine.handle(answered(10, shown(&again)));
    let told = findings(engine.handle(Input::Hurry(second(11))));
    let counts: Vec<_> = told.iter().map(|finding| finding.open_count).collect();
    assert_eq!(counts, [2]);
}
