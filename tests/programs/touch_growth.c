/*
 * touch_growth leak|other [SECONDS]
 *
 * Memory that grows in pieces of a hundred bytes, of an arena that one function gets from the kernel
 * and another writes to first: who acquires it is not who leaks. "leak" leaks eight mebibytes a
 * second and says so; "other" does the same elsewhere and half as fast, in a function of another
 * name. See zoo_watched.h for what both have in common. Beside that each prints
 *
 *   at SECONDS BYTES        by the clock of the day, how much it has touched so far
 */
#include "zoo_watched.h"

#include <sys/mman.h>
#include <time.h>

enum { ARENA = 4 * MIB, SMALL = 100 };

static char *place, *end;
static long touched;

/* What is left of the last arena is not used any more. A huge page would be one fault. */
NOINLINE static void reserve(void)
{
	place = mmap(NULL, ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (place == MAP_FAILED)
		err(99, "mmap");
	madvise(place, ARENA, MADV_NOHUGEPAGE);
	end = place + ARENA;
}

static char *small(void)
{
	if (end - place < SMALL)
		reserve();
	place += SMALL;
	return place - SMALL;
}

NOINLINE static void leak_touch(char *piece)
{
	for (int at = 0; at < SMALL; at++)
		((volatile char *)piece)[at] = 1;
}

NOINLINE static void other_touch(char *piece)
{
	for (int at = 0; at < SMALL; at++)
		((volatile char *)piece)[at] = 2;
}

static void tell(void)
{
	struct timespec day;

	clock_gettime(CLOCK_REALTIME, &day);
	dprintf(1, "at %ld.%03ld %ld\n", (long)day.tv_sec, day.tv_nsec / 1000000, touched);
}

/* Both touch and give back all the time: that is no growth, and of no arena that is there. */
static void work_and_free(void)
{
	char *work = mmap(NULL, 64 * KIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (work == MAP_FAILED)
		err(99, "mmap");
	touch(work, 64 * KIB);
	munmap(work, 64 * KIB);
}

static void step(void (*use)(char *), long bytes)
{
	for (long left = bytes; left > 0; left -= SMALL) {
		use(small());
		touched += SMALL;
	}
	work_and_free();
	tell();
}

static void leak_step(void)
{
	step(leak_touch, 160 * KIB);
}

static void other_step(void)
{
	step(other_touch, 80 * KIB);
}

static void leak(void)
{
	ready();
	keep_doing(0.02, leak_step);
}

static void other(void)
{
	ready();
	keep_doing(0.02, other_step);
}

int main(int argc, char **argv)
{
	static const struct scenario all[] = {
		{ "leak", leak },
		{ "other", other },
		{ NULL, NULL },
	};

	return watched_zoo(argc, argv, all);
}
