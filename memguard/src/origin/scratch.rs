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

#[test]
#[ignore = "scratch"]
fn dead() {
    use super::*;
    use crate::model::ids::{Stamp, TableId};
    let mut sideband = crate::source::kernel::sideband::Sideband::open().unwrap();
    let symbolizer = Symbolizer::with_command("/proc", std::process::Command::new("/bin/false"));
    let mut origins = Origins::with_symbolizer(
        Box::new(move |take| sideband.drain(take)),
        "/proc".into(),
        symbolizer,
    )
    .unwrap();
    for program in ["a_dyn", "a_static", "ctx", "g_plain"] {
        let mut child = std::process::Command::new(format!("/tmp/mgcorpus/{program}"))
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(1500));
        let pid = child.id();
        let process = Procfs::new("/proc").identity(pid).unwrap();
        let window = attach(pid as i32).unwrap();
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let stamp = Stamp(now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64);
        child.kill().unwrap();
        child.wait().unwrap();
        let start = std::time::Instant::now();
        let handle = HandleId {
            table: TableId(1),
            fd: 1,
            stamp,
        };
        assert!(origins.unwind(Work {
            handle,
            process,
            stamp,
            window: window.clone()
        }));
        let answer = loop {
            if let Some(answer) = origins.try_next() {
                break answer;
            }
        };
        let first = start.elapsed();
        let start = std::time::Instant::now();
        assert!(origins.unwind(Work {
            handle,
            process,
            stamp,
            window
        }));
        let _again = loop {
            if let Some(answer) = origins.try_next() {
                break answer;
            }
        };
        println!("{program} first {first:?} then {:?}", start.elapsed());
        let Answer::Unwound { stack, .. } = answer else {
            panic!()
        };
        origins.name(1, vec![stack], process);
        let answer = loop {
            if let Some(answer) = origins.try_next() {
                break answer;
            }
        };
        let Answer::Named { stacks, .. } = answer else {
            panic!()
        };
        println!(
            "{:?} {} frames, {:?}",
            stacks[0].incomplete,
            stacks[0].frames.len(),
            stacks[0].frames.last().map(|f| f.module.clone())
        );
    }
    println!("{:?}", origins.counts());
}
