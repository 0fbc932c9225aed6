//! What was judged, when, in what way it grows, how loud to be about it, and how it ended.

/// What was judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Held past the minimum age, no pattern.
    Aged,
    /// Piles up while the process runs.
    Leak,
    /// Memory of a process that keeps growing.
    Growth,
    /// Held by a process at its exit.
    Left,
    /// Came over an exec from the program before; its acquirer is another image.
    Inherited,
    /// A pile that went flat or away.
    Cleared,
    /// Piles up by all that has been seen; a pool, a cache or a collector is not excluded yet.
    Suspect,
    /// A count heads for its limit, whoever it is that adds to it.
    Exhaustion,
    /// Many of the same were held before memguard attached.
    Hoard,
}

impl Verdict {
    /// Every verdict there is, the ones that weigh most first.
    pub const ALL: [Self; 9] = [
        Self::Leak,
        Self::Exhaustion,
        Self::Growth,
        Self::Suspect,
        Self::Hoard,
        Self::Left,
        Self::Inherited,
        Self::Aged,
        Self::Cleared,
    ];

    /// From its name in the output.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.name() == name)
    }

    /// Whether a finding of this verdict stays a fact after it is over, for this reason: what
    /// leaked has leaked, also where it was released in the end. What merely was held, or
    /// suspected, was nothing; and of what was withdrawn nothing is left.
    pub fn outlives(self, why: Option<Resolution>) -> bool {
        match self {
            _ if why == Some(Resolution::Withdrawn) => false,
            Self::Leak | Self::Exhaustion | Self::Growth | Self::Left => true,
            Self::Suspect => why == Some(Resolution::Ended),
            Self::Hoard | Self::Inherited | Self::Aged | Self::Cleared => false,
        }
    }

    /// How much it weighs: 0 is the gravest.
    pub fn rank(self) -> usize {
        let rank = Self::ALL.iter().position(|verdict| *verdict == self);
        rank.unwrap_or(Self::ALL.len())
    }

    /// As it stands in the output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Aged => "aged",
            Self::Leak => "leak",
            Self::Growth => "growth",
            Self::Left => "left",
            Self::Inherited => "inherited",
            Self::Cleared => "cleared",
            Self::Suspect => "suspect",
            Self::Exhaustion => "exhaustion",
            Self::Hoard => "hoard",
        }
    }
}

/// Severity in OpenTelemetry's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// 9.
    Info,
    /// 13.
    Warn,
    /// 17.
    Error,
}

/// Where in its life a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Reported for the first time.
    Opened,
    /// Changed in a way that matters.
    Updated,
    /// The handles are released, or the process is gone.
    Resolved,
}

/// At what moment of its process a finding was judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Moment {
    /// While it ran.
    #[default]
    Running,
    /// At its exit: told once, with no life of its own.
    Exit,
    /// When `run` stopped following it; likewise.
    End,
}

impl Moment {
    /// Every moment there is.
    pub const ALL: [Self; 3] = [Self::Running, Self::Exit, Self::End];

    /// As it stands in the output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Exit => "exit",
            Self::End => "end",
        }
    }
}

/// Why a finding is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resolution {
    /// What was held is released.
    Released,
    /// The process has ended.
    Ended,
    /// It grows no longer.
    Stopped,
    /// It is no finding any more: what is known now explains it.
    Withdrawn,
}

impl Resolution {
    /// Every reason there is.
    pub const ALL: [Self; 4] = [Self::Released, Self::Ended, Self::Stopped, Self::Withdrawn];

    /// As it stands in the output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::Ended => "process_ended",
            Self::Stopped => "stopped",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// How a growing series looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// At a steady pace.
    Linear,
    /// Faster and faster.
    Exponential,
    /// In steps, with rest between.
    Stepwise,
}

impl Shape {
    /// Every shape there is.
    pub const ALL: [Self; 3] = [Self::Linear, Self::Exponential, Self::Stepwise];

    /// From its name in the output.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|shape| shape.name() == name)
    }

    /// As it stands in the output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Exponential => "exponential",
            Self::Stepwise => "stepwise",
        }
    }
}
