//! From a window of the stack to the line of source that acquired a handle.

pub mod application;
pub mod symbolize;
