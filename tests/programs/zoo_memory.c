/*
 * zoo_memory SCENARIO [SECONDS]
 *
 * Scenarios of address spaces, watched while they run for SECONDS (default 26): ranges that pile up,
 * and what only looks like it. See zoo_watched.h for what is printed.
 */
#include "zoo_watched.h"

#include <sys/mman.h>

static void *mapped(void *result, const char *what)
{
	if (result == MAP_FAILED)
		err(99, "%s", what);
	return result;
}

/* Macros, so that the place of an acquisition is where they stand, and not they. */
#define map_at(place, bytes, protection, flags) \
	mapped(mmap(place, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | (flags), -1, 0), "mmap")
#define map(bytes) map_at(NULL, bytes, PROT_READ | PROT_WRITE, 0)

static void unmap(void *start, size_t bytes)
{
	checked(munmap(start, bytes), "munmap");
}

/* A place of that size that nothing is mapped at; the kernel offers places from the top down, so what
 * this program maps elsewhere stays away from one so large. */
static char *hole(size_t bytes)
{
	char *place = map_at(NULL, bytes, PROT_NONE, MAP_NORESERVE);

	unmap(place, bytes);
	return place;
}

NOINLINE static void leak_s47(void)
{
	touch(map(MIB), MIB);
}

/* Leaks a megabyte every half second. */
static void s47_mmap_leak(void)
{
	ready();
	int count = keep_doing(0.5, leak_s47);
	finds(getpid(), "leak", "mmap anon", count, (long)count * MIB, "leak_s47");
}

NOINLINE static void leak_s47_shared(void)
{
	void *place = mmap(NULL, 64 * KIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	touch(mapped(place, "mmap"), 64 * KIB);
}

/* The same with memory that children would share. */
static void s47_shared_leak(void)
{
	ready();
	int count = keep_doing(0.1, leak_s47_shared);
	finds(getpid(), "leak", "mmap shm", count, (long)count * 64 * KIB, "leak_s47_shared");
}

static volatile char seen;

NOINLINE static void leak_s47_file(void)
{
	int descriptor = file();
	char *place = mapped(mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, descriptor, 0), "mmap");

	shut(descriptor);
	seen = *place;
}

/* The same with a file, whose descriptor is closed. */
static void s47_file_leak(void)
{
	ready();
	int count = keep_doing(0.1, leak_s47_file);
	finds(getpid(), "leak", "mmap file-backed", count, (long)count * 2 * PAGE, "leak_s47_file");
}

enum { RESERVATIONS = 8 };

static const size_t LARGE = (size_t)64 << 30, HUGE = (size_t)4 << 40;
static void *reserved[RESERVATIONS];

/* The oldest of eight reservations goes, a new one comes, and a part of it is used for a while. */
static void reserve(void)
{
	static int turn;
	void **place = &reserved[turn++ % RESERVATIONS];

	if (*place)
		unmap(*place, LARGE);
	*place = map_at(NULL, LARGE, PROT_NONE, MAP_NORESERVE);
	checked(mprotect(*place, 16 * PAGE, PROT_READ | PROT_WRITE), "mprotect");
	touch(*place, 16 * PAGE);
}

/* Leaks nothing: half a terabyte at any time of which nobody uses a millionth, and four untouched. */
static void s48_reserve(void)
{
	ready();
	map_at(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_NORESERVE);
	keep_doing(0.05, reserve);
}

enum { NEIGHBOURS = 10, WIDTH = 4 * PAGE, SPAN = (NEIGHBOURS + 2) * WIDTH };

static char *span;

/* Ten neighbours, two holes among them, and one call for all. */
static void map_and_span(void)
{
	char *at = span;

	for (int i = 0; i < NEIGHBOURS; i++, at += WIDTH) {
		at += i == 3 || i == 8 ? WIDTH : 0;
		touch(map_at(at, WIDTH, PROT_READ | PROT_WRITE, MAP_FIXED_NOREPLACE), WIDTH);
	}
	unmap(span, SPAN);
}

/* Leaks nothing. */
static void s49_munmap_span(void)
{
	span = hole(SPAN);
	ready();
	keep_doing(0.01, map_and_span);
}

/* Ten pages, of which one stays: the first, the last, or one between. */
NOINLINE static void leak_s50(void)
{
	static int turn;
	size_t kept = (size_t)(turn++ % 10);
	char *place = map(10 * PAGE);

	if (kept > 0)
		unmap(place, kept * PAGE);
	if (kept < 9)
		unmap(place + (kept + 1) * PAGE, (9 - kept) * PAGE);
	touch(place + kept * PAGE, PAGE);
}

/* Leaks a page of ten. */
static void s50_munmap_partial(void)
{
	ready();
	int count = keep_doing(0.05, leak_s50);
	finds(getpid(), "leak", "mmap anon", count, (long)count * PAGE, "leak_s50");
}

