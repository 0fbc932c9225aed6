/*
 * double_close [OPENS]
 *
 * One thread opens OPENS (default 100000) descriptors and closes none; another closes every number
 * from 3 to 63 over and over, open or not. Closes so overtake the return of the open they undo, and
 * hit numbers that were never open. At the end all of 3..63 are closed: nothing is left.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { FIRST = 3, LIMIT = 64 };

static atomic_int done;

static void close_all(void)
{
	for (int number = FIRST; number < LIMIT; number++)
		close(number);
}

static void *close_blindly(void *unused)
{
	(void)unused;
	while (!atomic_load(&done))
		close_all();
	return NULL;
}

int main(int argc, char **argv)
{
	size_t opens = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;
	pthread_t closer;

	if (setrlimit(RLIMIT_NOFILE, &(struct rlimit){ LIMIT, LIMIT }) != 0)
		err(99, "setrlimit");
	if (pthread_create(&closer, NULL, close_blindly, NULL) != 0)
		errx(99, "pthread_create");
	while (opens > 0) {
		if (open("/dev/null", O_RDONLY) >= 0)
			opens--;
		else if (errno == EMFILE)
			sched_yield();
		else
			err(99, "open");
	}
	atomic_store(&done, 1);
	pthread_join(closer, NULL);
	close_all();
	return 0;
}
