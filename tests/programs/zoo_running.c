/*
 * zoo_running SCENARIO [SECONDS]
 *
 * Scenarios of descriptors, watched while they run for SECONDS (default 8). See zoo_watched.h for how
 * they run, and zoo.h for what is printed.
 */
#include "zoo_watched.h"

#include <linux/io_uring.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

static void leaks(const char *what, int count, const char *calls)
{
	expect(getpid(), "leak", what, count, calls);
	claimed += count;
}

static void leak_one(void)
{
	file();
}

/* Leaks one every 10 ms. */
static void s01_simple_leak(void)
{
	ready();
	leaks("fd file", keep_doing(0.01, leak_one), "openat");
}

/* Leaks nothing: 500 at the start, and nothing after. */
static void s03_plateau(void)
{
	ready();
	REPEAT(500)
		file();
	claimed += 500;
	pause_for(duration());
}

static void balanced_thousand(void)
{
	REPEAT(1000)
		shut(file());
	file();
}

/* Leaks one of a thousand. */
static void s04_slow_leak(void)
{
	ready();
	leaks("fd file", keep_doing(0.1, balanced_thousand), "openat");
}

enum { POPULATION = 30 };

static int population[POPULATION], oldest;

static void replace_the_oldest(void)
{
	shut(population[oldest]);
	population[oldest] = file();
	oldest = (oldest + 1) % POPULATION;
}

/* Leaks nothing: each is held for a second and a half, thirty at any time. */
static void s05_late_close(void)
{
	ready();
	REPEAT(POPULATION) {
		population[turn] = file();
		pause_for(0.05);
	}
	keep_doing(0.05, replace_the_oldest);
	claimed += POPULATION;
}

static struct sockaddr_in here;
static int listening;
static atomic_int accepted;

static void connect_once(void)
{
	shut(connected_to(&here));
}

static void *accept_for_ever(void *unused)
{
	(void)unused;
	for (;;) {
		checked(accept(listening, NULL, NULL), "accept");
		accepted++;
	}
	return NULL;
}

/* Leaks what it accepts; the first accept is blocked when memguard comes. */
static void s27_accept_before_attach(void)
{
	pthread_t thread;

	listening = listener(&here);
	claimed++;
	if (pthread_create(&thread, NULL, accept_for_ever, NULL) != 0)
		errx(99, "pthread_create");
	pause_for(0.2);
	ready();
	int connections = keep_doing(0.05, connect_once);
	while (accepted < connections)
		pause_for(0.01);
	leaks("socket tcp", connections, "accept");
}

static int next_preexisting;

static void close_next_preexisting(void)
{
	if (next_preexisting < 100)
		shut(3 + next_preexisting++);
}

/* Leaks nothing: what was open before is closed one by one. */
static void s28_preexisting(void)
{
	REPEAT(100)
		file();
	ready();
	keep_doing(0.05, close_next_preexisting);
	while (next_preexisting < 100)
		close_next_preexisting();
}

static void open_and_close_range(void)
{
	int first = file();

	REPEAT(49)
		file();
	checked(close_range((unsigned)first, ~0u, 0), "close_range");
}

/* Leaks nothing: 50 at a time, closed by one call. */
static void s29_close_range(void)
{
	ready();
	keep_doing(0.1, open_and_close_range);
}

static void *leak_as_worker(void *unused)
{
	(void)unused;
	ready();
	leaks("fd file", keep_doing(0.02, leak_one), "openat");
	keep_word("worker");
	dprintf(1, "done\n");
	await_line();
	exit(0);
}

/* Leaks from a worker; the first thread is gone, and /proc/PID/fd is empty. */
static void s36_leader_gone(void)
{
	pthread_t worker;

	if (pthread_create(&worker, NULL, leak_as_worker, NULL) != 0)
		errx(99, "pthread_create");
	pthread_exit(NULL);
}

static pthread_barrier_t meeting;

static void *leak_in_own_table(void *unused)
{
	(void)unused;
	checked(unshare(CLONE_FILES), "unshare");
	expect(getpid(), "leak", "fd file", keep_doing(0.02, leak_one), "openat");
	pthread_barrier_wait(&meeting);
	/* Its table ends with it, and is to be looked at. */
	pause();
	return NULL;
}

static void open_and_close_ten(void)
{
	REPEAT(10)
		file();
	for (int number = 3; number < 13; number++)
		shut(number);
}

/* Leaks from a thread with a table of its own; the first thread closes the same numbers in its own. */
static void s37_thread_unshares(void)
{
	pthread_t thread;

	ready();
	pthread_barrier_init(&meeting, NULL, 2);
	if (pthread_create(&thread, NULL, leak_in_own_table, NULL) != 0)
		errx(99, "pthread_create");
	keep_doing(0.02, open_and_close_ten);
	pthread_barrier_wait(&meeting);
}

/* A ring of one entry, enough to close by. */
static struct {
	int descriptor;
	struct io_uring_params sizes;
	char *queues;
	struct io_uring_sqe *request;
} ring;