/* The whole range in one piece, or parts of it in an order of their own. */
static void overwrite(void)
{
	static unsigned int turn;
	size_t first = turn % 3 == 0 ? 0 : turn * 5 % 12, pages = turn % 3 == 0 ? 16 : 1 + turn % 4;

	turn++;
	char *place = span + first * PAGE;
	touch(map_at(place, pages * PAGE, PROT_READ | PROT_WRITE, MAP_FIXED), pages * PAGE);
}

/* Leaks nothing: the same sixteen pages again and again, and nobody calls munmap. */
static void s51_fixed_overwrite(void)
{
	span = map(16 * PAGE);
	ready();
	met(keep_doing(0.005, overwrite), "ranges overwritten");
}

enum { SMALLEST = MIB, LARGEST = 100 * MIB };

static char *block;
static size_t size;
static long moves;

/* Half as much again; a page behind the block keeps it from growing where it is. */
static void grow_or_begin_again(void)
{
	if (size * 3 / 2 > LARGEST) {
		unmap(block, size);
		size = SMALLEST;
		block = map(size);
		return;
	}
	size_t larger = (size * 3 / 2 + PAGE - 1) / PAGE * PAGE;
	void *obstacle = mmap(block + size, PAGE, PROT_NONE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	char *moved = mapped(mremap(block, size, larger, MREMAP_MAYMOVE), "mremap");
	if (obstacle != MAP_FAILED)
		unmap(obstacle, PAGE);
	moves += moved != block;
	for (size_t at = size; at < larger; at += 32 * PAGE)
		touch(moved + at, PAGE);
	block = moved;
	size = larger;
}

/* Leaks nothing: a block grows up to a hundred megabytes, moves, and is given back. */
static void s52_mremap_moves(void)
{
	ready();
	block = map(size = SMALLEST);
	keep_doing(0.03, grow_or_begin_again);
	unmap(block, size);
	met(moves, "blocks moved");
}

/* The content moves on, and the old range is used again for something else. */
NOINLINE static void leak_s53(void)
{
	char *moved = mapped(mremap(block, size, size, MREMAP_MAYMOVE | MREMAP_DONTUNMAP), "mremap");

	touch(block, PAGE);
	block = moved;
}

/* Leaks the old range of each move. */
static void s53_mremap_dontunmap(void)
{
	ready();
	block = map(size = 16 * PAGE);
	touch(block, size);
	int count = keep_doing(0.1, leak_s53);
	finds(getpid(), "leak", "mmap anon", count, (long)(count * size), "leak_s53");
}

static const size_t FREED_RANGE = (size_t)1 << 30;

/* Spread over a gigabyte; every twentieth time all of it goes. */
static void touch_and_free(void)
{
	static int turn;

	for (size_t at = 0; at < FREED_RANGE; at += FREED_RANGE / 64)
		touch(block + at + (size_t)(turn % 20) * PAGE, PAGE);
	if (++turn % 20 == 0)
		checked(madvise(block, FREED_RANGE, MADV_DONTNEED), "madvise");
}

/* Leaks nothing: the address space stays as it is, and memory comes and goes. */
static void s59_madvise_free(void)
{
	block = map_at(NULL, FREED_RANGE, PROT_READ | PROT_WRITE, MAP_NORESERVE);
	ready();
	keep_doing(0.02, touch_and_free);
}

NOINLINE static int leak_s65(void *unused)
{
	(void)unused;
	touch(map(16 * PAGE), 16 * PAGE);
	_exit(0);
}

/* A child in the same address space, on a stack of its own; the parent waits for its end. */
static void borrow_the_space(void)
{
	static char stack[64 * KIB] __attribute__((aligned(16)));

	reap(checked(clone(leak_s65, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL), "clone"));
}

/* Leaks what children map that have long ended. */
static void s65_vfork_mmap(void)
{
	ready();
	int count = keep_doing(0.1, borrow_the_space);
	finds(getpid(), "leak", "mmap anon", count, (long)count * 16 * PAGE, "leak_s65");
}

int main(int argc, char **argv)
{
	const struct scenario all[] = {
		{ "s47_mmap_leak", s47_mmap_leak },
		{ "s47_shared_leak", s47_shared_leak },
		{ "s47_file_leak", s47_file_leak },
		{ "s48_reserve", s48_reserve },
		{ "s49_munmap_span", s49_munmap_span },
		{ "s50_munmap_partial", s50_munmap_partial },
		{ "s51_fixed_overwrite", s51_fixed_overwrite },
		{ "s52_mremap_moves", s52_mremap_moves },
		{ "s53_mremap_dontunmap", s53_mremap_dontunmap },
		{ "s59_madvise_free", s59_madvise_free },
		{ "s65_vfork_mmap", s65_vfork_mmap },
		{ NULL, NULL },
	};

	usual_duration = 26;
	return watched_zoo(argc, argv, all);
}
