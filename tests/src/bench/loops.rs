//! What a process notices: loops of calls under memguard and under its peers, as a ratio to the
//! same loops alone in the same round.

use std::collections::BTreeMap;

use super::{
    Options, Row,
    looper::{Loop, Took},
    peers::Peer,
};

const ROUNDS: usize = 10;
const PAIRS: u64 = 20_000;

/// The call, and by how many threads.
const PAIRED: [(&str, &str, u32); 6] = [
    ("open+close", "open", 1),
    ("open+close, two threads", "open", 2),
    ("socket+close", "socket", 1),
    ("mmap+munmap", "mmap", 1),
    ("dup+close", "dup", 1),
    ("malloc+free", "malloc", 1),
];

const PEERS: [Peer; 6] = [
    Peer::Memguard,
    Peer::NoWindow,
    Peer::Strace,
    Peer::Valgrind,
    Peer::Bpftrace,
    Peer::Heaptrack,
];

/// Which loops say something about a peer: it looks at these.
fn concerns(peer: Peer, what: &str) -> bool {
    match peer {
        Peer::Bpftrace => what == "open",
        Peer::Heaptrack => what == "malloc",
        Peer::Strace | Peer::Valgrind => what != "malloc",
        Peer::Bare | Peer::Memguard | Peer::NoWindow => true,
    }
}

/// Nanoseconds by loop, round after round; `None` of a peer that cannot run, with its reason.
type Times = BTreeMap<&'static str, Vec<Took>>;

/// The section `loops`.
pub(super) fn measure(options: &Options) -> Vec<Row> {
    let mut bare = Times::new();
    let mut all: Vec<(Peer, Result<Times, String>)> = Vec::new();
    all.extend(PEERS.map(|peer| (peer, Ok(Times::new()))));
    for _ in 0..options.rounds(ROUNDS) {
        if let Err(why) = round(options, Peer::Bare, &mut bare) {
            panic!("the loops do not run: {why}");
        }
        for (peer, times) in &mut all {
            let went = times.as_mut().map(|times| round(options, *peer, times));
            if let Ok(Err(why)) = went {
                *times = Err(why);
            }
        }
    }
    let rows = all.iter().flat_map(|(peer, times)| match times {
        Ok(times) => ratios(*peer, times, &bare),
        Err(why) => vec![Row::missing(peer.name(), why)],
    });
    rows.collect()
}

fn round(options: &Options, peer: Peer, times: &mut Times) -> Result<(), String> {
    let mut traced = peer.start()?;
    let wanted = PAIRED
        .into_iter()
        .filter(|(_, what, _)| concerns(peer, what));
    for (name, what, threads) in wanted {
        let usual = if what == "malloc" { 10 * PAIRS } else { PAIRS };
        let pairs = Loop::new(what, peer.count(options.count(usual))).by(threads);
        times.entry(name).or_default().push(traced.run(pairs));
    }
    traced.end();
    Ok(())
}

fn ratios(peer: Peer, times: &Times, bare: &Times) -> Vec<Row> {
    let ratio = |name: &str, clock: &str, of: fn(&Took) -> f64| {
        let both = times[name].iter().zip(&bare[name]);
        let ratios: Vec<f64> = both.map(|(traced, bare)| of(traced) / of(bare)).collect();
        let row = Row::new(format!("{name}{clock}: {}", peer.name()), "× bare", &ratios);
        let row = row.against(1.0);
        match (peer, name) {
            (Peer::Memguard, "open+close") => row.at_most(1.5),
            _ => row,
        }
    };
    let mut rows = Vec::new();
    for name in times.keys() {
        rows.push(ratio(name, "", |took| took.wall));
        // What it does, it does in the process itself; others on the machine do not count here.
        if peer == Peer::Memguard {
            rows.push(ratio(name, ", CPU time", |took| took.cpu));
        }
    }
    rows
}
