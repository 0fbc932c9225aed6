//! Workloads whose paces and lives are in seconds: those that memguard's default options are judged
//! by. The number is how many seconds they have worked when memguard comes.

/// Name, what it shows, and its age when memguard attaches.
pub(super) type Aged = (&'static str, &'static str, u64);

pub(super) const COLLECTORS: [Aged; 20] = [
    ("sockets_5", "sockets closed in bulk every 5 s", 0),
    ("files_5", "files closed in bulk every 5 s", 20),
    ("sockets_10", "sockets closed in bulk every 10 s", 120),
    ("files_10", "files closed in bulk every 10 s", 0),
    ("sockets_20", "sockets closed in bulk every 20 s", 20),
    ("files_20", "files closed in bulk every 20 s", 0),
    ("connections_40", "connections closed in bulk every 40 s", 0),
    ("files_40", "files closed in bulk every 40 s", 120),
    ("sockets_60", "sockets closed in bulk every 60 s", 0),
    ("files_60", "files closed in bulk every 60 s", 20),
    ("sockets_65", "sockets closed in bulk every 65 s", 0),
    ("files_65", "files closed in bulk every 65 s", 120),
    ("sockets_180", "sockets closed in bulk every 180 s", 20),
    ("files_180", "files closed in bulk every 180 s", 120),
    (
        "lengthening_sockets",
        "sockets: after 2, 65, 65, 65, 180, 65 s",
        120,
    ),
    (
        "lengthening_files",
        "files: after 2, 65, 65, 65, 180, 65 s",
        120,
    ),
    (
        "uneven_sockets",
        "sockets: after 10, 10, 10, 10, 40, 12 s",
        0,
    ),
    ("uneven_files", "files: after 10, 10, 10, 10, 40, 12 s", 20),
    (
        "generations_of_sockets",
        "9 of 10 closed at once, others every 45 s",
        0,
    ),
    ("generations_of_files", "the same with files", 20),
];

pub(super) const HEALTHY: [Aged; 17] = [
    (
        "cache_distinct",
        "an LRU cache of 300 files, full after 60 s",
        0,
    ),
    ("cache_idle_20", "files closed when idle for 20 s", 20),
    (
        "connections_idle_45",
        "connections closed when idle for 45 s",
        0,
    ),
    ("cache_idle_75", "files closed when idle for 75 s", 0),
    ("batch_job", "50 files at once, 20 s of work, all closed", 0),
    (
        "batch_job_long",
        "50 files in 25 s, 45 s of work, all closed",
        20,
    ),
    (
        "pool_refills",
        "a pool fills for 80 s, is emptied, refills",
        0,
    ),
    (
        "pool_fills_slowly",
        "a pool fills for 60 s and is renewed",
        0,
    ),
    ("storm", "200 connections at once, gone after 5 to 90 s", 20),
    ("long_clients", "clients that stay for minutes", 120),
    ("uploads", "files open for 10 to 40 s", 0),
    ("watchers", "an inotify for each task", 0),
    (
        "day_and_night",
        "from 10 to 70 connections within a minute",
        0,
    ),
    ("configuration", "20 files, opened anew every 30 s", 20),
    ("rotation_7", "a new log every 20 s, six old ones kept", 0),
    ("starts_slowly", "a server that takes a minute to start", 20),
    (
        "keep_alive_75",
        "most connections brief, one in ten for 75 s",
        0,
    ),
];

pub(super) const SCRIPTS: [Aged; 2] = [
    (
        "collected_sockets",
        "Python: sockets that gc closes, unevenly",
        0,
    ),
    ("idle_ramp", "Python: loads a few MiB, and idles", 0),
];

pub(super) const NODE: [Aged; 1] = [("idle_ramp", "node: loads a few MiB, and idles", 0)];

pub(super) const LEAKING: [Aged; 20] = [
    ("some_files", "1 in 5 of a file that is closed in ms", 0),
    ("some_distinct_files", "1 in 5, each file another", 20),
    (
        "some_connections",
        "1 in 5 connections, others closed in ms",
        0,
    ),
    ("some_clients", "1 in 5 accepted, others closed in ms", 120),
    ("some_unix", "1 in 5 unix sockets", 20),
    ("some_pipes", "1 in 5 pipes, both ends", 0),
    ("some_eventfds", "1 in 5 eventfds", 120),
    ("some_timerfds", "1 in 5 timerfds", 20),
    ("some_epolls", "1 in 5 epolls", 0),
    ("some_memfds", "1 in 5 memfds", 20),
    ("some_copies", "1 in 5 copies", 120),
    ("some_pages", "1 in 5 mappings", 0),
    ("some_in_threads", "1 in 5, in four threads", 0),
    ("some_among_slow", "1 in 5, the others live for 5 s", 0),
    (
        "some_beside_collector",
        "1 in 5, beside a collector of sockets",
        0,
    ),
    ("nothing_else", "10 a second, nothing is ever closed", 20),
    ("limit_1024", "3 a second, the limit is 1024", 20),
    (
        "limit_1024_some",
        "1 in 5 of 15 a second, the limit is 1024",
        20,
    ),
    ("limit_256", "3 in 4 seconds, the limit is 256", 0),
    ("full_1024", "10 a second until all 1024 are in use", 20),
];

pub(super) const LEAKING_SCRIPTS: [Aged; 2] = [
    (
        "request_files",
        "Python: 1 in 5 requests of a web server",
        20,
    ),
    ("fast_files", "Python: 10 a second, nothing else", 20),
];

pub(super) const LEAKING_NODE: [Aged; 1] =
    [("some_files", "node: 1 in 5 files, others closed in ms", 0)];
