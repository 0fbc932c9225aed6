//! The catalogue: every workload, whether it leaks, and what it is there to show. What exactly it
//! loses it says itself.

use std::env;

/// Names of workloads, with commas between: only these, to look at one of them.
const CHOICE: &str = "MEMGUARD_WORKLOADS";

/// One program that works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Source in `tests/programs`, with its ending, or `server` for a real one.
    pub program: &'static str,
    /// The workload's name on its command line, or the server's.
    pub name: &'static str,
    /// Whether memguard is to find something.
    pub leaks: bool,
    /// What it shows.
    pub shows: &'static str,
}

type Named = (&'static str, &'static str);

const POOLS: [Named; 16] = [
    ("steady_pool", "a pool opened at the start and kept"),
    ("pool_refreshed_fast", "a pool replaced long before min-age"),
    ("pool_refreshed_near", "a pool replaced at about min-age"),
    (
        "pool_refreshed_slowly",
        "a pool replaced at 3.5 times min-age",
    ),
    (
        "pool_in_turn",
        "a pool replaced one by one, the oldest first",
    ),
    ("pool_from_before", "the same, full before memguard came"),
    ("pool_resized", "a pool resized once after the warm-up"),
    ("pool_resized_refreshed", "the same with members replaced"),
    ("churn_short", "connections that live for microseconds"),
    ("churn_long", "connections that live for seconds"),
    ("churn_exponential", "clients that stay for any time"),
    ("bursts", "forty connections every two ages"),
    (
        "wave",
        "a load like day and night, the youngest leave first",
    ),
    ("wave_of_lives", "the same, everybody leaves in time"),
    ("clients_fall_silent", "busy, then the last clients stay"),
    ("idle_with_many", "750 descriptors from before, idle"),
];

const FILES: [Named; 12] = [
    ("cache_fills", "a cache of files, full after the warm-up"),
    ("cache_turns_over", "an LRU cache at capacity, all replaced"),
    ("cache_heavy_tailed", "an LRU cache, few stay for ever"),
    ("cache_from_before", "a cache full before memguard came"),
    (
        "cache_fills_late",
        "a cache full two ages after the warm-up",
    ),
    ("files_heavy_tailed", "most files short, some very long"),
    (
        "log_rotation",
        "logs rotated by renaming, two old ones kept",
    ),
    ("batches_short", "100 files, all closed, twice in an age"),
    ("batches_long", "30 files, held for longer than an age"),
    ("file_watcher", "inotify whose watches come and go"),
    ("event_loop", "epoll, timers and events of any life"),
    ("copies_closed_later", "dup and fcntl, closed later"),
];

const MEMORY: [Named; 10] = [
    ("mapped_files", "a cache of mapped files at capacity"),
    ("mapped_files_fill", "the same, full after three ages"),
    ("scratch_buffers", "buffers mapped for as long as a task"),
    ("arenas_stay", "arenas that grow in the warm-up and stay"),
    ("table_loaded", "realloc that ends with the warm-up"),
    ("collector", "a collector: a sawtooth shorter than an age"),
    ("collector_slow", "a collector as slow as the warm-up"),
    ("heap_turnover", "objects of all sizes come and go"),
    ("shared_segment", "shmat and shmdt"),
    ("buffer_resized", "mremap up and down"),
];

const TASKS: [Named; 10] = [
    ("thread_pool", "threads that open files for a while"),
    ("thread_churn", "a thread for each request, joined"),
    ("forks_short", "a child for each client, hardly alive"),
    ("forks_long", "children that outlive an age"),
    ("zombies_in_batches", "children waited for once in an age"),
    ("workers_restarted", "workers replaced after two ages"),
    ("timers_deleted", "a timer for each request"),
    ("descriptors_passed", "SCM_RIGHTS to a worker and back"),
    (
        "keep_alive_server",
        "epoll and accept4, clients of any life",
    ),
    ("programs_asked", "popen and pclose"),
];

const SCRIPTS: [Named; 3] = [
    ("mixed_service", "Python: files, connections, programs"),
    ("objects_come_and_go", "Python: objects at capacity, cycles"),
    ("asyncio_server", "Python: a server in asyncio"),
];

const SERVERS: [Named; 5] = [
    ("nginx", "nginx under load"),
    ("redis", "redis under load"),
    ("postgres", "postgres under load, kept and new connections"),
    ("python", "Python's http.server under load"),
    ("node", "node's http under load"),
];

