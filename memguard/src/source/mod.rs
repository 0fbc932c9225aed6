//! Where data comes from: the [`kernel`]'s records, and [`procfs`] and [`keys`] for what was before
//! them and to verify.

pub mod kernel;
pub mod keys;
pub mod procfs;
