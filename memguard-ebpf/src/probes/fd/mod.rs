//! Descriptors: what acquires them, and what gives them back.

mod acquire;
mod create;
mod memory;
mod message;
mod new_fd;
mod release;
mod uring;
