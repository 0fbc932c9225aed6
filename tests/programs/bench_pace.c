/*
 * bench_pace MODE RATE COUNT PROCESSES
 *
 * Says "ready" and waits for a line. Then PROCESSES children together make COUNT descriptors by dup,
 * RATE a second (0: as fast as they can):
 *
 *   pairs   each is closed at once
 *   flight  each child holds the last 1000
 *   keep    all stay open
 *
 * When all are made it says "done NANOSECONDS". The children hold what they hold until standard input
 * ends; then all of them are gone at once. COUNT 0 makes idle children.
 */
#define _GNU_SOURCE
#include <err.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FLIGHT = 1000, NANOSECONDS = 1000000000 };
enum mode { PAIRS, IN_FLIGHT, KEEP };

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * NANOSECONDS + (uint64_t)time.tv_nsec;
}

static void allow(rlim_t descriptors)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		err(99, "getrlimit");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < descriptors)
		err(99, "RLIMIT_NOFILE is less than %lu", (unsigned long)descriptors);
}

static void make(enum mode mode, size_t index, int *flight)
{
	int fresh = dup(0), *oldest = &flight[index % FLIGHT];

	if (fresh < 0)
		err(99, "dup number %zu", index);
	if (mode == PAIRS)
		close(fresh);
	if (mode != IN_FLIGHT)
		return;
	if (index >= FLIGHT)
		close(*oldest);
	*oldest = fresh;
}

/* What is due is made up for; a pause is a millisecond at least. */
static void pace(enum mode mode, uint64_t rate, size_t count)
{
	const struct timespec pause = { .tv_nsec = NANOSECONDS / 1000 };
	/* Not on the stack, which is copied with every acquisition. */
	static int flight[FLIGHT];
	uint64_t begun = now();
	size_t made = 0;

	while (made < count) {
		uint64_t due = rate ? (now() - begun) / 1000 * rate / 1000000 : count;

		for (; made < due && made < count; made++)
			make(mode, made, flight);
		if (made < count)
			nanosleep(&pause, NULL);
	}
}

static void child(enum mode mode, uint64_t rate, size_t count, int done)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pace(mode, rate, count);
	if (write(done, "", 1) != 1)
		err(99, "write");
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	char byte;
	int done[2];
	enum mode mode;
	uint64_t rate, begun;
	size_t count, processes;

	if (argc != 5)
		errx(99, "bench_pace MODE RATE COUNT PROCESSES");
	mode = strcmp(argv[1], "pairs") == 0 ? PAIRS : strcmp(argv[1], "keep") == 0 ? KEEP : IN_FLIGHT;
	processes = strtoul(argv[4], NULL, 10);
	rate = strtoul(argv[2], NULL, 10) / processes;
	count = strtoul(argv[3], NULL, 10) / processes;
	allow(mode == KEEP ? count + 64 : FLIGHT + 64);
	if (pipe(done) != 0)
		err(99, "pipe");
	dprintf(1, "ready\n");
	if (read(0, &byte, 1) != 1)
		errx(99, "no line to start on");
	begun = now();
	for (size_t i = 0; i < processes; i++) {
		pid_t pid = fork();

		if (pid < 0)
			err(99, "fork");
		if (pid == 0)
			child(mode, rate, count, done[1]);
	}
	for (size_t i = 0; i < processes; i++)
		if (read(done[0], &byte, 1) != 1)
			err(99, "read");
	dprintf(1, "done %lu\n", (unsigned long)(now() - begun));
	while (read(0, &byte, 1) == 1)
		;
	/* The children go with their parent. */
	return 0;
}
