//! Names for addresses, from a child process that files cannot hurt.
