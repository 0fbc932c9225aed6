/*
 * What the programs of the scenarios have in common. A scenario is a function that does its steps and
 * says what it leaves behind; `zoo` runs the one that is named on the command line and holds it to
 * its word: what it said must be what /proc/thread-self/fd has more than before.
 *
 * Printed for the test, one line each:
 *
 *   expect PID VERDICT RESOURCE KIND COUNT CALLS   what memguard is to report; "*" is any, and CALLS
 *                                                  has commas between
 *   met COUNT WHAT                                 how often something that needs luck came about
 *   SKIPPED: REASON                                this machine lacks what the scenario is about
 *
 * Every failure of the scenario itself ends the program with 99.
 */
#ifndef ZOO_H
#define ZOO_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define REPEAT(times) for (int turn = 0; turn < (times); turn++)

struct scenario {
	const char *name;
	void (*steps)(void);
};

/* How many descriptors were open when the process began, and how many more it says it has. */
static int opened_before, claimed;
/* What stands behind the name on the command line. */
static char **arguments;

static inline int checked(long result, const char *what)
{
	if (result < 0)
		err(99, "%s", what);
	return (int)result;
}

/* A call that must fail in this way. */
static inline void refused(long result, int reason, const char *what)
{
	if (result >= 0 || errno != reason)
		err(99, "%s: returned %ld, not %s", what, result, strerror(reason));
}

/* A regular file: the program's own. */
static inline int file_with(int flags)
{
	return checked(syscall(SYS_openat, AT_FDCWD, "/proc/thread-self/exe", O_RDONLY | flags), "openat");
}

static inline int file(void)
{
	return file_with(0);
}

static inline int unix_socket(void)
{
	return checked(socket(AF_UNIX, SOCK_STREAM, 0), "socket");
}

static inline void shut(int descriptor)
{
	checked(close(descriptor), "close");
}

static inline int is_open(int descriptor)
{
	return fcntl(descriptor, F_GETFD) >= 0;
}

static inline void pause_for(double seconds)
{
	struct timespec time = { .tv_sec = (time_t)seconds };

	time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
	while (nanosleep(&time, &time) != 0 && errno == EINTR)
		;
}

static inline double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Descriptors of the calling thread's table, the one that looks left out. */
static inline int open_now(void)
{
	DIR *folder = opendir("/proc/thread-self/fd");
	int count = -3;

	if (!folder)
		err(99, "/proc/thread-self/fd");
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

static inline void begin_counting(void)
{
	opened_before = open_now();
	claimed = 0;
}

/* The calling process has so many descriptors more than when it began. */
static inline void keep_word(const char *who)
{
	int more = open_now() - opened_before;

	if (more != claimed)
		errx(99, "%s: %d descriptors more than at the start, %d were announced", who, more, claimed);
}

static inline void expect(pid_t pid, const char *verdict, const char *what, int count, const char *calls)
{
	dprintf(1, "expect %d %s %s %d %s\n", pid, verdict, what, count, calls);
}

/* `what` is resource and kind: "fd pipe". */
static inline void leaves(const char *what, int count, const char *calls)
{
	expect(getpid(), "left", what, count, calls);
	claimed += count;
}

static inline void met(long count, const char *what)
{
	dprintf(1, "met %ld %s\n", count, what);
}

__attribute__((noreturn)) static inline void skip(const char *reason)
{
	dprintf(1, "SKIPPED: %s\n", reason);
	exit(0);
}

/* A process for a part of a scenario, counted for itself. */
static inline pid_t child(void (*steps)(void))
{
	pid_t pid = checked(fork(), "fork");

	if (pid == 0) {
		begin_counting();
		steps();
		keep_word("child");
		_exit(0);
	}
	return pid;
}

static inline void reap(pid_t pid)
{
	int status;

	checked(waitpid(pid, &status, 0), "waitpid");
	if (status != 0)
		errx(99, "child %d ended with status %#x", pid, status);
}

/* A listener on loopback with a port of its own. */
static inline int listener(struct sockaddr_in *here)
{
	int descriptor = checked(socket(AF_INET, SOCK_STREAM, 0), "socket");
	socklen_t size = sizeof *here;

	*here = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	checked(bind(descriptor, (struct sockaddr *)here, size), "bind");
	checked(listen(descriptor, 64), "listen");
	checked(getsockname(descriptor, (struct sockaddr *)here, &size), "getsockname");
	return descriptor;
}

static inline int connected_to(const struct sockaddr_in *there)
{
	int descriptor = checked(socket(AF_INET, SOCK_STREAM, 0), "socket");

	checked(connect(descriptor, (const struct sockaddr *)there, sizeof *there), "connect");
	return descriptor;
}

static inline void allow_descriptors(rlim_t descriptors)
{
	struct rlimit limit;

	checked(getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
	limit.rlim_cur = descriptors;
	if (limit.rlim_max < descriptors)
		limit.rlim_max = descriptors;
	checked(setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
}

/* Becomes a new image of this program, for the scenario `name`. */
static inline void become(char *name, char *argument)
{
	char *words[] = { "zoo", name, argument, NULL };

	execv("/proc/self/exe", words);
	err(99, "execv");
}

static inline int zoo(int count, char **words, const struct scenario *all)
{
	if (count < 2)
		errx(99, "which scenario?");
	arguments = words + 2;
	while (all->name && strcmp(all->name, words[1]) != 0)
		all++;
	if (!all->name)
		errx(99, "no scenario %s", words[1]);
	/* So that numbers are the same however this program was started. */
	checked(close_range(3, ~0u, 0), "close_range");
	begin_counting();
	all->steps();
	keep_word(all->name);
	return 0;
}

#endif