static void set_up_ring(void)
{
	int protection = PROT_READ | PROT_WRITE;
	long made = syscall(SYS_io_uring_setup, 1, &ring.sizes);

	if (made < 0)
		skip("this kernel has no io_uring, or does not allow it");
	ring.descriptor = (int)made;
	ring.queues = mmap(NULL, 4096, protection, MAP_SHARED, ring.descriptor, IORING_OFF_SQ_RING);
	ring.request = mmap(NULL, 4096, protection, MAP_SHARED, ring.descriptor, IORING_OFF_SQES);
	if (ring.queues == MAP_FAILED || ring.request == MAP_FAILED)
		err(99, "mmap of the ring");
	claimed++;
}

static atomic_uint *ring_word(unsigned int offset)
{
	return (atomic_uint *)(ring.queues + offset);
}

/* One request, from its submission to its result. */
static int by_ring(struct io_uring_sqe request)
{
	*ring.request = request;
	atomic_fetch_add(ring_word(ring.sizes.sq_off.tail), 1);
	checked(syscall(SYS_io_uring_enter, ring.descriptor, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0), "io_uring_enter");
	unsigned int head = atomic_fetch_add(ring_word(ring.sizes.cq_off.head), 1);
	struct io_uring_cqe *results = (struct io_uring_cqe *)(ring.queues + ring.sizes.cq_off.cqes);
	return checked(results[head % ring.sizes.cq_entries].res, "io_uring request");
}

static void ring_leak(void)
{
	by_ring((struct io_uring_sqe){ .opcode = IORING_OP_OPENAT, .fd = AT_FDCWD,
				       .addr = (unsigned long)"/proc/self/exe" });
}

/* Leaks one every 20 ms, opened by io_uring. */
static void s42_ring_leak(void)
{
	set_up_ring();
	ready();
	leaks("fd file", keep_doing(0.02, ring_leak), "io_uring");
}

static void open_here_close_by_ring(void)
{
	by_ring((struct io_uring_sqe){ .opcode = IORING_OP_CLOSE, .fd = file() });
}

/* Leaks nothing: opened by system calls, closed by io_uring, of which no system call tells. */
static void s44_ring_close(void)
{
	set_up_ring();
	ready();
	keep_doing(0.02, open_here_close_by_ring);
}

#ifdef __x86_64__
/* open(2) of the 32-bit interface, which takes its path from the lower 4 GiB. */
static long open_32(const char *path)
{
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(5), "b"(path), "c"(O_RDONLY), "d"(0)
			 : "memory", "r8", "r9", "r10", "r11");
	return result;
}
#else
static long open_32(const char *path)
{
	(void)path;
	return -ENOSYS;
}
#endif

static char *low_path;

static void leak_32(void)
{
	long result = open_32(low_path);

	if (result < 0)
		errx(99, "open of the 32-bit interface: %s", strerror((int)-result));
}

static void set_up_compat(void)
{
	low_path = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (low_path == MAP_FAILED)
		err(99, "mmap");
	strcpy(low_path, "/proc/self/exe");
	if (open_32(low_path) == -ENOSYS)
		skip("this kernel has no 32-bit interface");
	shut(3);
}

/* Leaks one every 20 ms by system calls of the 32-bit interface, which have no tracepoints. */
static void s76_compat(void)
{
	set_up_compat();
	ready();
	leaks("fd file", keep_doing(0.02, leak_32), "unknown");
}

/* The same under numbers that were open before memguard came, and were closed by one call. */
static void s76_compat_reuse(void)
{
	set_up_compat();
	REPEAT(50)
		file();
	ready();
	checked(close_range(3, 52, 0), "close_range");
	leaks("fd file", keep_doing(0.02, leak_32), "unknown");
}

static int at_the_limit;

static void leak_to_the_limit(void)
{
	int result = open("/proc/self/exe", O_RDONLY);

	if (result < 0 && errno != EMFILE)
		err(99, "open");
	at_the_limit += result < 0;
}

/* Leaks until the limit of 256 is reached, after which opening fails. */
static void s80_emfile(void)
{
	allow_descriptors(256);
	ready();
	int attempts = keep_doing(0.02, leak_to_the_limit);
	met(at_the_limit, "attempts failed with EMFILE");
	allow_descriptors(8000);
	leaks("fd file", attempts - at_the_limit, "openat");
}

int main(int argc, char **argv)
{
	const struct scenario all[] = {
		{ "s01_simple_leak", s01_simple_leak },
		{ "s03_plateau", s03_plateau },
		{ "s04_slow_leak", s04_slow_leak },
		{ "s05_late_close", s05_late_close },
		{ "s27_accept_before_attach", s27_accept_before_attach },
		{ "s28_preexisting", s28_preexisting },
		{ "s29_close_range", s29_close_range },
		{ "s36_leader_gone", s36_leader_gone },
		{ "s37_thread_unshares", s37_thread_unshares },
		{ "s42_ring_leak", s42_ring_leak },
		{ "s44_ring_close", s44_ring_close },
		{ "s76_compat", s76_compat },
		{ "s76_compat_reuse", s76_compat_reuse },
		{ "s80_emfile", s80_emfile },
		{ NULL, NULL },
	};

	allow_descriptors(8000);
	return watched_zoo(argc, argv, all);
}
