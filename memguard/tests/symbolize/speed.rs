//! How long naming takes: a measurement, which runs only when it is asked for.
//!
//! ```sh
//! cargo build --release -p memguard
//! MEMGUARD_BIN=target/release/memguard \
//!     cargo test -p memguard --test symbolize speed -- --ignored --nocapture
//! ```

use std::time::{Duration, Instant};

use crate::{files::Program, module, stack, symbolizer, this_process};

/// Rounds that are measured; the median counts.
const ROUNDS: usize = 15;

#[test]
#[ignore = "a measurement"]
fn speed() {
    let program = Program::compile(&["-g"]);
    let module = module(&program.path, program.build_id());
    let (start, end) = (program.address("_init"), program.end("main"));
    let (mut first, mut rest) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let mut symbolizer = symbolizer();
        let began = Instant::now();
        symbolizer.name(&stack(&module, start), this_process());
        first.push(began.elapsed());
        let began = Instant::now();
        for address in start + 1..end {
            symbolizer.name(&stack(&module, address), this_process());
        }
        rest.push(began.elapsed());
        assert_eq!(symbolizer.counts().children_lost, 0);
    }
    let one = median(rest) / (end - start - 1) as u32;
    let first = median(first);
    println!("first name after {first:?}, then {one:?} for a name that is asked for alone");
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
