/*
 * limits fill LIMIT BEFORE PER_SECOND: may have LIMIT descriptors, opens BEFORE of one file at once,
 *   and then PER_SECOND until it may not any more.
 * limits half-closed COUNT: holds COUNT connections to one peer, which has closed all of them.
 * limits map PER_SECOND: maps so many pages a second, no two of which the kernel joins.
 * limits grow LIMIT_MIB MIB_PER_SECOND: may have so much address space, and writes to so much more.
 * limits start LIMIT PER_SECOND: starts so many threads a second that wait, as a user who may have
 *   LIMIT.
 * limits healthy: holds 300 files, each another one, and 100 connections to one peer; opens and
 *   closes 200 more each second.
 *
 * Each says "ready" when it holds what it holds, and ends after two minutes.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const FILE_NAME = "/etc/passwd";

static void ready(void)
{
	puts("ready");
	fflush(stdout);
	alarm(120);
}

static void open_one(void)
{
	if (open(FILE_NAME, O_RDONLY) < 0 && errno != EMFILE)
		err(99, "open");
}

static void fill(int limit, int before, int per_second)
{
	struct rlimit rlimit = { limit, limit };

	if (setrlimit(RLIMIT_NOFILE, &rlimit) < 0)
		err(99, "setrlimit");
	for (int i = 0; i < before; i++)
		open_one();
	ready();
	for (;;) {
		open_one();
		usleep(1000000 / per_second);
	}
}

/* COUNT connections to a port of this process; the other ends are closed, or kept. */
static void connect_all(int count, int keep)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(listener, (void *)&address, length) < 0 || listen(listener, 16) < 0
	    || getsockname(listener, (void *)&address, &length) < 0)
		err(99, "listen");
	for (int i = 0; i < count; i++) {
		int near = socket(AF_INET, SOCK_STREAM, 0);

		if (connect(near, (void *)&address, length) < 0)
			err(99, "connect");
		int far = accept(listener, NULL, NULL);
		if (far < 0)
			err(99, "accept");
		if (!keep)
			close(far);
	}
}

/* Every other page can be written: neighbours that differ are mappings of their own. */
static void map(int per_second)
{
	ready();
	for (int i = 0;; i++) {
		int protection = i % 2 ? PROT_READ : PROT_READ | PROT_WRITE;

		mmap(NULL, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		usleep(1000000 / per_second);
	}
}

static void grow(int limit_mib, int mib_per_second)
{
	struct rlimit rlimit = { (rlim_t)limit_mib << 20, (rlim_t)limit_mib << 20 };

	if (setrlimit(RLIMIT_AS, &rlimit) < 0)
		err(99, "setrlimit");
	ready();
	for (;;) {
		char *more = malloc(1 << 20);

		if (more)
			memset(more, 1, 1 << 20);
		usleep(1000000 / mib_per_second);
	}
}

static void *wait_for_ever(void *nothing)
{
	pause();
	return nothing;
}

static void start(int limit, int per_second)
{
	struct rlimit rlimit = { limit, limit };
	pthread_attr_t small;
	pthread_t thread;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 64 << 10);
	/* root may have any number; this user has nothing else. */
	if (setrlimit(RLIMIT_NPROC, &rlimit) < 0 || setuid(64321) < 0)
		err(99, "setuid");
	ready();
	for (;;) {
		pthread_create(&thread, &small, wait_for_ever, NULL);
		usleep(1000000 / per_second);
	}
}

static int another_file(void)
{
	char name[] = "/tmp/memguard-limits-XXXXXX";
	int file = mkstemp(name);

	if (file < 0)
		err(99, "mkstemp");
	unlink(name);
	return file;
}

static void healthy(void)
{
	struct rlimit rlimit = { 1024, 1024 };
	int some[200];

	if (setrlimit(RLIMIT_NOFILE, &rlimit) < 0)
		err(99, "setrlimit");
	for (int i = 0; i < 300; i++)
		another_file();
	connect_all(100, 1);
	ready();
	for (;;) {
		for (int i = 0; i < 200; i++)
			some[i] = open(FILE_NAME, O_RDONLY);
		usleep(500000);
		for (int i = 0; i < 200; i++)
			close(some[i]);
		usleep(500000);
	}
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";

	if (strcmp(how, "fill") == 0 && argc == 5) {
		fill(atoi(argv[2]), atoi(argv[3]), atoi(argv[4]));
	} else if (strcmp(how, "half-closed") == 0 && argc == 3) {
		connect_all(atoi(argv[2]), 0);
		ready();
		pause();
	} else if (strcmp(how, "map") == 0 && argc == 3) {
		map(atoi(argv[2]));
	} else if (strcmp(how, "grow") == 0 && argc == 4) {
		grow(atoi(argv[2]), atoi(argv[3]));
	} else if (strcmp(how, "start") == 0 && argc == 4) {
		start(atoi(argv[2]), atoi(argv[3]));
	} else if (strcmp(how, "healthy") == 0) {
		healthy();
	}
	return 99;
}