const DESCRIPTORS: [Named; 19] = [
    ("files", "files"),
    ("directories", "directories"),
    ("pipes", "both ends of pipes"),
    ("tcp_clients", "TCP clients, the server hangs up"),
    ("tcp_server", "CLOSE_WAIT after accept"),
    ("tcp_server_4", "CLOSE_WAIT after accept4"),
    ("udp_sockets", "UDP sockets"),
    ("unix_sockets", "unix sockets"),
    ("netlink_sockets", "netlink sockets"),
    ("socket_pairs", "socketpair"),
    ("epolls", "epoll"),
    ("eventfds", "eventfd"),
    ("timerfds", "timerfd"),
    ("signalfds", "signalfd"),
    ("inotifies", "inotify"),
    ("memfds", "memfd"),
    ("pidfds", "pidfd"),
    ("copies", "dup"),
    ("received", "SCM_RIGHTS, received and forgotten"),
];

const LOST_MEMORY: [Named; 10] = [
    ("pages", "anonymous mappings"),
    ("views", "mappings of a file"),
    ("attachments", "shmat of one segment, again and again"),
    ("objects", "malloc of small objects among others"),
    ("vector_grows", "realloc of one vector for ever"),
    ("memory_file_grows", "a memfd that is written for ever"),
    ("threads_endless", "threads that never end"),
    ("threads_unjoined", "threads never joined"),
    ("zombies", "children never waited for"),
    ("timers", "POSIX timers never deleted"),
];

const CONNECTIONS: [Named; 5] = [
    ("one_in_fifty", "1 in 50 of one function, others short"),
    ("one_in_twenty_slow", "1 in 20, others live an age"),
    ("error_path", "the error path, 1 in 16 requests"),
    ("leaky_pool", "opens three, closes two"),
    ("refresh_forgets", "a pool that forgets 1 in 3 it replaces"),
];

const SHAPES: [Named; 9] = [
    ("fast", "sixty in an age"),
    ("slow", "one in an age"),
    ("in_bursts", "ten every one and a half ages"),
    ("two_sites", "one of two sites of one process"),
    ("forked_child", "a child forked after memguard came"),
    ("in_thread", "one of two threads"),
    ("after_exec", "after an exec under memguard's eyes"),
    ("begins_late", "nothing for half the time"),
    ("two_callers", "one of two callers of a library function"),
];

/// Those that the environment names in `MEMGUARD_WORKLOADS`, else all.
pub fn chosen() -> Vec<Workload> {
    let Ok(choice) = env::var(CHOICE) else {
        return all();
    };
    let mut chosen = all();
    chosen.retain(|workload| choice.split(',').any(|name| name == workload.name));
    println!("{CHOICE}: {} of the workloads", chosen.len());
    chosen
}

/// Whether all are at work.
pub fn is_complete() -> bool {
    env::var_os(CHOICE).is_none()
}

/// All of them, the healthy ones first.
pub fn all() -> Vec<Workload> {
    let mut all = Vec::new();
    let mut add = |program, leaks, named: &[Named]| {
        all.extend(named.iter().map(|(name, shows)| Workload {
            program,
            name,
            leaks,
            shows,
        }));
    };
    add("work_pools.c", false, &POOLS);
    add("work_files.c", false, &FILES);
    add("work_memory.c", false, &MEMORY);
    add("work_tasks.c", false, &TASKS);
    add(
        "work_exceptions.cc",
        false,
        &[("unwound", "C++: exceptions, closed on every way")],
    );
    add("work.py", false, &SCRIPTS);
    add(
        "work.js",
        false,
        &[("service", "node: a server, clients, files")],
    );
    add("server", false, &SERVERS);
    add("forget_descriptors.c", true, &DESCRIPTORS);
    add("forget_memory.c", true, &LOST_MEMORY);
    add("forget_shapes.c", true, &SHAPES);
    add("forget_connections.c", true, &CONNECTIONS);
    add(
        "work_exceptions.cc",
        true,
        &[("thrown", "C++: what an exception jumps over")],
    );
    add(
        "work.py",
        true,
        &[
            ("files_kept", "Python: open files in a list"),
            ("sockets_kept", "Python: sockets in a list"),
        ],
    );
    add(
        "work.js",
        true,
        &[("files_kept", "node: descriptors in an array")],
    );
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::all;

    /// At least 32 of each, and none twice.
    #[test]
    fn there_are_enough_of_both() {
        let all = all();
        let leaking = all.iter().filter(|workload| workload.leaks).count();
        println!("{leaking} leaking, {} healthy", all.len() - leaking);
        assert!(leaking >= 32 && all.len() - leaking >= 32);
        let names = all.iter().map(|workload| (workload.program, workload.name));
        assert_eq!(names.collect::<BTreeSet<_>>().len(), all.len());
    }
}
