//! Real servers under a steady load, one for each common runtime: none of them leaks, and none is
//! said to. They run side by side under one `memguard watch`; what is not installed says so.
#![cfg(test)] // so that clippy.toml's allowances for tests reach the helpers too

use std::time::Duration;

use memguard_tests::{Memguard, Servers, finding::listed, machine, servers::ALL};
use rustix::process::Signal;

/// How long there is a load, and what is called a minute.
struct Times {
    seconds: &'static str,
    options: &'static [&'static str],
}

/// Ten seconds, a minute scaled to one second. Heaps are not asked for: in two seconds of warm-up
/// no collector has collected for the first time, and `heaps` looks at them for longer.
#[test]
fn s81_steady_servers() {
    steady(&Times {
        seconds: "12",
        options: &[
            "--warm-up",
            "2s",
            "--min-age",
            "1s",
            "-i",
            "250ms",
            "--kinds",
            "fd,socket,mmap",
        ],
    });
}

/// Ten minutes, at the times that memguard has of itself.
#[test]
#[ignore = "takes ten minutes"]
fn s81_steady_servers_long() {
    steady(&Times {
        seconds: "600",
        options: &["--warm-up", "60s", "--min-age", "60s", "-i", "5s"],
    });
}

fn steady(times: &Times) {
    let Some(_alone) = machine::ready() else {
        return;
    };
    if !machine::has("wrk") {
        return;
    }
    let mut servers = Servers::start(&ALL);
    let pids = servers.pids();
    let options: Vec<&str> = ["-p", &pids, "-d", "1h"]
        .iter()
        .chain(times.options)
        .copied()
        .collect();
    let mut watch = Memguard::watch(&options).start();
    watch.wait_for(Duration::from_secs(10), "attached", |lines| {
        !lines.events("memguard.agent.started").is_empty()
    });

    servers.load(times.seconds);
    let patience = Duration::from_secs(times.seconds.parse::<u64>().unwrap() + 60);
    servers.loads_end_within(patience);
    watch.signal(Signal::INT);
    let lines = watch.finish_within(Duration::from_secs(20)).lines();

    let mut findings = lines.finding_lines();
    println!("{} finding lines", findings.len());
    findings.retain(|finding| finding.verdict() == "leak" || finding.warns());
    println!(
        "{} of them alarming; the servers: {:?}",
        findings.len(),
        servers.names()
    );
    assert!(servers.names().len() >= 2, "hardly a server is installed");
    assert!(findings.is_empty(), "{}", listed(&findings));
}
