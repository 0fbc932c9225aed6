//! The perf side-band: which code is mapped, the moment it is.
