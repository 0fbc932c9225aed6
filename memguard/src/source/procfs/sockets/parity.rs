//! The real `/proc`: sockets of this process are described as what they are.

use std::{
    fs::File,
    io::{self, Read as _},
    net::{TcpListener, TcpStream, UdpSocket},
    os::{
        fd::{FromRawFd as _, OwnedFd},
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixListener, UnixStream},
    },
    process::id,
};

use crate::{
    model::resource::Kind,
    source::procfs::testing::{look, number, real},
};

#[test]
fn tcp_sockets_are_described() {
    for (host, shown) in [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")] {
        let Ok(listener) = TcpListener::bind((host, 0)) else {
            continue;
        };
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let port = listener.local_addr().unwrap().port();
        let from = client.local_addr().unwrap().port();
        let table = real().sockets(id(), id());
        let listens = format!("tcp {shown}:{port} LISTEN");
        let client_is = format!("tcp {shown}:{from} -> {shown}:{port} ESTABLISHED");
        assert_eq!(
            table.describe(look(&listener).ino),
            Some((Kind::Tcp, listens))
        );
        assert_eq!(
            table.describe(look(&client).ino),
            Some((Kind::Tcp, client_is))
        );
        let server_is = format!("tcp {shown}:{port} -> # ESTABLISHED");
        assert_eq!(
            table.describe_folded(look(&server).ino),
            Some((Kind::Tcp, server_is))
        );

        drop(client);
        assert_eq!(server.read(&mut [0; 1]).unwrap(), 0);
        let waits = format!("tcp {shown}:{port} -> {shown}:{from} CLOSE_WAIT");
        let table = real().sockets(id(), id());
        assert_eq!(table.describe(look(&server).ino), Some((Kind::Tcp, waits)));
    }
}

#[test]
fn other_sockets_are_described() {
    let udp = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.sock");
    let bound = UnixListener::bind(&path).unwrap();
    let name = format!("memguard-{}", id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let named = UnixListener::bind_addr(&address).unwrap();
    let (unnamed, _peer) = UnixStream::pair().unwrap();
    let table = real().sockets(id(), id());
    for (inode, kind, expected) in [
        (
            look(&udp).ino,
            Kind::Udp,
            format!("udp {}", udp.local_addr().unwrap()),
        ),
        (
            look(&bound).ino,
            Kind::Unix,
            format!("unix {}", path.display()),
        ),
        (look(&named).ino, Kind::Unix, format!("unix @{name}")),
        (look(&unnamed).ino, Kind::Unix, "unix".to_owned()),
    ] {
        assert_eq!(table.describe(inode), Some((kind, expected)));
    }
}

fn socket(family: libc::c_int, kind: libc::c_int) -> OwnedFd {
    // SAFETY: takes numbers and returns one.
    let fd = unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, 0) };
    assert!(fd >= 0, "{}", io::Error::last_os_error());
    // SAFETY: it is new and nobody else's.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// No file lists a socket without address; the kernel still knows what it is.
#[test]
fn sockets_without_address_have_a_protocol() {
    let procfs = real();
    for (family, kind, expected) in [
        (libc::AF_INET, libc::SOCK_STREAM, Kind::Tcp),
        (libc::AF_INET, libc::SOCK_DGRAM, Kind::Udp),
        (libc::AF_UNIX, libc::SOCK_STREAM, Kind::Unix),
        (libc::AF_NETLINK, libc::SOCK_RAW, Kind::Netlink),
    ] {
        let socket = socket(family, kind);
        let found = procfs.protocol(id(), id(), number(&socket));
        assert_eq!(found, Some((expected, expected.name().to_owned())));
    }
    let file = File::open("/").unwrap();
    assert_eq!(procfs.protocol(id(), id(), number(&file)), None);
}
