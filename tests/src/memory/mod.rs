//! Programs about memory, and about what is counted like it: what they say of themselves, what
//! `/proc` shows, and what memguard tells.

pub mod judge;
pub mod pages;
pub mod said;
pub mod usage;

pub use judge::{Judgement, judge};
pub use pages::{History, Pages, maps, tracked};
pub use said::Said;
pub use usage::{Usage, UsageSampler};
