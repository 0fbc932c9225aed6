//! What stands below the options in the help of each command.

/// What is shown without arguments.
pub const FIRST_RUN: &str = "\
memguard catches resource leaks in running programs: descriptors and sockets
that are never closed. It watches system calls with eBPF, pairs what is acquired
with what is released, and reports what remains.

  sudo memguard doctor                check whether it works on this host
  sudo memguard watch -p PID          watch a running process
  sudo memguard run -- COMMAND        run a command and check it when it exits

Run `memguard help` for all commands.
";

pub(super) const WATCH_EXAMPLES: &str = "\
Examples:
  memguard watch -p 4242                      a process and its descendants
  memguard watch -a -d 10m                    the whole host for ten minutes
  memguard watch --comm nginx -o nginx.jsonl  by name; findings as JSON lines
  memguard watch -p 4242 --format jsonl | jq .body
  memguard watch -p 4242 -d 5m --fail-on leak,exhaustion
                                              exit with 1 if anything leaks, or
                                              a limit is nearly reached

Exit codes: 0 success, 1 findings that match --fail-on, 2 usage error, 3 not
possible on this host, 4 events were lost (--strict)";

pub(super) const RUN_EXAMPLES: &str = "\
Examples:
  memguard run -- ./server --selftest          findings on stderr
  memguard run -o leaks.jsonl -- make test     findings as JSON lines
  memguard run --fail-on left -- ./test        exit with 23 if any descriptor is
                                               still open at exit
  memguard run --fail-on left:16 -- ./test     the same for 16 or more
  memguard run --fail-on left --baseline old.jsonl -- ./test
                                               the same for any that is not in
                                               old.jsonl

Exit codes: the command's own; 23 if it succeeded and a finding matches
--fail-on; 125 if memguard failed before the command started; 126 if it cannot
be executed; 127 if it was not found; 128+n if signal n killed it; 4 if events
were lost (--strict)";

pub(super) const DOCTOR_EXAMPLES: &str = "\
Examples:
  memguard doctor                  one line for each requirement, with the fix
  memguard doctor --json | jq .ok
  memguard doctor --default-suppressions > mine.supp

Exit codes: 0 if memguard works on this host, 3 if it does not";

pub(super) const DEMO_EXAMPLES: &str = "\
Examples:
  memguard demo                    takes twelve seconds; needs nothing else";

pub(super) const REPORT_EXAMPLES: &str = "\
Examples:
  memguard report leaks.jsonl                  show what was found
  memguard report --fail-on leak leaks.jsonl   exit with 1 if anything leaked
  memguard report --format folded leaks.jsonl | flamegraph.pl > leaks.svg
  memguard report --suppressions known.supp --show-suppressed leaks.jsonl
  ssh HOST memguard watch -p 4242 -d 5m --format jsonl | memguard report -

A suppression file has one rule per line. All conditions of a rule must match;
* and ? are wildcards:
  # known, and will not be fixed
  leak  function=connect_upstream kind=tcp
  aged  command=bash path=/tmp/*
  left  kind=epoll call=epoll_create1 max=1
  any   module=liboldcrypto.so.*

Exit codes: 0 success, 1 findings that match --fail-on, 2 usage error or
unreadable file";

pub(super) const DIFF_EXAMPLES: &str = "\
Examples:
  memguard diff before.jsonl after.jsonl        show what changed; exit with 1
                                                if anything is new
  memguard diff --fail-on grew old.jsonl new.jsonl
  memguard diff --format jsonl old.jsonl new.jsonl | jq .memguard.difference

Exit codes: 0 success, 1 differences that match --fail-on, 2 usage error or
unreadable file";
