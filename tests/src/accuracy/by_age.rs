//! Workloads whose paces and lives are multiples of the minimum age, so that they can be looked at
//! in half a minute.

/// Name and what it shows.
pub(super) type Named = (&'static str, &'static str);

pub(super) const POOLS: [Named; 16] = [
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

pub(super) const FILES: [Named; 12] = [
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

pub(super) const MEMORY: [Named; 10] = [
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

pub(super) const TASKS: [Named; 10] = [
    ("thread_pool", "threads that open files for a while"),
    ("thread_churn", "a thread for each request, joined"),
    ("forks_short", "a child for each client, hardly alive"),
    ("forks_long", "children that outlive an age"),
    ("zombies_in_batches", "children waited for once in an age"),
    ("workers_restarted", "running replaced after two ages"),
    ("timers_deleted", "a timer for each request"),
    ("descriptors_passed", "SCM_RIGHTS to a workload and back"),
    (
        "keep_alive_server",
        "epoll and accept4, clients of any life",
    ),
    ("programs_asked", "popen and pclose"),
];

pub(super) const SCRIPTS: [Named; 3] = [
    ("mixed_service", "Python: files, connections, programs"),
    ("objects_come_and_go", "Python: objects at capacity, cycles"),
    ("asyncio_server", "Python: a server in asyncio"),
];

pub(super) const SERVERS: [Named; 7] = [
    ("nginx", "nginx under load"),
    ("redis", "redis under load"),
    ("postgres", "postgres under load, kept and new connections"),
    ("python", "Python's http.server under load"),
    ("node", "node's http under load"),
    ("java", "Java's HttpServer under load"),
    ("go", "Go's net/http under load"),
];

pub(super) const DESCRIPTORS: [Named; 19] = [
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

pub(super) const LOST_MEMORY: [Named; 10] = [
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

pub(super) const CONNECTIONS: [Named; 5] = [
    ("one_in_fifty", "1 in 50 of one function, others short"),
    ("one_in_twenty_slow", "1 in 20, others live an age"),
    ("error_path", "the error path, 1 in 16 requests"),
    ("leaky_pool", "opens three, closes two"),
    ("refresh_forgets", "a pool that forgets 1 in 3 it replaces"),
];

pub(super) const SHAPES: [Named; 9] = [
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
