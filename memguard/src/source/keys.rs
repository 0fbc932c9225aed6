//! Which keys are there, by `keyctl(2)`.

use std::collections::BTreeSet;

use crate::model::persistent::{FoundObject, ObjectId};

/// Longest description: `KEY_MAX_DESC_SIZE` and what the kernel writes before it.
const DESCRIPTION: usize = 4096 + 64;

/// What the kernel says of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Described {
    /// Type and description.
    As(String),
    /// It is there, and memguard may not see what it is.
    Hidden,
    /// It is not there, or of no use any more: revoked, expired, or about to be collected.
    Gone,
}

/// Those of some keys that are there, by their serial numbers. No process has a key open, so that
/// nobody holds them.
pub fn keys(wanted: &BTreeSet<u32>) -> Vec<FoundObject> {
    let found = wanted.iter().filter_map(|serial| {
        let name = match describe(*serial) {
            Described::As(name) => name,
            Described::Hidden => String::new(),
            Described::Gone => return None,
        };
        Some(FoundObject {
            id: ObjectId::Key(*serial),
            name,
            size: 0,
            used_bytes: 0,
            held: Some(false),
        })
    });
    found.collect()
}

/// A key is looked up in the whole kernel, and only then asked for its permissions: whoever may
/// not see it is told `EACCES` where it is there.
fn describe(serial: u32) -> Described {
    let mut buffer = [0_u8; DESCRIPTION];
    // SAFETY: the kernel writes no more than the buffer is long.
    let length = unsafe {
        libc::syscall(
            libc::SYS_keyctl,
            libc::c_ulong::from(libc::KEYCTL_DESCRIBE),
            libc::c_ulong::from(serial),
            buffer.as_mut_ptr(),
            buffer.len(),
        )
    };
    let Ok(length) = usize::try_from(length) else {
        let error = std::io::Error::last_os_error().raw_os_error();
        let gone = [libc::ENOKEY, libc::EKEYREVOKED, libc::EKEYEXPIRED];
        let gone = error.is_some_and(|error| gone.contains(&error));
        return if gone {
            Described::Gone
        } else {
            Described::Hidden
        };
    };
    let text = buffer.get(..length).unwrap_or_default();
    Described::As(name(text).unwrap_or_default())
}

/// `type;uid;gid;permissions;description` and a zero byte.
fn name(text: &[u8]) -> Option<String> {
    let text = text.strip_suffix(b"\0").unwrap_or(text);
    let mut fields = text.splitn(5, |&byte| byte == b';');
    let (kind, description) = (fields.next()?, fields.nth(3)?);
    let [kind, description] = [kind, description].map(String::from_utf8_lossy);
    Some(format!("{kind}: {description}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key in a keyring of this process alone.
    fn add(description: &std::ffi::CStr) -> u32 {
        const PROCESS_KEYRING: libc::c_long = -2;
        // SAFETY: three strings and a length that is theirs.
        let serial = unsafe {
            libc::syscall(
                libc::SYS_add_key,
                c"user".as_ptr(),
                description.as_ptr(),
                c"x".as_ptr(),
                1_usize,
                PROCESS_KEYRING,
            )
        };
        u32::try_from(serial).unwrap()
    }

    fn revoke(serial: u32) {
        // SAFETY: numbers alone.
        let revoked = unsafe {
            libc::syscall(
                libc::SYS_keyctl,
                libc::c_ulong::from(libc::KEYCTL_REVOKE),
                libc::c_ulong::from(serial),
            )
        };
        assert_eq!(revoked, 0);
    }

    #[test]
    fn a_key_is_there_until_it_is_revoked() {
        let serial = add(c"of a test; with a semicolon");
        let expected = Described::As("user: of a test; with a semicolon".into());
        assert_eq!(describe(serial), expected);
        let found = keys(&BTreeSet::from([serial]));
        assert_eq!(found[0].id, ObjectId::Key(serial));
        revoke(serial);
        assert_eq!(describe(serial), Described::Gone);
        assert_eq!(keys(&BTreeSet::from([serial])), []);
    }

    #[test]
    fn what_the_kernel_does_not_write_has_no_name() {
        assert_eq!(name(b"user;0;0;3f010000;a\0").as_deref(), Some("user: a"));
        assert_eq!(name(b"user;0;0"), None);
        assert_eq!(name(b""), None);
    }
}
