//! What bpf(2) tells of the programs on this kernel, and a program that does nothing, to compare
//! with.

pub mod empty;
pub mod info;
mod loaded;

use std::io;

pub use self::{
    empty::Empty,
    info::{Program, of_process},
    loaded::{held_by, loaded},
};

/// bpf(2); the kernel refuses attributes that are larger than it knows unless the rest is zero.
///
/// # Safety
///
/// Pointers inside `attributes` must be valid for what `command` does with them.
unsafe fn bpf<T>(command: libc::c_int, attributes: &mut T) -> io::Result<libc::c_long> {
    // SAFETY: the kernel reads and writes `size_of::<T>()` bytes at the pointer, which is what it
    // points to, and keeps no reference to it; the caller answers for what is inside.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_mut(attributes),
            size_of::<T>(),
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}
