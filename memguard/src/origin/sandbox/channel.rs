//! A Unix socket with lines, and open files beside them.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// Most files beside a line; more than that are closed by the kernel.
pub(in crate::origin) const FILES: usize = 2;

/// Room for their numbers.
const SPACE: usize = rustix::cmsg_space!(ScmRights(FILES));

/// Bytes that are taken from the socket at once.
const CHUNK: usize = 16 << 10;

/// A line that came, and the files beside it.
#[derive(Debug, Default)]
pub(in crate::origin) struct Message {
    pub(in crate::origin) line: Vec<u8>,
    pub(in crate::origin) files: Vec<OwnedFd>,
}

impl Message {
    /// Whether the line has ended.
    pub(in crate::origin) fn is_whole(&self) -> bool {
        self.line.last() == Some(&b'\n')
    }

    /// Takes what is there: false at the end of the socket. `most` is the length of the longest
    /// line.
    pub(in crate::origin) fn receive(
        &mut self,
        socket: impl AsFd,
        flags: RecvFlags,
        most: usize,
    ) -> io::Result<bool> {
        let mut chunk = [0; CHUNK];
        let mut space = [MaybeUninit::uninit(); SPACE];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = flags | RecvFlags::CMSG_CLOEXEC;
        let mut room = [IoSliceMut::new(&mut chunk)];
        let bytes = recvmsg(socket, &mut room, &mut control, flags)?.bytes;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(files) = message {
                self.files.extend(files);
            }
        }
        self.line
            .extend_from_slice(chunk.get(..bytes).unwrap_or_default());
        if most < self.line.len() || FILES < self.files.len() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(bytes > 0)
    }
}

/// Sends a line, with files beside its beginning.
pub(in crate::origin) fn send(
    socket: impl AsFd,
    line: &[u8],
    files: &[BorrowedFd<'_>],
    flags: SendFlags,
) -> io::Result<()> {
    if FILES < files.len() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let (mut left, mut files) = (line, files);
    while !left.is_empty() {
        let mut space = [MaybeUninit::uninit(); SPACE];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !files.is_empty() && !control.push(SendAncillaryMessage::ScmRights(files)) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let flags = flags | SendFlags::NOSIGNAL;
        let sent = match sendmsg(socket.as_fd(), &[IoSlice::new(left)], &mut control, flags) {
            Err(rustix::io::Errno::INTR) => continue,
            sent => sent?,
        };
        files = &[];
        left = left.get(sent..).unwrap_or_default();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{fs::File, io::Read as _, os::unix::net::UnixStream};

    use super::*;

    #[test]
    fn a_line_comes_with_its_files() {
        let (one, other) = UnixStream::pair().unwrap();
        let file = File::open("/proc/self/cmdline").unwrap();
        let line = [vec![b'x'; 3 * CHUNK], vec![b'\n']].concat();
        send(&one, &line, &[file.as_fd()], SendFlags::empty()).unwrap();
        let mut message = Message::default();
        while !message.is_whole() {
            assert!(
                message
                    .receive(&other, RecvFlags::empty(), 1 << 20)
                    .unwrap()
            );
        }
        assert_eq!((message.line, message.files.len()), (line, 1));
        let mut file = File::from(message.files.remove(0));
        assert!(0 < file.read(&mut [0; 9]).unwrap());
        drop(one);
        let mut message = Message::default();
        assert!(!message.receive(&other, RecvFlags::empty(), 1).unwrap());
    }

    #[test]
    fn lines_and_files_are_bounded() {
        let (one, other) = UnixStream::pair().unwrap();
        let file = File::open("/proc/self/cmdline").unwrap();
        send(&one, b"xxx", &[], SendFlags::empty()).unwrap();
        let mut message = Message::default();
        assert!(message.receive(&other, RecvFlags::empty(), 2).is_err());
        let mut message = Message::default();
        for _ in 0..FILES {
            send(&one, b"x", &[file.as_fd()], SendFlags::empty()).unwrap();
            message.receive(&other, RecvFlags::empty(), 9).unwrap();
        }
        send(&one, b"x", &[file.as_fd()], SendFlags::empty()).unwrap();
        assert!(message.receive(&other, RecvFlags::empty(), 9).is_err());
        let too_many = [file.as_fd(); FILES + 1];
        assert!(send(&one, b"x", &too_many, SendFlags::empty()).is_err());
    }
}
