/*
 * bench_loop
 *
 * Says "ready", then takes one command a line until its standard input ends:
 *
 *   WHAT COUNT THREADS HELD
 *
 * Does WHAT so often, shared among so many threads, and answers "loop WHAT WALL CPU": nanoseconds from
 * begin to end, and of CPU time of all threads together. A single thread stays on the last CPU that it may use, so that an agent can have another.
 *
 *   open socket mmap dup   acquires and gives back at once; with HELD > 0 open gives back the oldest
 *                          of so many that it holds all the time
 *   getppid                a call that nobody traces
 *   getfl                  fcntl(F_GETFL), which makes no descriptor
 *   recvmsg recvmsg_udp    a message of one byte without control data, and the send before it,
 *                          between Unix sockets or over loopback
 *   malloc                 an allocation of 64 bytes, given back at once
 *
 * Leaves nothing.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { MOST_THREADS = 16, MOST_HELD = 1 << 16 };

struct share {
	pthread_t thread;
	void (*body)(size_t count, size_t held);
	size_t count;
	size_t held;
};

static int checked(int descriptor)
{
	if (descriptor < 0)
		err(99, "no descriptor");
	return descriptor;
}

static int null_file(void)
{
	return checked(open("/dev/null", O_RDONLY));
}

static void do_open(size_t count, size_t held)
{
	int *pool = calloc(held + 1, sizeof *pool);

	if (!pool)
		err(99, "calloc");
	for (size_t i = 0; i < held; i++)
		pool[i] = null_file();
	for (size_t i = 0; i < count; i++) {
		int fresh = null_file();

		if (held > 0) {
			int *oldest = &pool[i % held], kept = fresh;

			fresh = *oldest;
			*oldest = kept;
		}
		close(fresh);
	}
	for (size_t i = 0; i < held; i++)
		close(pool[i]);
	free(pool);
}

static void do_socket(size_t count, size_t held)
{
	(void)held;
	for (size_t i = 0; i < count; i++)
		close(checked(socket(AF_UNIX, SOCK_STREAM, 0)));
}

static void do_mmap(size_t count, size_t held)
{
	(void)held;
	for (size_t i = 0; i < count; i++) {
		void *fresh = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (fresh == MAP_FAILED || munmap(fresh, 4096) != 0)
			err(99, "mmap");
	}
}

static void do_dup(size_t count, size_t held)
{
	(void)held;
	for (size_t i = 0; i < count; i++)
		close(checked(dup(0)));
}

static void do_getppid(size_t count, size_t held)
{
	(void)held;
	for (size_t i = 0; i < count; i++)
		syscall(SYS_getppid);
}

static void do_getfl(size_t count, size_t held)
{
	(void)held;
	for (size_t i = 0; i < count; i++)
		checked(fcntl(0, F_GETFL));
}

static void receive(size_t count, int ends[2])
{
	char byte = 0;
	struct iovec into = { .iov_base = &byte, .iov_len = 1 };

	for (size_t i = 0; i < count; i++) {
		struct msghdr message = { .msg_iov = &into, .msg_iovlen = 1 };

		if (send(ends[0], &byte, 1, 0) != 1 || recvmsg(ends[1], &message, 0) != 1)
			err(99, "recvmsg");
	}
	close(ends[0]);
	close(ends[1]);
}

static void do_recvmsg(size_t count, size_t held)
{
	int ends[2];

	(void)held;
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) != 0)
		err(99, "socketpair");
	receive(count, ends);
}

static void do_recvmsg_udp(size_t count, size_t held)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	struct sockaddr *place = (struct sockaddr *)&address;
	socklen_t length = sizeof address;
	int ends[2];

	(void)held;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ends[0] = checked(socket(AF_INET, SOCK_DGRAM, 0));
	ends[1] = checked(socket(AF_INET, SOCK_DGRAM, 0));
	checked(bind(ends[1], place, length));
	checked(getsockname(ends[1], place, &length));
	checked(connect(ends[0], place, length));
	receive(count, ends);
}

static void do_malloc(size_t count, size_t held)
{
	(void)held;
	for (size_t i = 0; i < count; i++) {
		void *volatile fresh = malloc(64);

		free(fresh);
	}
}

static const struct {
	const char *name;
	void (*body)(size_t count, size_t held);
} BODIES[] = {
	{ "open", do_open },	   { "socket", do_socket }, { "mmap", do_mmap },
	{ "dup", do_dup },	   { "getppid", do_getppid }, { "getfl", do_getfl },
	{ "recvmsg", do_recvmsg }, { "recvmsg_udp", do_recvmsg_udp },
	{ "malloc", do_malloc },
};

static void *run_share(void *argument)
{
	struct share *share = argument;

	share->body(share->count, share->held);
	return NULL;
}

static uint64_t now(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void run(void (*body)(size_t, size_t), size_t count, size_t threads, size_t held)
{
	struct share shares[MOST_THREADS];

	if (threads <= 1) {
		body(count, held);
		return;
	}
	for (size_t i = 0; i < threads; i++) {
		shares[i] = (struct share){ .body = body, .count = count / threads, .held = held };
		if (pthread_create(&shares[i].thread, NULL, run_share, &shares[i]) != 0)
			errx(99, "pthread_create");
	}
	for (size_t i = 0; i < threads; i++)
		pthread_join(shares[i].thread, NULL);
}

static void stay_on(const cpu_set_t *cpus)
{
	if (sched_setaffinity(0, sizeof *cpus, cpus) != 0)
		err(99, "sched_setaffinity");
}

static cpu_set_t last_of(const cpu_set_t *all)
{
	cpu_set_t last;
	int chosen = 0;

	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, all))
			chosen = cpu;
	CPU_ZERO(&last);
	CPU_SET(chosen, &last);
	return last;
}

static void allow_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		err(99, "getrlimit");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		err(99, "setrlimit");
}

static void obey(const char *what, size_t count, size_t threads, size_t held, const cpu_set_t *all)
{
	cpu_set_t last = last_of(all);
	uint64_t wall, cpu;

	if (threads > MOST_THREADS || held > MOST_HELD)
		errx(99, "too many threads or descriptors");
	for (size_t i = 0; i < sizeof BODIES / sizeof *BODIES; i++) {
		if (strcmp(BODIES[i].name, what) != 0)
			continue;
		stay_on(threads <= 1 ? &last : all);
		wall = now(CLOCK_MONOTONIC);
		cpu = now(CLOCK_PROCESS_CPUTIME_ID);
		run(BODIES[i].body, count, threads, held);
		dprintf(1, "loop %s %lu %lu\n", what, (unsigned long)(now(CLOCK_MONOTONIC) - wall),
			(unsigned long)(now(CLOCK_PROCESS_CPUTIME_ID) - cpu));
		return;
	}
	errx(99, "no such loop: %s", what);
}

int main(void)
{
	char line[128], what[32];
	size_t count, threads, held;
	cpu_set_t all;

	if (sched_getaffinity(0, sizeof all, &all) != 0)
		err(99, "sched_getaffinity");
	allow_descriptors();
	dprintf(1, "ready\n");
	while (fgets(line, sizeof line, stdin)) {
		if (sscanf(line, "%31s %zu %zu %zu", what, &count, &threads, &held) != 4)
			errx(99, "not a command: %s", line);
		obey(what, count, threads, held, &all);
	}
	return 0;
}
