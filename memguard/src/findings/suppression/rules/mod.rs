//! Suppressions: findings that somebody has looked at and does not want to see again.
//!
//! A rule a line: `VERDICT function=GLOB kind=GLOB path=GLOB module=GLOB command=GLOB call=GLOB
//! fd=GLOB max=N`, any subset of the conditions, all of which must hold. Pure: the text of the file
//! comes in as an argument.

mod glob;
mod parse;

use crate::model::{
    finding::{Finding, Handle, Verdict},
    ids::ProcessId,
    origin::NamedFrame,
    report::Suppression,
};

/// Sentences kept of each rule where they are asked for.
const KEPT: usize = 100;

/// The rules of a file, and what each of them has suppressed.
#[derive(Debug, Default)]
pub struct Rules {
    lines: Vec<Rule>,
    uses: Vec<Suppression>,
    /// What a rule with a maximum has suppressed of the process that it was used for last, at that
    /// one's end; findings of one end come one after the other.
    taken: Vec<Option<(ProcessId, u64)>>,
    /// Rules from here on are built in: they are told only where they were used.
    built_in: Option<usize>,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    /// `None` for any.
    verdict: Option<Verdict>,
    conditions: Vec<(Key, String)>,
    /// Most handles of one process.
    max: Option<u64>,
}

/// What a condition is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    /// A function of the stack, or the place of the largest site of memory that grows.
    Function,
    /// Kind or resource.
    Kind,
    /// What the handles lead to.
    Path,
    /// A file that code of the stack is from.
    Module,
    /// The program.
    Command,
    /// The calls that acquired the handles: every one of them.
    Call,
    /// Descriptor numbers: every one of them.
    Fd,
}

impl Rules {
    /// The rules in a text; `name` is what the text is called in messages. The error names file
    /// and line, and says what was expected.
    pub fn parse(name: &str, text: &str) -> Result<Self, String> {
        let mut rules = Self::default();
        for (line, number) in text.lines().zip(1_u64..) {
            let place = format!("{name}:{number}");
            let rule = parse::rule(line).map_err(|expected| format!("{place}: {expected}"))?;
            let Some(rule) = rule else { continue };
            rules.lines.push(rule);
            rules.taken.push(None);
            rules.uses.push(Suppression {
                place,
                rule: line.trim().to_owned(),
                count: 0,
                findings: Vec::new(),
            });
        }
        Ok(rules)
    }

    /// These rules, and after them others that are built in.
    #[must_use]
    pub fn and_built_in(mut self, other: Self) -> Self {
        self.built_in = Some(self.lines.len());
        self.lines.extend(other.lines);
        self.uses.extend(other.uses);
        self.taken.extend(other.taken);
        self
    }

    /// The first rule that suppresses a finding.
    pub fn matching(&self, finding: &Finding) -> Option<usize> {
        let mut rules = self.lines.iter().zip(&self.taken);
        rules.position(|(rule, taken)| {
            let before = taken.filter(|(process, _)| *process == finding.process.id);
            rule.holds(finding, before.map_or(0, |(_, count)| count))
        })
    }

    /// A rule suppresses one finding more; with `keep` it is kept for the list.
    pub fn count(&mut self, rule: usize, finding: &Finding, keep: bool) {
        let Some(used) = self.uses.get_mut(rule) else {
            return;
        };
        used.count += 1;
        if finding.is_final()
            && let Some(taken) = self.taken.get_mut(rule)
        {
            let process = finding.process.id;
            let before = taken.filter(|(last, _)| *last == process);
            let before = before.map_or(0, |(_, count)| count);
            *taken = Some((process, before.saturating_add(finding.open_count)));
        }
        if keep && used.findings.len() < KEPT {
            used.findings.push(finding.clone());
        }
    }

    /// A finding is not suppressed by this rule any more.
    pub fn uncount(&mut self, rule: usize, id: u64) {
        let Some(used) = self.uses.get_mut(rule) else {
            return;
        };
        used.count = used.count.saturating_sub(1);
        used.findings.retain(|finding| finding.id != id);
    }

    /// The rules, with what each of them has suppressed; of those that are built in, the ones that
    /// were used.
    pub fn told(&self) -> impl Iterator<Item = &Suppression> {
        let built_in = self.built_in.unwrap_or(self.uses.len());
        let uses = self.uses.iter().enumerate();
        let told = uses.filter(move |(at, it)| *at < built_in || it.count > 0);
        told.map(|(_, it)| it)
    }
}

impl Rule {
    /// `before` is what it has suppressed of the same end already.
    fn holds(&self, finding: &Finding, before: u64) -> bool {
        let verdict = self
            .verdict
            .is_none_or(|verdict| verdict == finding.verdict);
        let all = before.saturating_add(finding.open_count);
        let few = self.max.is_none_or(|max| all <= max);
        let mut conditions = self.conditions.iter();
        verdict && few && conditions.all(|(key, glob)| key.holds(glob, finding))
    }
}

impl Key {
    const ALL: [(Self, &str); 7] = [
        (Self::Function, "function"),
        (Self::Kind, "kind"),
        (Self::Path, "path"),
        (Self::Module, "module"),
        (Self::Command, "command"),
        (Self::Call, "call"),
        (Self::Fd, "fd"),
    ];

    fn holds(self, glob: &str, finding: &Finding) -> bool {
        let matches = |text: &str| glob::matches(glob, text);
        match self {
            Self::Function => functions(finding).any(matches),
            Self::Kind => matches(finding.kind.name()) || matches(finding.kind.resource().name()),
            Self::Path => leads_to(finding, matches),
            Self::Module => frames(finding).any(|frame| {
                let path = frame.module.as_ref().map(|module| &*module.path);
                path.is_some_and(matches) || frame.module_name().is_some_and(matches)
            }),
            Self::Command => {
                let process = &finding.process;
                let names = [process.name.as_deref(), process.executable.as_deref()];
                matches(&process.label()) || names.into_iter().flatten().any(matches)
            }
            Self::Call => {
                let mut calls = finding.calls.iter();
                !finding.calls.is_empty() && calls.all(|call| matches(call.name()))
            }
            Self::Fd => numbers(finding, matches),
        }
    }
}

fn frames(finding: &Finding) -> impl Iterator<Item = &NamedFrame> {
    let origin = finding.origin.as_ref();
    origin.into_iter().flat_map(|origin| &origin.stack.frames)
}

/// Of memory that grows there is no one stack, but its largest site is where most of it is from.
fn functions(finding: &Finding) -> impl Iterator<Item = &str> {
    let stack = frames(finding).filter_map(|frame| frame.function.as_deref());
    let largest = finding.sites.first().and_then(|site| site.place.as_deref());
    let largest = largest.map(|place| place.split_once(" (").map_or(place, |(name, _)| name));
    stack.chain(largest)
}

/// All that is known of: a rule for one file must not hide others.
fn leads_to(finding: &Finding, matches: impl Fn(&str) -> bool) -> bool {
    let targets = || finding.samples.iter().filter_map(|it| it.target.as_deref());
    targets().next().is_some() && targets().all(matches)
}

/// Of all handles: a number that is not known follows no pattern.
fn numbers(finding: &Finding, matches: impl Fn(&str) -> bool) -> bool {
    let all = finding.open_count == finding.samples.len() as u64;
    let mut samples = finding.samples.iter();
    let fits = |handle| match handle {
        Handle::Descriptor(fd) => matches(&fd.to_string()),
        Handle::Memory(_) | Handle::Id(_) => false,
    };
    all && samples.all(|sample| fits(sample.handle))
}

#[cfg(test)]
mod tests;
