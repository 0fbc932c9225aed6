/*
 * history FILE...
 *
 * Carries out the histories in the files, one after the other: steps of several processes and
 * threads, the actors, that open, copy, close, fork, execute and end. One step is taken at a time, so
 * that every number and the content of every table are known beforehand; a step whose result is not
 * the one in the file ends the program with 98.
 *
 * A file is mapped by all actors of its history: a header, in which they find whose turn it is, and
 * the steps. Every process is a child of this one, which waits for the end of each before the next
 * step. Printed, with H for the number of the file:
 *
 *   process H ACTOR PID         when a process has been made by ACTOR's fork
 *   table H ACTOR NUMBER...     what is open in an actor's table when its process ends
 *
 * Numbers below 3 are left alone and never printed.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/futex.h>
#include <linux/kcmp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ACTORS = 64, FAILED = -1 };

/* As tests/src/history/script.rs writes them. */
enum operation {
	OPEN_FILE, OPEN_SOCKET, OPEN_EPOLL, OPEN_EVENTFD, OPEN_PIPE, DUP, DUP2, CLOSE, CLOSE_RANGE,
	CLOSE_RANGE_OWN, CLOEXEC, FORK, FORK_SHARING, THREAD, UNSHARE, EXEC, END_THREAD, END_PROCESS,
};

struct step {
	int actor, operation, first, second, result;
};

struct history {
	int count;
	/* The step whose turn it is. */
	atomic_int next;
	/* Who ends with the step: a process, and one of its threads or 0 for all. */
	atomic_int ending_process, ending_thread;
	int number;
	atomic_int process[ACTORS], thread[ACTORS];
	struct step steps[];
};

static struct history *history;
static const char *path;

static void futex_wait(atomic_int *word, int value)
{
	syscall(SYS_futex, word, FUTEX_WAIT, value, NULL, NULL, 0);
}

static void next_step(int done)
{
	atomic_store(&history->next, done + 1);
	syscall(SYS_futex, &history->next, FUTEX_WAKE, ACTORS, NULL, NULL, 0);
}

static void await_step(int index)
{
	int next;

	while ((next = atomic_load(&history->next)) != index)
		futex_wait(&history->next, next);
}

__attribute__((noreturn)) static void wrong(int index, long result)
{
	const struct step *step = &history->steps[index];

	dprintf(2, "%s: step %d of actor %d, operation %d on %d and %d: %ld (%s), not %d\n", path, index,
		step->actor, step->operation, step->first, step->second, result,
		result < 0 ? strerror(errno) : "no error", step->result);
	/* Everybody else waits for a turn that never comes. */
	history->ending_process = FAILED;
	syscall(SYS_futex, &history->ending_process, FUTEX_WAKE, 1, NULL, NULL, 0);
	_exit(98);
}

