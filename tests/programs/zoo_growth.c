/*
 * zoo_growth SCENARIO [SECONDS]
 *
 * Scenarios of memory in use, watched while they run for SECONDS (default 26): heaps that grow, and
 * those that only breathe. See zoo_watched.h for what is printed.
 */
#include "zoo_watched.h"

#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>

static void grows(const char *what, long bytes, double seconds, const char *from)
{
	dprintf(1, "grows %d %s %ld %.3f %s\n", getpid(), what, bytes, seconds, from);
}

/* With malloc's own choice between heap and mappings. A macro, so that the place of an acquisition
 * is where it stands. */
#define allocated(bytes) checked_place(malloc(bytes))

static char *checked_place(char *place)
{
	if (!place)
		err(99, "malloc");
	return place;
}

enum { TEETH = 8, TOOTH = 512 * KIB };

static void move_break(long bytes)
{
	if (sbrk(bytes) == (void *)-1)
		err(99, "sbrk");
}

/* Up in eight steps, down in one or in eight. */
static void saw(void)
{
	static int turn;
	int height = turn % TEETH, at_once = turn / TEETH % 4 == 1, falls = turn / TEETH % 4 == 3;

	turn++;
	if (falls)
		return move_break(-TOOTH);
	if (at_once)
		return height == 0 ? move_break(-TEETH * TOOTH) : (void)0;
	move_break(TOOTH);
	touch((char *)sbrk(0) - TOOTH, TOOTH);
}

/* Leaks nothing. */
static void s54_brk_saw(void)
{
	ready();
	char *before = sbrk(0);
	keep_doing(0.03, saw);
	checked(brk(before), "brk");
}

enum { SMALL = 100, SMALL_IN_HEAP = 112 };

/* A list, so that nothing is left out and every piece is in use. */
static void **list;

NOINLINE static void leak_s55(void)
{
	void **piece = (void **)allocated(SMALL);

	*piece = list;
	list = piece;
}

static void leak_many(void)
{
	REPEAT(300)
		leak_s55();
}

/* Leaks a hundred bytes, fifteen thousand times a second. */
static void s55_heap_growth(void)
{
	ready();
	double start = now();
	int count = keep_doing(0.02, leak_many);
	grows("heap anon", (long)count * 300 * SMALL_IN_HEAP, now() - start, "brk leak_s55");
}

enum { FRAGMENTS = 64, FRAGMENT = 100 * KIB };

static char *last;

/* What is freed lies below what is kept, so the heap stays as large as it was. */
static void fragment(void)
{
	char *fragments[FRAGMENTS];

	for (int i = 0; i < FRAGMENTS; i++)
		touch(fragments[i] = allocated(FRAGMENT), FRAGMENT);
	free(last);
	last = fragments[FRAGMENTS - 1];
	for (int i = 0; i < FRAGMENTS - 1; i++)
		free(fragments[i]);
}

/* Leaks nothing: a hundred kilobytes in use, and megabytes that are not given back. */
static void s56_fragment_plateau(void)
{
	ready();
	keep_doing(0.05, fragment);
}

/* The first is a mapping; its release raises the threshold, and the next come from the heap. */
static void allocate_and_free(void)
{
	static int turn;
	size_t bytes = (size_t)(turn++ % 50 == 49 ? 6 : 1) * MIB;
	char *place = allocated(bytes);

	touch(place, bytes);
	free(place);
}

/* Leaks nothing. */
static void s57_malloc_threshold(void)
{
	ready();
	keep_doing(0.01, allocate_and_free);
}

enum { ENTRIES = 15000, ENTRY = 4000, AT_ONCE = 200 };

static char *cache[ENTRIES];
static int filled;

/* Fills the cache, and then replaces the oldest entry by one of the same size. */
static void use_cache(void)
{
	for (int i = 0; i < (filled < ENTRIES ? AT_ONCE : 1); i++) {
		char **entry = &cache[filled++ % ENTRIES];

		free(*entry);
		touch(*entry = allocated(ENTRY), ENTRY);
	}
}

/* Leaks nothing: sixty megabytes within a second and a half, and none after. */
static void s58_cache_warm_up(void)
{
	ready();
	keep_doing(0.02, use_cache);
}

enum { HUGE_PAGE = 2 * MIB, HUGE_PAGES = 24 };

static char *huge;

/* A byte makes two megabytes, one after the other; when all are there, all go. */
static void touch_huge(void)
{
	static int turn;

	touch(huge + (size_t)(turn++ % HUGE_PAGES) * HUGE_PAGE, 1);
	if (turn % HUGE_PAGES == 0)
		checked(madvise(huge, HUGE_PAGES * HUGE_PAGE, MADV_DONTNEED), "madvise");
}

