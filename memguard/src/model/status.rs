//! How each component of the agent is doing, all told in the same way.

use std::fmt;

/// A part of the agent that may be missing on some host while the rest works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Component {
    /// A program on a tracepoint.
    Tracepoint {
        /// Its category, as `syscalls`.
        category: &'static str,
        /// Its name, as `sys_exit_openat`.
        name: &'static str,
    },
    /// The perf side-band, which says which code is mapped.
    Sideband,
    /// Samples of page faults.
    PageFaultSamples,
    /// The threads that unwind and name stacks.
    Origins,
}

impl fmt::Display for Component {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tracepoint { category, name } => write!(formatter, "{category}:{name}"),
            Self::Sideband => formatter.write_str("perf side-band"),
            Self::PageFaultSamples => formatter.write_str("page-fault samples"),
            Self::Origins => formatter.write_str("origins"),
        }
    }
}

/// How a component is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ComponentState {
    /// As it should.
    Running,
    /// It works, but not all of it.
    Degraded {
        /// What does not, for people.
        why: String,
    },
    /// Not at all.
    Unavailable {
        /// What broke and why, for people.
        why: String,
    },
}

/// A component and its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentStatus {
    /// Which.
    pub component: Component,
    /// How it is doing.
    pub state: ComponentState,
}

impl ComponentStatus {
    /// It works.
    pub fn running(component: Component) -> Self {
        Self {
            component,
            state: ComponentState::Running,
        }
    }

    /// Some of it works.
    pub fn degraded(component: Component, why: impl fmt::Display) -> Self {
        let why = why.to_string();
        Self {
            component,
            state: ComponentState::Degraded { why },
        }
    }

    /// It does not work.
    pub fn unavailable(component: Component, why: impl fmt::Display) -> Self {
        let why = why.to_string();
        Self {
            component,
            state: ComponentState::Unavailable { why },
        }
    }

    /// Of a component that was opened, or of the attempt.
    pub fn of<T, E: fmt::Display>(component: Component, opened: &Result<T, E>) -> Self {
        match opened {
            Ok(_) => Self::running(component),
            Err(error) => Self::unavailable(component, error),
        }
    }

    /// Why it does not work as it should; `None` where it does.
    pub fn why(&self) -> Option<&str> {
        match &self.state {
            ComponentState::Running => None,
            ComponentState::Degraded { why } | ComponentState::Unavailable { why } => Some(why),
        }
    }

    /// Name and reason where it is unavailable, as reports have them.
    pub fn missing(&self) -> Option<(String, String)> {
        match &self.state {
            ComponentState::Unavailable { why } => Some((self.component.to_string(), why.clone())),
            ComponentState::Running | ComponentState::Degraded { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_unavailable_is_missing() {
        let tracepoint = Component::Tracepoint {
            category: "syscalls",
            name: "sys_exit_creat",
        };
        let pair = |name: &str| Some((name.to_owned(), "too old".to_owned()));
        for (status, why, missing) in [
            (ComponentStatus::running(Component::Origins), None, None),
            (
                ComponentStatus::degraded(Component::Sideband, "one CPU"),
                Some("one CPU"),
                None,
            ),
            (
                ComponentStatus::unavailable(tracepoint, "too old"),
                Some("too old"),
                pair("syscalls:sys_exit_creat"),
            ),
            (
                ComponentStatus::of::<(), _>(Component::PageFaultSamples, &Err("too old")),
                Some("too old"),
                pair("page-fault samples"),
            ),
            (
                ComponentStatus::of::<_, &str>(Component::Sideband, &Ok(())),
                None,
                None,
            ),
        ] {
            assert_eq!((status.why(), status.missing()), (why, missing));
        }
    }
}
