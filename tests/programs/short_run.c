/* A command of three seconds, as in CI. Each mode says what is left at its end.
 *
 *   leak    a file every quarter of a second, and none is closed
 *   pool    likewise, but the oldest of four is closed first
 *   burst   twelve files at once, after a second
 *   daemon  a child that outlives the command, with three files that it opened in turn
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define QUARTERS 12
#define POOL 4

static void wait_a_quarter(void)
{
	usleep(250 * 1000);
}

/* One place for all of them. */
static int __attribute__((noinline)) open_one(void)
{
	int fd = open("/etc/passwd", O_RDONLY);

	if (fd < 0) {
		perror("/etc/passwd");
		exit(1);
	}
	return fd;
}

static void leak(void)
{
	for (int quarter = 0; quarter < QUARTERS; quarter++) {
		wait_a_quarter();
		open_one();
	}
}

static void pool(void)
{
	int slots[POOL] = { -1, -1, -1, -1 };

	for (int quarter = 0; quarter < QUARTERS; quarter++) {
		int *slot = &slots[quarter % POOL];

		wait_a_quarter();
		if (*slot >= 0)
			close(*slot);
		*slot = open_one();
	}
}

static void burst(void)
{
	for (int quarter = 0; quarter < 4; quarter++)
		wait_a_quarter();
	for (int count = 0; count < QUARTERS; count++)
		open_one();
	for (int quarter = 4; quarter < QUARTERS; quarter++)
		wait_a_quarter();
}

/* The parent ends when its child has opened all. */
static void daemon_of_three(void)
{
	int ready[2];
	char byte = 0;

	if (pipe2(ready, O_CLOEXEC) != 0)
		exit(1);
	if (fork() == 0) {
		setsid();
		/* One call, not three in a row. */
		for (volatile int count = 0; count < 3; count++)
			open_one();
		printf("%d\n", getpid());
		fclose(stdout);
		fclose(stdin);
		fclose(stderr);
		if (write(ready[1], &byte, 1) != 1)
			_exit(1);
		close(ready[0]);
		close(ready[1]);
		pause();
		_exit(0);
	}
	if (read(ready[0], &byte, 1) != 1)
		exit(1);
	close(ready[0]);
	close(ready[1]);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";

	if (strcmp(mode, "leak") == 0)
		leak();
	else if (strcmp(mode, "pool") == 0)
		pool();
	else if (strcmp(mode, "burst") == 0)
		burst();
	else if (strcmp(mode, "daemon") == 0)
		daemon_of_three();
	else
		return 2;
	return 0;
}
