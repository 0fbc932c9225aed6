//! Where data comes from: the [`kernel`]'s records, and [`procfs`] for what was before them and to
//! verify.

pub mod kernel;
pub mod procfs;
