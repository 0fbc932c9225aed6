//! What is known of one place of a file: how to get from it to its caller, and the code before it.

use super::super::{
    calls::{Calls, LONGEST, SYSCALL, is_sigreturn},
    image::{GoRule, Image, Row, Saved, register},
};

/// How to get from one place of a file to its caller.
#[derive(Debug)]
pub(super) enum Rule {
    /// There is no caller.
    Outermost,
    /// As the unwind information says.
    Row(Box<Row>),
    /// By what the kernel saved for a signal handler, which returns here.
    Signal,
    /// It was called on another stack, which was not copied.
    Switches,
    /// Nobody says.
    Unsaid,
}

/// What is known of one place of a file.
#[derive(Debug)]
pub(super) struct CodeInfo {
    pub(super) rule: Rule,
    /// The code right before it, where that can be read.
    before: Option<[u8; LONGEST]>,
}

impl CodeInfo {
    pub(super) const NOTHING: Self = Self {
        rule: Rule::Unsaid,
        before: None,
    };

    pub(super) fn of(image: &Image, address: u64, is_return: bool) -> Self {
        let before = before(image, address);
        let called = before.is_some_and(|code| Calls::before(&code).any());
        let rule = if is_return && !called && image.starts(address, is_sigreturn) {
            Rule::Signal
        } else {
            Rule::of(image, address.wrapping_sub(u64::from(is_return)))
        };
        Self { rule, before }
    }

    /// The calls that may end here; `None` where the code cannot be read.
    pub(super) fn calls(&self) -> Option<Calls> {
        self.before.as_ref().map(|code| Calls::before(code))
    }

    /// Whether the kernel may have been entered right before.
    pub(super) fn is_behind_syscall(&self) -> bool {
        self.before.is_none_or(|code| code.ends_with(&SYSCALL))
    }

    /// Whether a call may return here, or the kernel when it makes a handler return.
    pub(super) fn is_returned_to(&self) -> bool {
        let by_kernel = self.rule.is_signal() || matches!(self.rule, Rule::Outermost);
        by_kernel || self.calls().is_none_or(Calls::any)
    }
}

impl Rule {
    /// Whether the caller did not call, but was interrupted.
    pub(super) fn is_signal(&self) -> bool {
        match self {
            Self::Signal => true,
            Self::Row(row) => row.signal,
            Self::Outermost | Self::Switches | Self::Unsaid => false,
        }
    }

    /// Unwind information follows a function of Go to where it changes the stack, and does not say
    /// so.
    fn of(image: &Image, address: u64) -> Self {
        match image.go_rule(address) {
            Some(GoRule::Switches) => Self::Switches,
            Some(GoRule::Outermost) => Self::Outermost,
            Some(GoRule::Row(row)) => Self::by_frame(image, address, Some(row)),
            None => Self::by_frame(image, address, None),
        }
    }

    fn by_frame(image: &Image, address: u64, of_go: Option<Box<Row>>) -> Self {
        match image.row(address).map(Box::new).or(of_go) {
            Some(row) if row.saved[register::RETURN] == Saved::Undefined => Self::Outermost,
            Some(row) => Self::Row(row),
            None if image.is_entry(address) => Self::Outermost,
            None => Self::Unsaid,
        }
    }
}

fn before(image: &Image, address: u64) -> Option<[u8; LONGEST]> {
    let start = address.checked_sub(LONGEST as u64)?;
    let (code, length) = image.code(start)?;
    (length == LONGEST).then_some(code)
}
