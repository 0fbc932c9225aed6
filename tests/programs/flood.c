/*
 * flood [N [PROCESSES [hold|close [go]]]]
 *
 * PROCESSES (default 8) children of 2 threads each open N (default 15000) descriptors per child
 * without a pause, all children at the same time.
 *
 *   hold (default)  every child leaves its N: N * PROCESSES in total
 *   close           every thread closes its own again, as fast as it can: nothing is left
 *
 * With "go" it first prints "ready" and waits for a line on standard input. Prints "flooded" when
 * every child has ended. The parent leaves nothing.
 */
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 2 };

struct share {
	pthread_t thread;
	size_t count;
	int closes;
};

static void allow(rlim_t descriptors)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		err(99, "getrlimit");
	limit.rlim_cur = descriptors;
	if (limit.rlim_max < descriptors)
		limit.rlim_max = descriptors;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		err(99, "setrlimit to %lu descriptors", (unsigned long)descriptors);
}

static void *flood(void *argument)
{
	struct share *share = argument;
	int *opened = calloc(share->count + 1, sizeof *opened);

	if (!opened)
		err(99, "calloc");
	for (size_t i = 0; i < share->count; i++) {
		opened[i] = open("/dev/null", O_RDONLY);
		if (opened[i] < 0)
			err(99, "open number %zu", i);
	}
	for (size_t i = 0; share->closes && i < share->count; i++)
		close(opened[i]);
	free(opened);
	return NULL;
}

static void child(size_t n, int closes)
{
	struct share shares[THREADS];

	for (size_t i = 0; i < THREADS; i++) {
		shares[i].count = n / THREADS + (i < n % THREADS);
		shares[i].closes = closes;
		if (pthread_create(&shares[i].thread, NULL, flood, &shares[i]) != 0)
			errx(99, "pthread_create");
	}
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(shares[i].thread, NULL);
	_exit(0);
}

int main(int argc, char **argv)
{
	size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 15000;
	int processes = argc > 2 ? atoi(argv[2]) : 8;
	int closes = argc > 3 && strcmp(argv[3], "close") == 0;
	int status, failed = 0;
	char line[16];

	allow(n + 64);
	if (argc > 4) {
		dprintf(1, "ready\n");
		if (read(0, line, sizeof line) <= 0)
			errx(99, "no line to start on");
	}
	for (int i = 0; i < processes; i++) {
		pid_t pid = fork();

		if (pid < 0)
			err(99, "fork");
		if (pid == 0)
			child(n, closes);
	}
	while (wait(&status) > 0)
		failed |= status != 0;
	dprintf(1, "flooded\n");
	return failed ? 98 : 0;
}