/* Leaks nothing: up to 48 megabytes every five seconds. */
static void s60_thp_jump(void)
{
	size_t room = (HUGE_PAGES + 1) * HUGE_PAGE;
	char *place = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (place == MAP_FAILED)
		err(99, "mmap");
	huge = (char *)(((unsigned long)place + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE);
	if (madvise(huge, HUGE_PAGES * HUGE_PAGE, MADV_HUGEPAGE) != 0)
		skip("this kernel has no huge pages");
	ready();
	keep_doing(0.2, touch_huge);
}

enum { WORKERS = 8, BLOCKS = 64 };

static atomic_int over;

/* In a ring of sixty-four, each block is replaced by one of another size, at most twenty kilobytes. */
static void *allocate_for_ever(void *unused)
{
	char *blocks[BLOCKS] = { NULL };

	(void)unused;
	for (unsigned int turn = 0; !over; turn++) {
		size_t bytes = 100 + turn * 791 % 2000 * 10;
		char **block = &blocks[turn % BLOCKS];

		free(*block);
		touch(*block = allocated(bytes), bytes);
		if (turn % 16 == 0)
			pause_for(0.02);
	}
	REPEAT(BLOCKS)
		free(blocks[turn]);
	return NULL;
}

/* Leaks nothing: an arena for each thread, half a gigabyte of addresses. */
static void s64_arenas(void)
{
	pthread_t threads[WORKERS];

	ready();
	REPEAT(WORKERS)
		if (pthread_create(&threads[turn], NULL, allocate_for_ever, NULL) != 0)
			errx(99, "pthread_create");
	pause_for(duration());
	over = 1;
	REPEAT(WORKERS)
		pthread_join(threads[turn], NULL);
}

enum { MOST = 96 * MIB, PIECE = 64 * KIB };

static int memory_file;
static char *view;
static size_t length;

NOINLINE static void leak_s75(void)
{
	static const char piece[PIECE] = { 1 };

	if (length == MOST)
		errx(99, "too long");
	checked(ftruncate(memory_file, (off_t)(length + PIECE)), "ftruncate");
	if (pwrite(memory_file, piece, PIECE, (off_t)length) != PIECE)
		err(99, "pwrite");
	touch(view + length, PIECE);
	length += PIECE;
}

/* Grows: one descriptor, one mapping, and ever more behind it. */
static void s75_memfd_grow(void)
{
	memory_file = checked(memfd_create("grows", 0), "memfd_create");
	view = mmap(NULL, MOST, PROT_READ | PROT_WRITE, MAP_SHARED, memory_file, 0);
	if (view == MAP_FAILED)
		err(99, "mmap");
	claimed++;
	ready();
	double start = now();
	keep_doing(0.04, leak_s75);
	grows("heap shm", (long)length, now() - start, "* *");
}

NOINLINE static void touch_pool(void)
{
	if (length == MOST)
		errx(99, "too long");
	touch(view + length, PIECE);
	length += PIECE;
}

/* Leaks nothing: meets, page by page, a pool that has had its size from the start. */
static void s76_shared_pool(void)
{
	view = mmap(NULL, MOST, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (view == MAP_FAILED)
		err(99, "mmap");
	ready();
	keep_doing(0.04, touch_pool);
}

/* One more that stays, and does not grow. */
static void make_another(void)
{
	pid_t parent = getpid();

	if (checked(fork(), "fork") > 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	touch(allocated(512 * KIB), 512 * KIB);
	for (;;)
		pause();
}

/* Grows: not a process, but all of them together. */
static void s77_many_small(void)
{
	ready();
	keep_doing(0.25, make_another);
}

int main(int argc, char **argv)
{
	const struct scenario all[] = {
		{ "s54_brk_saw", s54_brk_saw },
		{ "s55_heap_growth", s55_heap_growth },
		{ "s56_fragment_plateau", s56_fragment_plateau },
		{ "s57_malloc_threshold", s57_malloc_threshold },
		{ "s58_cache_warm_up", s58_cache_warm_up },
		{ "s60_thp_jump", s60_thp_jump },
		{ "s64_arenas", s64_arenas },
		{ "s75_memfd_grow", s75_memfd_grow },
		{ "s76_shared_pool", s76_shared_pool },
		{ "s77_many_small", s77_many_small },
		{ NULL, NULL },
	};

	usual_duration = 26;
	return watched_zoo(argc, argv, all);
}
