/*
 * spin_exit [PROCESSES [ALIVE]]
 *
 * Starts PROCESSES (default 1000) children, at most ALIVE (default 20) at a time. Each child runs
 * 2 to 8 threads that spin on a barrier, leaves exactly 1 descriptor (by open), and then ends with
 * all its threads at once:
 *
 *   2 of 4 children  exit_group from a random thread, while the others spin on
 *   1 of 4           every thread, the main one too, calls pthread_exit
 *   1 of 4           every thread calls the exit system call itself
 *
 * Prints the pid of each child, one a line, when all have ended. The parent leaves nothing.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum ending { GROUP, PTHREAD, RAW };

static atomic_int arrived, released;
static enum ending ending;
static intptr_t caller;

static void end(intptr_t me)
{
	atomic_fetch_add(&arrived, 1);
	while (!atomic_load(&released))
		sched_yield();
	switch (ending) {
	case GROUP:
		if (me == caller)
			syscall(SYS_exit_group, 0);
		for (;;)
			;
	case PTHREAD:
		pthread_exit(NULL);
	case RAW:
		syscall(SYS_exit, 0);
	}
}

static void *spin(void *me)
{
	end((intptr_t)me);
	return NULL;
}

static void child(int index)
{
	unsigned seed = (unsigned)index * 2654435761u + 1;
	intptr_t threads = 2 + rand_r(&seed) % 7;
	pthread_t thread;

	ending = index % 2 == 0 ? GROUP : index % 4 == 1 ? PTHREAD : RAW;
	caller = rand_r(&seed) % threads;
	for (intptr_t i = 1; i < threads; i++)
		if (pthread_create(&thread, NULL, spin, (void *)i) != 0)
			errx(99, "pthread_create");
	while (atomic_load(&arrived) < threads - 1)
		sched_yield();
	if (open("/dev/null", O_RDONLY) < 0)
		err(99, "open");
	atomic_store(&released, 1);
	end(0);
}

static void reap(void)
{
	int status;

	if (wait(&status) < 0)
		err(99, "wait");
	if (status != 0)
		errx(99, "a child ended with status %#x", status);
}

int main(int argc, char **argv)
{
	int processes = argc > 1 ? atoi(argv[1]) : 1000;
	int alive = argc > 2 ? atoi(argv[2]) : 20;
	pid_t *pids = calloc((size_t)processes + 1, sizeof *pids);

	if (!pids)
		err(99, "calloc");
	for (int i = 0; i < processes; i++) {
		if (i >= alive)
			reap();
		pids[i] = fork();
		if (pids[i] < 0)
			err(99, "fork");
		if (pids[i] == 0)
			child(i);
	}
	for (int i = 0; i < processes && i < alive; i++)
		reap();
	for (int i = 0; i < processes; i++)
		printf("%d\n", pids[i]);
	free(pids);
	return 0;
}