static void map(const char *file)
{
	struct stat about;
	int descriptor = open(file, O_RDWR | O_CLOEXEC);

	path = file;
	if (descriptor < 0 || fstat(descriptor, &about) != 0)
		err(99, "%s", file);
	history = mmap(NULL, (size_t)about.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
	if (history == MAP_FAILED)
		err(99, "mmap of %s", file);
	close(descriptor);
}

/* Whether a thread of this process uses the same table as the caller. */
static int shares_table(pid_t thread)
{
	return syscall(SYS_kcmp, gettid(), thread, KCMP_FILES, 0, 0) == 0;
}

static void print_table(int actor)
{
	char place[64], line[4096];
	int length = snprintf(line, sizeof line, "table %d %d", history->number, actor);
	struct dirent *entry;

	snprintf(place, sizeof place, "/proc/self/task/%d/fd", history->thread[actor]);
	DIR *folder = opendir(place);
	if (!folder)
		err(99, "%s", place);
	int own = shares_table(history->thread[actor]) ? dirfd(folder) : -1;
	while ((entry = readdir(folder))) {
		int number = atoi(entry->d_name);

		if (number >= 3 && number != own && length < (int)sizeof line - 16)
			length += snprintf(line + length, 16, " %d", number);
	}
	dprintf(1, "%s\n", line);
	closedir(folder);
}

/* The tables of all threads of this process. Looking opens a descriptor in the own table. */
static void print_tables(void)
{
	for (int actor = 0; actor < ACTORS; actor++)
		if (history->process[actor] == getpid() && history->thread[actor] != 0)
			print_table(actor);
}

static void act(int self, int from);

struct beginning {
	int actor, from;
};

static void *new_thread(void *argument)
{
	struct beginning beginning = *(struct beginning *)argument;

	free(argument);
	history->thread[beginning.actor] = gettid();
	act(beginning.actor, beginning.from);
	return NULL;
}

static long make_thread(int actor, int from)
{
	struct beginning *beginning = malloc(sizeof *beginning);
	pthread_t thread;

	*beginning = (struct beginning){ actor, from };
	history->process[actor] = getpid();
	history->thread[actor] = 0;
	if (pthread_create(&thread, NULL, new_thread, beginning) != 0)
		return -1;
	pthread_detach(thread);
	while (history->thread[actor] == 0)
		sched_yield();
	return 0;
}

/* A child of the first process, which so can wait for it. */
static long make_process(int actor, int from, unsigned long flags)
{
	history->process[actor] = history->thread[actor] = 0;
	long pid = syscall(SYS_clone, flags | CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0) {
		history->thread[actor] = gettid();
		history->process[actor] = getpid();
		dprintf(1, "process %d %d %d\n", history->number, actor, getpid());
		act(actor, from);
		_exit(99);
	}
	while (pid > 0 && history->process[actor] == 0)
		sched_yield();
	return pid < 0 ? pid : 0;
}

static void become(int self, int index)
{
	char actor[16], from[16];
	char *words[] = { "history", "-", (char *)path, actor, from, NULL };

	snprintf(actor, sizeof actor, "%d", self);
	snprintf(from, sizeof from, "%d", index);
	for (int other = 0; other < ACTORS; other++)
		if (other != self && history->process[other] == getpid())
			history->thread[other] = 0;
	execv("/proc/thread-self/exe", words);
	err(99, "execv");
}

/* A thread ends alone, or with its process; the first process goes on when that is over. */
static void end(int self, int alone)
{
	if (!alone)
		print_tables();
	history->ending_thread = alone ? gettid() : 0;
	history->thread[self] = 0;
	history->ending_process = getpid();
	syscall(SYS_futex, &history->ending_process, FUTEX_WAKE, 1, NULL, NULL, 0);
	if (alone)
		syscall(SYS_exit, 0);
	_exit(0);
}

static long pipe_at(const struct step *step)
{
	int ends[2];
	long result = syscall(SYS_pipe2, ends, 0);

	return result != 0 ? result : ends[1] == step->second ? ends[0] : -2;
}

static long perform(int self, int index)
{
	const struct step *step = &history->steps[index];
	unsigned int first = (unsigned)step->first, second = (unsigned)step->second;

	switch ((enum operation)step->operation) {
	case OPEN_FILE:
		return syscall(SYS_openat, AT_FDCWD, "/proc/thread-self/exe", O_RDONLY);
	case OPEN_SOCKET:
		return socket(AF_UNIX, SOCK_STREAM, 0);
	case OPEN_EPOLL:
		return epoll_create1(0);
	case OPEN_EVENTFD:
		return eventfd(0, 0);
	case OPEN_PIPE:
		return pipe_at(step);
	case DUP:
		return dup(step->first);
	case DUP2:
		return dup2(step->first, step->second);
	case CLOSE:
		return close(step->first);
	case CLOSE_RANGE:
		return close_range(first, second, 0);
	case CLOSE_RANGE_OWN:
		return close_range(first, second, CLOSE_RANGE_UNSHARE);
	case CLOEXEC:
		return fcntl(step->first, F_SETFD, FD_CLOEXEC);
	case FORK:
		return make_process(step->first, index + 1, 0);
	case FORK_SHARING:
		return make_process(step->first, index + 1, CLONE_FILES);
	case THREAD:
		return make_thread(step->first, index + 1);
	case UNSHARE:
		return unshare(CLONE_FILES);
	case EXEC:
		become(self, index);
		return 0;
	case END_THREAD:
		end(self, 1);
		return 0;
	case END_PROCESS:
		end(self, 0);
		return 0;
	}
	return -3;
}

/* Takes all steps of one actor from `from` on. */
static void act(int self, int from)
{
	for (int index = from; index < history->count; index++) {
		if (history->steps[index].actor != self)
			continue;
		await_step(index);
		long result = perform(self, index);
		if (result != history->steps[index].result)
			wrong(index, result);
		next_step(index);
	}
	for (;;)
		pause();
}

__attribute__((noreturn)) static void give_up(void)
{
	for (int actor = 0; actor < ACTORS; actor++)
		if (history->process[actor] > 0)
			kill(history->process[actor], SIGKILL);
	exit(98);
}

/* Waits until who ends has ended, then lets the next step be taken. */
static void see_off(void)
{
	pid_t process = history->ending_process;
	int thread = history->ending_thread, status;

	if (process == FAILED)
		give_up();
	if (thread)
		while (syscall(SYS_tgkill, process, thread, 0) == 0)
			sched_yield();
	else if (waitpid(process, &status, 0) != process || status != 0)
		errx(98, "%s: process %d ended with status %#x", path, process, status);
	history->ending_process = 0;
	next_step(history->next);
}

static void carry_out(const char *file, int number)
{
	map(file);
	history->number = number;
	pid_t pid = fork();
	if (pid < 0)
		err(99, "fork");
	if (pid == 0) {
		history->thread[0] = gettid();
		history->process[0] = getpid();
		dprintf(1, "process %d 0 %d\n", number, getpid());
		act(0, 0);
	}
	while (history->next < history->count) {
		while (history->ending_process == 0)
			futex_wait(&history->ending_process, 0);
		see_off();
	}
}

int main(int argc, char **argv)
{
	/* What a step executes: the same actor, in a new image. */
	if (argc == 5 && strcmp(argv[1], "-") == 0) {
		int self = atoi(argv[3]), index = atoi(argv[4]);

		map(argv[2]);
		history->thread[self] = gettid();
		next_step(index);
		act(self, index + 1);
	}
	if (close_range(3, ~0u, 0) != 0)
		err(99, "close_range");
	for (int number = 1; number < argc; number++)
		carry_out(argv[number], number - 1);
	return 0;
}
