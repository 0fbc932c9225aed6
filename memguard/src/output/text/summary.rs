//! The end: verdict first, then the sites, what was observed, and what it cost.

use super::{
    clean::width,
    finding::tag,
    page::{Page, Paint},
    sites::{Site, Sites, Tally},
    table::{Column, GAP, align},
};
use crate::{
    model::{
        finding::{Verdict, call_names},
        report::{Summary, Suppression},
        resource::Kind,
    },
    output::{
        outcome, sentence,
        units::{bytes, count, duration},
    },
};

/// Sites shown.
const SHOWN: usize = 10;
const INDENT: usize = 2;

pub(super) fn show(page: &mut Page, summary: &Summary, sites: &Sites) {
    page.paragraph("memguard: ", Paint::None, &outcome::verdict(summary));
    table(page, &sites.ranked(), SHOWN);
    suppressed(page, summary);
    end(page, summary);
}

/// What was observed, what it cost, and how it ended.
pub(super) fn end(page: &mut Page, summary: &Summary) {
    let observed = observed(summary);
    let cost = cost(summary);
    let both = format!("{observed}; {cost}");
    if width(&both) <= page.columns() {
        page.line(&both);
    } else {
        page.paragraph("", Paint::None, &observed);
        page.paragraph("", Paint::None, &cost);
    }
    if let Some(exit) = &summary.exit {
        page.paragraph("", Paint::None, &outcome::run_exit(exit));
    }
}

/// The rules, with what each of them has suppressed, where that is asked for.
pub(super) fn suppressed(page: &mut Page, summary: &Summary) {
    let used = |rule: &&Suppression| !rule.findings.is_empty();
    for rule in summary.suppressions.iter().filter(used) {
        let Suppression {
            place,
            rule,
            count: all,
            findings,
        } = rule;
        let number = count(*all, "finding", "findings");
        let head = format!("{place}: {number} suppressed by: {rule}");
        page.paragraph("", Paint::None, &head);
        for finding in findings {
            let (tag, paint) = tag(finding.verdict);
            page.paragraph(&format!("  {tag}"), paint, &sentence::finding(finding));
        }
        let more = all.saturating_sub(findings.len() as u64);
        if more > 0 {
            page.line(&format!("  … and {more} more"));
        }
    }
}

/// Sites by weight, so many of them.
pub(super) fn table(page: &mut Page, sites: &[(Site, Tally)], shown: usize) {
    if sites.is_empty() {
        return;
    }
    page.blank();
    rows(page, &sites[..sites.len().min(shown)]);
    if let Some(more) = sites.len().checked_sub(shown).filter(|more| *more > 0) {
        page.line(&format!(
            "  … and {}",
            count(more as u64, "more site", "more sites")
        ));
    }
    page.blank();
}

fn rows(page: &mut Page, sites: &[(Site, Tally)]) {
    let heading = ["", "COUNT", "WHAT", "PROCESS", "FROM", "OLDEST"].map(str::to_owned);
    let cells = sites.iter().map(|(site, tally)| cells(site, tally));
    let cells = [heading].into_iter().chain(cells).collect();
    let layout = [
        Column::LEFT,
        Column::RIGHT,
        Column::shrinking_to(4),
        Column::shrinking_to(6),
        Column::shrinking_to(3),
        Column::RIGHT,
    ];
    let paints = [Paint::None]
        .into_iter()
        .chain(sites.iter().map(|(site, _)| tag(site.verdict).1));
    for (row, paint) in align(cells, layout, page.columns() - INDENT)
        .iter()
        .zip(paints)
    {
        let [verdict, rest @ ..] = row;
        let head = format!("{}{verdict}{}", " ".repeat(INDENT), " ".repeat(GAP));
        page.row(&head, paint, &rest.join(&" ".repeat(GAP)));
    }
}

fn cells(site: &Site, tally: &Tally) -> [String; 6] {
    let process = match tally.processes {
        1 => tally.who.clone(),
        number => format!("{} ×{number}", site.label),
    };
    [
        tag(site.verdict).0.trim_end().to_owned(),
        how_much(site, tally),
        noun(site.kind, tally.count),
        process,
        from(site, tally),
        tally.oldest.map(duration).unwrap_or_default(),
    ]
}

/// `leak_one (leak.c:8), 32 without a stack`.
fn from(site: &Site, tally: &Tally) -> String {
    let place = site.place.clone();
    let place = place.unwrap_or_else(|| call_names(&site.calls));
    match tally.without_stack {
        0 => place,
        count => format!("{place}, {count} without a stack"),
    }
}

/// Memory in use is no count of things.
fn how_much(site: &Site, tally: &Tally) -> String {
    match tally.bytes {
        Some(size) if site.verdict == Verdict::Growth => bytes(size),
        _ => tally.count.to_string(),
    }
}

/// What people call so many of a kind.
pub(super) fn noun(kind: Kind, count: u64) -> String {
    match kind {
        Kind::HeapAnon => "anonymous memory".to_owned(),
        Kind::HeapShm => "shared memory".to_owned(),
        kind => kind.noun(count).to_owned(),
    }
}

fn observed(summary: &Summary) -> String {
    let judged = count(summary.processes_judged, "process", "processes");
    let running = match summary.processes_running {
        0 => String::new(),
        number => format!(", {number} still running"),
    };
    let lost = summary.evidence.events_lost;
    let events = match summary.cost.events_read {
        Some(read) => format!("{} read, {lost} lost", count(read, "event", "events")),
        None => format!("{} lost", count(lost, "event", "events")),
    };
    format!(
        "observed {}, {judged} judged{running}, {events}",
        duration(summary.observed)
    )
}

/// Each item of the cost that is known.
fn cost(summary: &Summary) -> String {
    let cost = &summary.cost;
    let percent = cost.cpu_percent(summary.observed);
    let percent = percent.map(|percent| format!(" ({} % CPU)", rounded(percent)));
    let cpu = format!(
        "agent {:.2} s{}",
        cost.cpu.as_secs_f64(),
        percent.unwrap_or_default()
    );
    let kernel = format!("kernel {}", bytes(cost.kernel_bytes));
    let bpf = cost.bpf_time.zip(cost.bpf_percent(summary.observed));
    let bpf = bpf.map(|(time, percent)| {
        let percent = rounded(percent);
        format!("BPF {:.2} s ({percent} %)", time.as_secs_f64())
    });
    let items = [Some(cpu), bpf, cost.rss_bytes.map(bytes), Some(kernel)];
    let items: Vec<_> = items.into_iter().flatten().collect();
    format!("cost: {}", items.join(", "))
}

/// With one decimal where it is small.
fn rounded(percent: f64) -> String {
    if percent < 9.95 {
        format!("{percent:.1}")
    } else {
        format!("{percent:.0}")
    }
}
