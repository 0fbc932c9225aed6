use std::{fs::File, os::unix::fs::FileExt as _};

use crate::{model::origin::Window, source::procfs::Procfs};

fn attach(tid: i32) -> Option<Window> {
    unsafe {
        if libc::ptrace(libc::PTRACE_ATTACH, tid, 0, 0) != 0 {
            return None;
        }
        let mut status = 0;
        libc::waitpid(tid, &mut status, libc::__WALL);
        let mut regs: libc::user_regs_struct = std::mem::zeroed();
        libc::ptrace(libc::PTRACE_GETREGS, tid, 0, &mut regs);
        let bytes: usize = std::env::var("BYTES")
            .ok()
            .and_then(|v| v.parse().ok())
            .unwrap_or(16384);
        let mut stack = vec![0; bytes];
        let count = File::open(format!("/proc/{tid}/mem"))
            .unwrap()
            .read_at(&mut stack, regs.rsp)
            .unwrap();
        stack.truncate(count);
        libc::ptrace(libc::PTRACE_DETACH, tid, 0, 0);
        Some(Window {
            ip: regs.rip,
            sp: regs.rsp,
            bp: regs.rbp,
            cut: count == bytes,
            stack: stack.into(),
        })
    }
}

#[test]
#[ignore = "scratch"]
fn other() {
    let pid: u32 = std::env::var("PID").unwrap().parse().unwrap();
    let layout = super::layout::Layout::of(Procfs::new("/proc").mappings(pid).unwrap());
    let mut unwinder = super::testing::unwinder();
    for entry in std::fs::read_dir(format!("/proc/{pid}/task")).unwrap() {
        let tid: i32 = entry
            .unwrap()
            .file_name()
            .to_str()
            .unwrap()
            .parse()
            .unwrap();
        let Some(window) = attach(tid) else {
            println!("{tid}: no");
            continue;
        };
        let unwound = unwinder.unwind(&window, &layout, &[pid]);
        println!("== {tid}: {:?}", unwound.incomplete);
        for frame in &unwound.frames {
            let path = frame.module.as_ref().map_or("?", |m| &m.path);
            let at = frame.offset - u64::from(frame.is_return);
            let out = frame.module.as_ref().and_then(|_| {
                std::process::Command::new("addr2line")
                    .args([
                        "-f",
                        "-C",
                        "-e",
                        &format!("/proc/{pid}/root{path}"),
                        &format!("{at:x}"),
                    ])
                    .output()
                    .ok()
            });
            let out = out
                .map(|o| String::from_utf8_lossy(&o.stdout).replace('\n', " "))
                .unwrap_or_default();
            println!("  {:#x} {path}+{:#x} {out}", frame.ip, frame.offset);
        }
    }
}
