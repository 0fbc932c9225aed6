/*
 * exit_group_thread [EXIT_CODE]
 *
 * Leaves exactly 4 descriptors, 2 opened by the main thread and 2 by another. That other thread
 * then calls exit_group with EXIT_CODE (default 0) while the main thread sleeps.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static void leak_two(void)
{
	for (int i = 0; i < 2; i++)
		if (open("/dev/null", O_RDONLY) < 0)
			err(99, "open");
}

static void *leak_and_exit(void *code)
{
	leak_two();
	syscall(SYS_exit_group, (int)(intptr_t)code);
	return NULL;
}

int main(int argc, char **argv)
{
	intptr_t code = argc > 1 ? atoi(argv[1]) : 0;
	pthread_t thread;

	leak_two();
	if (pthread_create(&thread, NULL, leak_and_exit, (void *)code) != 0)
		errx(99, "pthread_create");
	for (;;)
		pause();
}
