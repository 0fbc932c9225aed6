/*
 * zoo_tasks SCENARIO [SECONDS]
 *
 * Scenarios of threads, processes and timers, watched while they run for SECONDS (default 26). See
 * zoo_watched.h for what is printed.
 */
#include "zoo_watched.h"

#include <pthread.h>
#include <sys/inotify.h>

/* A macro, so that the place where a thread is started is where it stands. */
#define begin(steps)                                             \
	({                                                       \
		pthread_t thread_;                               \
		if (pthread_create(&thread_, NULL, steps, NULL)) \
			errx(99, "pthread_create");              \
		thread_;                                         \
	})

static void *ends(void *nothing)
{
	return nothing;
}

NOINLINE static void leak_s61(void)
{
	begin(ends);
}

/* Leaks the stack of each thread, which nobody joins. */
static void s61_unjoined(void)
{
	ready();
	int count = keep_doing(0.2, leak_s61);
	finds_count(getpid(), "leak", "thread unjoined", count, "leak_s61");
}

enum { POOL = 4 };

static void create_and_join(void)
{
	pthread_t threads[POOL];

	REPEAT(POOL)
		threads[turn] = begin(ends);
	REPEAT(POOL)
		pthread_join(threads[turn], NULL);
}

/* Leaks nothing: four at a time, all of them joined. */
static void s62_thread_pool(void)
{
	ready();
	met((long)POOL * keep_doing(0.08, create_and_join), "threads joined");
}

static void *waits(void *nothing)
{
	for (;;)
		pause();
	return nothing;
}

NOINLINE static void leak_s63(void)
{
	begin(waits);
}

/* Leaks threads that wait for ever. */
static void s63_thread_growth(void)
{
	ready();
	int count = keep_doing(0.5, leak_s63);
	finds_count(getpid(), "leak", "thread thread", count, "leak_s63");
}

NOINLINE static void leak_s68(void)
{
	if (checked(fork(), "fork") == 0)
		_exit(0);
}

/* Leaks children that have ended. */
static void s68_zombies(void)
{
	ready();
	int count = keep_doing(0.25, leak_s68);
	finds_count(getpid(), "leak", "process zombie", count, "leak_s68");
}

/* Leaks nothing: the kernel takes the children that have ended. */
static void s69_zombies_ignored(void)
{
	signal(SIGCHLD, SIG_IGN);
	ready();
	keep_doing(0.1, leak_s68);
}

NOINLINE static void leak_s72(void)
{
	struct sigevent silent = { .sigev_notify = SIGEV_NONE };
	timer_t timer;

	checked(timer_create(CLOCK_MONOTONIC, &silent, &timer), "timer_create");
}

/* One that is deleted for each that is not. */
static void make_two_timers(void)
{
	struct sigevent silent = { .sigev_notify = SIGEV_NONE };
	timer_t timer;

	leak_s72();
	checked(timer_create(CLOCK_MONOTONIC, &silent, &timer), "timer_create");
	checked(timer_delete(timer), "timer_delete");
}

/* Leaks timers. */
static void s72_timers(void)
{
	ready();
	int count = keep_doing(0.1, make_two_timers);
	finds_count(getpid(), "leak", "timer posix", count, "leak_s72");
}

static char folder[] = "/tmp/zoo-watches-XXXXXX";
static int watcher, watched;

static char *watched_file(int number)
{
	static char path[64];

	snprintf(path, sizeof path, "%s/%d", folder, number);
	return path;
}

NOINLINE static int watch_s78(void)
{
	char *path = watched_file(watched++);

	checked(close(checked(creat(path, 0600), "creat")), "close");
	return checked(inotify_add_watch(watcher, path, IN_MODIFY), "inotify_add_watch");
}

/* One that is removed for each that is not. */
static void watch_two_files(void)
{
	watch_s78();
	checked(inotify_rm_watch(watcher, watch_s78()), "inotify_rm_watch");
}

/* Leaks watches, all in one descriptor. */
static void s78_watches(void)
{
	watcher = checked(inotify_init1(IN_CLOEXEC), "inotify_init1");
	if (!mkdtemp(folder))
		err(99, "mkdtemp");
	ready();
	int count = keep_doing(0.1, watch_two_files);
	finds_count(getpid(), "leak", "watch inotify-watch", count, "*");
	await_line();
	while (watched > 0)
		unlink(watched_file(--watched));
	rmdir(folder);
	shut(watcher);
}

int main(int argc, char **argv)
{
	const struct scenario all[] = {
		{ "s61_unjoined", s61_unjoined },
		{ "s62_thread_pool", s62_thread_pool },
		{ "s63_thread_growth", s63_thread_growth },
		{ "s68_zombies", s68_zombies },
		{ "s69_zombies_ignored", s69_zombies_ignored },
		{ "s72_timers", s72_timers },
		{ "s78_watches", s78_watches },
		{ NULL, NULL },
	};

	usual_duration = 26;
	return watched_zoo(argc, argv, all);
}
