//! Descriptors: what acquires them, and what gives them back.

mod acquire;
mod fresh;
mod memory;
mod message;
mod release;
mod uring;
