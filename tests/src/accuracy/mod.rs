//! Are memguard's verdicts right, and how soon do they come?
//!
//! Workloads that leak and workloads that do not, all under one `memguard watch`: what each says of
//! itself, what `/proc` shows, what memguard tells, and the tables of it.

mod alarms;
mod by_age;
mod by_seconds;
pub mod calibration;
pub mod default_table;
pub mod digest;
pub mod figures;
pub mod judge;
pub mod milestones;
pub mod page;
pub mod report;
pub mod sampler;
pub mod suspicions;
pub mod table;
pub mod times;
pub mod truth;
pub mod verdict_times;
pub mod workload_pool;
pub mod workloads;

pub use calibration::Claim;
pub use judge::{Outcome, Row};
pub use milestones::Milestones;
pub use report::Report;
pub use sampler::ProcSampler;
pub use suspicions::Suspicions;
pub use times::Times;
pub use verdict_times::VerdictTimes;
pub use workload_pool::{RunningWorkload, WorkloadPool};
pub use workloads::Workload;
