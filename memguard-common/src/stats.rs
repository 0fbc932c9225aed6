//! Counters of the BPF programs, one slot per CPU and [`Stat`].
//!
//! Two identities hold at quiescence and are tested under forced overflow:
//!
//! ```text
//! Seen    == Failed + Filtered + Paired + Replaced + TakenBack + Evicted + Direct + LostAcquired
//!            + held in the nursery + swept by the agent
//! Releases == ReleasesFiltered + ReleasesPaired + NotOpen + ReleasesSent + ReleasesLost
//! ```
//!
//! `Paired` counts records that a release erased, `ReleasesPaired` releases that erased at least
//! one: they differ where one number had two records.

/// What one process has lost: the value of the loss table, whose key is the thread group. The start
/// says whose it is, as a number goes from one process to the next.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessLosses {
    /// Start of the group's leader, `start_boottime`.
    pub start: u64,
    /// Events lost.
    pub count: u64,
}

const _: () = assert!(size_of::<ProcessLosses>() == 16, "ProcessLosses has a hole");

macro_rules! stats {
    ($($(#[$doc:meta])* $name:ident = $label:literal,)*) => {
        /// Index into the per-CPU counter array.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u32)]
        pub enum Stat {
            $($(#[$doc])* $name,)*
        }

        impl Stat {
            /// Every counter with its name, in the order of the array.
            pub const ALL: &'static [(Self, &'static str)] = &[$((Self::$name, $label),)*];
            /// Its name in the output.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }

            /// How many counters there are.
            pub const COUNT: u32 = Self::ALL.len() as u32;
        }
    };
}

stats! {
    /// Exits of calls that acquire, descriptors or memory; one more for each further descriptor that a call made.
    Seen = "acquisitions.seen",
    /// … that returned an error, or nothing new, or what the dynamic loader mapped for itself.
    Failed = "acquisitions.failed",
    /// … of tasks that are not watched.
    Filtered = "acquisitions.filtered",
    /// Records erased in the nursery by their release.
    Paired = "acquisitions.paired",
    /// Records replaced by a newer acquisition of the same number by the same owner.
    Replaced = "acquisitions.replaced",
    /// Records taken back because the slot was empty once they were published.
    TakenBack = "acquisitions.taken_back",
    /// Records sent to make room.
    Evicted = "acquisitions.evicted",
    /// Acquisitions sent past the nursery, every way of their set being busy.
    Direct = "acquisitions.direct",
    /// Acquisitions dropped because the ring was over its watermark or full.
    LostAcquired = "acquisitions.lost",
    /// Acquisitions that travelled without their stack because the ring was over half full.
    WindowsLost = "windows.lost",
    /// Entries of releasing calls.
    Releases = "releases.seen",
    /// … of tasks that are not watched.
    ReleasesFiltered = "releases.filtered",
    /// … that erased a record in the nursery.
    ReleasesPaired = "releases.paired",
    /// … of numbers that were not open.
    NotOpen = "releases.not_open",
    /// … sent to the agent.
    ReleasesSent = "releases.sent",
    /// … dropped because the ring was full.
    ReleasesLost = "releases.lost",
    /// Records that an acquirer took back after they had left the nursery, and numbers that `dup2`
    /// closed without finding their record in it, sent.
    TakeBacksSent = "take_backs.sent",
    /// … dropped because the ring was full.
    TakeBacksLost = "take_backs.lost",
    /// Ranges that something was mapped over, sent.
    OverlaidSent = "overlaid.sent",
    /// … dropped because the ring was full.
    OverlaidLost = "overlaid.lost",
    /// Sizes of shared memory segments sent.
    SegmentsSent = "segments.sent",
    /// … dropped because the ring was full.
    SegmentsLost = "segments.lost",
    /// Wide windows sent: more of the stack, beside the acquisition's own record.
    WideSent = "windows.wide",
    /// … dropped because the ring was half full.
    WideLost = "windows.wide_lost",
    /// Fork, exec and exit records sent.
    LifecycleSent = "lifecycle.sent",
    /// … dropped because the ring was full.
    LifecycleLost = "lifecycle.lost",
    /// Snapshot pieces sent.
    SnapshotsSent = "snapshots.sent",
    /// … dropped because the ring was full or the table could not be read.
    SnapshotsLost = "snapshots.lost",
    /// Descriptors in messages beyond what a program looks at; found by comparing with `/proc`.
    MessagesCut = "messages.cut",
    /// Processes that could not be followed because the set of watched processes was full.
    PidSetFull = "pid_set.full",
    /// Losses that could not be charged to a process because the loss table was full.
    LossUnattributed = "losses.unattributed",
}
