//! Are memguard's verdicts right? Workloads that leak and workloads that do not, all under one
//! `memguard watch`: what each says of itself, what `/proc` shows, what memguard tells, and the
//! table of it.

pub mod digest;
pub mod judge;
pub mod report;
pub mod staff;
pub mod table;
pub mod times;
pub mod witness;
pub mod workloads;

pub use judge::{Outcome, Row};
pub use report::Report;
pub use staff::{Staff, Worker};
pub use times::Times;
pub use witness::Witness;
pub use workloads::Workload;
