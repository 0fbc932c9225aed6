/*
 * What is open when a process ends, of every kind that open makes and of some others.
 *
 * kinds_at_exit all: says "ready", opens one of each on a line, says "done", and ends with its input.
 * kinds_at_exit low: two files get the numbers 0 and 1, which were free.
 * kinds_at_exit daemon: 0, 1 and 2 become /dev/null, twice a copy of it, and 1 and 2 a log.
 * kinds_at_exit thread: a thread with a table of its own opens two files and ends; the process has
 *   opened one, and goes on.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int checked(int result, const char *what)
{
	if (result < 0)
		err(99, "%s", what);
	return result;
}

static void open_it(const char *path, int flags)
{
	checked(open(path, flags), path);
}

static void all(void)
{
	char folder[] = "/tmp/memguard-kinds-XXXXXX", fifo[64];

	if (!mkdtemp(folder))
		err(99, "mkdtemp");
	snprintf(fifo, sizeof(fifo), "%s/fifo", folder);
	checked(mkfifo(fifo, 0600), "mkfifo");
	puts("ready");
	fflush(stdout);
	getchar();
	open_it("/etc/passwd", O_RDONLY);
	open_it("/proc/self/status", O_RDONLY);
	checked(openat(AT_FDCWD, folder, O_TMPFILE | O_RDWR, 0600), "O_TMPFILE");
	open_it("/", O_RDONLY | O_DIRECTORY);
	open_it("/etc", O_RDONLY);
	open_it("/", O_PATH);
	if (!opendir("/usr"))
		err(99, "opendir");
	open_it(fifo, O_RDWR);
	open_it("/dev/null", O_RDONLY);
	checked(dup(checked(open("/dev/zero", O_RDONLY), "/dev/zero")), "dup");
	open_it("/dev/ptmx", O_RDWR | O_NOCTTY);
	open_it("/proc/self/ns/net", O_RDONLY);
	checked(memfd_create("x", 0), "memfd_create");
	checked(socket(AF_UNIX, SOCK_STREAM, 0), "socket");
	unlink(fifo);
	rmdir(folder);
	puts("done");
	fflush(stdout);
	while (getchar() != EOF)
		;
}

static void low(void)
{
	close(0);
	open_it("/etc/passwd", O_RDONLY);
	close(1);
	open_it("/etc/hosts", O_RDONLY);
}

static void daemon_like(void)
{
	char log[] = "/tmp/memguard-kinds-XXXXXX";

	close(checked(mkstemp(log), "mkstemp"));
	for (int fd = 0; fd < 3; fd++)
		close(fd);
	open_it("/dev/null", O_RDWR);
	checked(dup(0), "dup");
	checked(dup(0), "dup");
	close(1);
	open_it(log, O_WRONLY | O_APPEND);
	checked(dup2(1, 2), "dup2");
	unlink(log);
}

static void *in_thread(void *nothing)
{
	checked(unshare(CLONE_FILES), "unshare");
	open_it("/etc/passwd", O_RDONLY);
	open_it("/etc/hosts", O_RDONLY);
	return nothing;
}

static void thread(void)
{
	pthread_t thread;

	open_it("/etc/group", O_RDONLY);
	pthread_create(&thread, NULL, in_thread, NULL);
	pthread_join(thread, NULL);
	usleep(1000);
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";

	if (strcmp(how, "all") == 0)
		all();
	else if (strcmp(how, "low") == 0)
		low();
	else if (strcmp(how, "daemon") == 0)
		daemon_like();
	else if (strcmp(how, "thread") == 0)
		thread();
	else
		return 99;
	return 0;
}
