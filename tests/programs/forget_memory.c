/*
 * forget_memory WORKLOAD AGE WARM SPAN FOLDER
 *
 * Leaking: memory, and what is counted like it, forgotten five times in an age beside what is given
 * back. See work.h.
 */
#include "work.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/shm.h>

enum { PIECE = 64 * KIB };

static int paper;

/* A macro, so that the place of the mapping is where it stands. */
#define mapped(flags, descriptor)                                                          \
	({                                                                                 \
		void *place_ = mmap(NULL, PIECE, PROT_READ | PROT_WRITE, flags, descriptor, 0); \
		if (place_ == MAP_FAILED)                                                  \
			err(99, "mmap");                                                   \
		touch(place_, PIECE);                                                      \
		place_;                                                                    \
	})

static double next;

static bool is_time(void)
{
	return may_lose() && is_due(&next, age / 5);
}

PLACE static void forget_pages(void)
{
	mapped(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	lost.count++;
}

static void map_pages(void)
{
	checked(munmap(mapped(MAP_PRIVATE | MAP_ANONYMOUS, -1), PIECE), "munmap");
	if (is_time())
		forget_pages();
}

/* Buffers that are mapped and not unmapped. */
static void pages(void)
{
	loses("mmap anon", "forget_pages");
	work(age / 20, map_pages);
}

PLACE static void forget_view(void)
{
	mapped(MAP_SHARED, paper);
	lost.count++;
}

static void view_file(void)
{
	checked(munmap(mapped(MAP_SHARED, paper), PIECE), "munmap");
	if (is_time())
		forget_view();
}

/* Views of a file. */
static void views(void)
{
	make_folder();
	paper = file_in_folder(0);
	checked(ftruncate(paper, PIECE), "ftruncate");
	loses("mmap file-backed", "forget_view");
	work(age / 20, view_file);
}

static int segment;

static void *attached(void)
{
	void *place = shmat(segment, NULL, 0);

	if (place == (void *)-1)
		err(99, "shmat");
	return place;
}

PLACE static void forget_attached(void)
{
	touch(attached(), PIECE);
	lost.count++;
}

static void attach_segment(void)
{
	checked(shmdt(attached()), "shmdt");
	if (is_time())
		forget_attached();
}

/* A segment that is attached again and again. */
static void attachments(void)
{
	segment = checked(shmget(IPC_PRIVATE, PIECE, IPC_CREAT | 0600), "shmget");
	attached();
	checked(shmctl(segment, IPC_RMID, NULL), "shmctl");
	loses("mmap shm", "forget_attached");
	work(age / 20, attach_segment);
}

/* From here on a size is told. */
static const char *of_kind, *by_call;

static void tell_growth(void)
{
	dprintf(1, "grows %d heap %s %ld %.3f %s %s\n", getpid(), of_kind, lost.bytes, elapsed(), by_call,
		lost.function);
}

static void grows(const char *kind, const char *call, const char *function)
{
	tell = tell_growth;
	of_kind = kind;
	by_call = call;
	lost.function = function;
}

/* A list, so that every piece is in use. */
static void **list;

enum { SMALL = 500, SMALL_IN_HEAP = 512, AT_ONCE = 60 };

PLACE static void forget_object(void)
{
	void **object = malloc(SMALL);

	if (!object)
		err(99, "malloc");
	*object = list;
	list = object;
	lost.bytes += SMALL_IN_HEAP;
}

static void use_heap(void)
{
	static void *used[64];

	REPEAT(AT_ONCE) {
		void **object = &used[(int)(chance() * 64)];
		free(*object);
		*object = malloc((size_t)between(50, 2000));
		if (may_lose())
			forget_object();
	}
}

/* Small objects, forgotten among others that are freed. */
static void objects(void)
{
	grows("anon", "brk", "forget_object");
	work(age / 30, use_heap);
}

static char *vector;

static void append(void)
{
	if (!may_lose())
		return;
	vector = realloc(vector, (size_t)lost.bytes + PIECE);
	if (!vector)
		err(99, "realloc");
	touch(vector + lost.bytes, PIECE);
	lost.bytes += PIECE;
}

/* A list to which everything is appended: one mapping, ever larger. */
static void vector_grows(void)
{
	grows("anon", "*", "*");
	work(age / 20, append);
}

static char *view;

enum { MOST = 256 * MIB };

static void write_more(void)
{
	if (!may_lose() || lost.bytes == MOST)
		return;
	checked(ftruncate(paper, lost.bytes + PIECE), "ftruncate");
	touch(view + lost.bytes, PIECE);
	lost.bytes += PIECE;
}

/* A file in memory that is written and never cut. */
static void memory_file_grows(void)
{
	paper = checked(memfd_create("grows", 0), "memfd_create");
	view = mmap(NULL, MOST, PROT_READ | PROT_WRITE, MAP_SHARED, paper, 0);
	if (view == MAP_FAILED)
		err(99, "mmap");
	grows("shm", "*", "*");
	work(age / 20, write_more);
}

static void *ends(void *nothing)
{
	return nothing;
}

static void *waits(void *nothing)
{
	for (;;)
		pause();
	return nothing;
}

/* A macro, so that the place where a thread is started is where it stands. */
#define started(steps)                                           \
	({                                                       \
		pthread_t thread_;                               \
		if (pthread_create(&thread_, NULL, steps, NULL)) \
			errx(99, "pthread_create");              \
		thread_;                                         \
	})

PLACE static void forget_to_end(void)
{
	started(waits);
	lost.count++;
}

PLACE static void forget_to_join(void)
{
	started(ends);
	lost.count++;
}

static void start_endless(void)
{
	pthread_join(started(ends), NULL);
	if (is_time())
		forget_to_end();
}

static void start_unjoined(void)
{
	pthread_join(started(ends), NULL);
	if (is_time())
		forget_to_join();
}

/* Threads that wait for what never comes. */
static void threads_endless(void)
{
	loses("thread thread", "forget_to_end");
	work(age / 20, start_endless);
}

/* Threads that have ended, and are not joined. */
static void threads_unjoined(void)
{
	loses("thread unjoined", "forget_to_join");
	work(age / 20, start_unjoined);
}

PLACE static void forget_child(void)
{
	if (checked(fork(), "fork") == 0)
		_exit(0);
	lost.count++;
}

static void start_children(void)
{
	pid_t pid = checked(fork(), "fork");

	if (pid == 0)
		_exit(0);
	reap(pid);
	if (is_time())
		forget_child();
}

/* Children that have ended, and are not waited for. */
static void zombies(void)
{
	loses("process zombie", "forget_child");
	work(age / 10, start_children);
}

static timer_t made_timer(void)
{
	struct sigevent silent = { .sigev_notify = SIGEV_NONE };
	timer_t timer;

	checked(timer_create(CLOCK_MONOTONIC, &silent, &timer), "timer_create");
	return timer;
}

static void start_timers(void)
{
	checked(timer_delete(made_timer()), "timer_delete");
	if (is_time()) {
		made_timer();
		lost.count++;
	}
}

/* Timers of requests that were given up. */
static void timers(void)
{
	loses("timer posix", "*");
	work(age / 20, start_timers);
}

int main(int argc, char **argv)
{
	const struct scenario all[] = {
		{ "pages", pages },
		{ "views", views },
		{ "attachments", attachments },
		{ "objects", objects },
		{ "vector_grows", vector_grows },
		{ "memory_file_grows", memory_file_grows },
		{ "threads_endless", threads_endless },
		{ "threads_unjoined", threads_unjoined },
		{ "zombies", zombies },
		{ "timers", timers },
		{ NULL, NULL },
	};

	return workload(argc, argv, all);
}
