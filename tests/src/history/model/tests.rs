//! The model itself: numbers as the kernel gives them, and whose a handle is.

use super::{
    super::script::{Gives, Operation},
    World,
};

fn left(operations: &[(usize, Operation)]) -> Vec<(usize, String)> {
    let mut world = World::new();
    for (actor, operation) in operations {
        world.perform(*actor, *operation);
    }
    let mut all = Vec::new();
    for (process, left) in &world.left {
        for ((verdict, kind, call), count) in left {
            all.push((*process, format!("{verdict} {kind} {count} {call}")));
        }
    }
    all
}

/// The lowest number is handed out, and given back by close.
#[test]
fn numbers_are_those_of_the_kernel() {
    let mut world = World::new();
    assert_eq!(world.perform(0, Operation::OpenFile), Gives::One(3));
    assert_eq!(world.perform(0, Operation::OpenPipe), Gives::Two(4, 5));
    assert_eq!(world.perform(0, Operation::Close(4)), Gives::One(0));
    assert_eq!(world.perform(0, Operation::Close(4)), Gives::One(-1));
    assert_eq!(world.perform(0, Operation::Dup(3)), Gives::One(4));
    assert_eq!(world.perform(0, Operation::Dup2(3, 9)), Gives::One(9));
    assert_eq!(world.open(0), [3, 4, 5, 9]);
}

/// Copies are not the child's; what came over an exec is told apart; a shared table is left by
/// the last who uses it; what is in a thread's own table counts, whichever of the two ends first,
/// but not for the next program.
#[test]
fn ownership_is_that_of_the_contract() {
    use Operation::{
        Cloexec, EndProcess, EndThread, Exec, Fork, ForkSharing, OpenFile, OpenSocket, Thread,
        Unshare,
    };
    let check = |operations: &[(usize, Operation)], expected: &[(usize, &str)]| {
        let expected: Vec<_> = expected
            .iter()
            .map(|(process, text)| (*process, (*text).to_owned()))
            .collect();
        assert_eq!(left(operations), expected, "{operations:?}");
    };
    check(
        &[
            (0, OpenFile),
            (0, Fork(1)),
            (1, OpenSocket),
            (1, EndProcess),
            (0, EndProcess),
        ],
        &[
            (0, "left fd file 1 openat"),
            (1, "left socket unix 1 socket"),
        ],
    );
    check(
        &[
            (0, OpenFile),
            (0, OpenFile),
            (0, Cloexec(4)),
            (0, Exec),
            (0, OpenSocket),
            (0, EndProcess),
        ],
        &[
            (0, "inherited fd file 1 openat"),
            (0, "left socket unix 1 socket"),
        ],
    );
    check(
        &[
            (0, ForkSharing(1)),
            (1, OpenFile),
            (1, EndProcess),
            (0, EndProcess),
        ],
        &[(0, "left fd file 1 openat")],
    );
    check(
        &[
            (0, Thread(1)),
            (1, Unshare),
            (1, OpenFile),
            (0, OpenSocket),
            (0, EndProcess),
        ],
        &[
            (0, "left fd file 1 openat"),
            (0, "left socket unix 1 socket"),
        ],
    );
    check(
        &[
            (0, Thread(1)),
            (1, Unshare),
            (1, OpenFile),
            (1, EndThread),
            (0, EndProcess),
        ],
        &[(0, "left fd file 1 openat")],
    );
    check(
        &[
            (0, Thread(1)),
            (1, Unshare),
            (1, OpenFile),
            (1, EndThread),
            (0, Exec),
            (0, EndProcess),
        ],
        &[],
    );
}
