//! What kind of socket a descriptor is, whether it has an address or not.

use rustix::fs::getxattr;

use crate::{
    model::resource::Kind,
    source::procfs::{Procfs, look::descriptor, text},
};

/// The extended attribute that tells a socket's protocol name.
const ATTRIBUTE: &str = "system.sockprotoname";

impl Procfs {
    /// Kind and protocol name of a socket, connected or not. [`SocketTable`](super::SocketTable)
    /// knows more, but lists only sockets that have an address. `None` where `fd` is no socket.
    pub fn protocol(&self, tgid: u32, tid: u32, fd: u32) -> Option<(Kind, String)> {
        let path = self.path.join(descriptor(tgid, tid, fd));
        let mut name = [0; 32];
        let length = getxattr(path, ATTRIBUTE, &mut name).ok()?;
        let name = name.get(..length)?.split(|&byte| byte == 0).next()?;
        Some(protocol_kind(&text(name)))
    }
}

/// Names are those of the kernel's `struct proto`: `TCP`, `TCPv6`, `UNIX-STREAM`, `NETLINK`.
fn protocol_kind(name: &str) -> (Kind, String) {
    let kind = match name {
        "TCP" | "TCPv6" | "MPTCP" | "MPTCPv6" => Kind::Tcp,
        "NETLINK" => Kind::Netlink,
        name if name.starts_with("UDP") => Kind::Udp,
        name if name.starts_with("UNIX") => Kind::Unix,
        _ => return (Kind::OtherSocket, name.to_ascii_lowercase()),
    };
    (kind, kind.name().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_kinds() {
        for (name, kind, expected) in [
            ("TCP", Kind::Tcp, "tcp"),
            ("TCPv6", Kind::Tcp, "tcp"),
            ("MPTCP", Kind::Tcp, "tcp"),
            ("UDPv6", Kind::Udp, "udp"),
            ("UDP-Lite", Kind::Udp, "udp"),
            ("UNIX", Kind::Unix, "unix"),
            ("UNIX-STREAM", Kind::Unix, "unix"),
            ("NETLINK", Kind::Netlink, "netlink"),
            ("PACKET", Kind::OtherSocket, "packet"),
            ("", Kind::OtherSocket, ""),
        ] {
            assert_eq!(protocol_kind(name), (kind, expected.to_owned()));
        }
    }
}
