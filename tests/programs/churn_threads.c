/*
 * churn_threads [SECONDS]
 *
 * 4 threads race through socket/close for SECONDS (default 2), so that numbers just closed by one
 * are handed to another at once. Then each leaves exactly 5 sockets: 20 in total, all AF_UNIX.
 *
 * Prints "churned N", the number of pairs, which is not fixed.
 */
#include <err.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 4, LEAKED_EACH = 5 };

static double seconds = 2;

static int unix_socket(void)
{
	int descriptor = socket(AF_UNIX, SOCK_STREAM, 0);

	if (descriptor < 0)
		err(99, "socket");
	return descriptor;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void *churn(void *pairs)
{
	double end = now() + seconds;

	while (now() < end) {
		close(unix_socket());
		++*(size_t *)pairs;
	}
	for (int i = 0; i < LEAKED_EACH; i++)
		unix_socket();
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];
	size_t pairs[THREADS] = { 0 }, total = 0;

	if (argc > 1)
		seconds = strtod(argv[1], NULL);
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, churn, &pairs[i]) != 0)
			errx(99, "pthread_create");
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		total += pairs[i];
	}
	dprintf(1, "churned %zu\n", total);
	return 0;
}
