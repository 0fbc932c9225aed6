//! Keys of the kernel, `keyrings(7)`: what `add_key` makes counts against its user's quota until it
//! is unlinked, revoked or expired, whoever ends.

use aya_ebpf::{macros::tracepoint, programs::TracePointContext};

use super::{RESULT_OR_FIRST, SYSCALL_NUMBER, field, object::Created};
use crate::{filter, regs::Arguments};

/// At the exit of `add_key`. It returns the key's serial number, also of a key that was there
/// before and was given another payload: the agent knows it then.
#[tracepoint]
fn key(context: TracePointContext) {
    let Some(task) = filter::running().and_then(filter::watched) else {
        return;
    };
    let serial: i64 = field(&context, RESULT_OR_FIRST);
    if serial > 0 {
        let keyring = Arguments::of(task).fifth();
        let created = Created {
            number: field(&context, SYSCALL_NUMBER),
            handle: serial as u64,
            detail: u64::from(keyring as u32),
        };
        created.tell(task);
    }
}
