/*
 * memory_history FIRST COUNT STEPS
 *
 * Random histories of address spaces: COUNT processes, the first with seed FIRST, of one to three
 * threads that take STEPS steps each, all at once. Every thread maps, unmaps, overwrites, moves and
 * protects in a region of its own, where nothing else ever lies, keeps a book of what it has there and
 * elsewhere, and never asks the kernel what is mapped. Every second process is made before "ready",
 * the others when the line has come. See zoo_watched.h for how it runs. Printed:
 *
 *   history PID SEED             a process, and its
 *   region PID START END         regions
 *   range PID START END          what is mapped by the book: in the regions all, elsewhere all that
 *                                the history has mapped; the end is the first address behind
 *   met COUNT STEP               what was done, and how often
 *
 * A call whose result is not the expected one ends the process with 98.
 */
#include "zoo_watched.h"

#include <pthread.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>

enum { THREADS = 3, PAGES = 128, LONGEST = 12, ELSEWHERE = 24 };

/* Below everything that the kernel chooses places for. */
static const unsigned long REGIONS = 0x100000000000, APART = 0x100000000;

enum step {
	MAP, MAP_AT, OVERWRITE, REFUSED_MAP, UNMAP, UNMAP_ELSEWHERE, REFUSED_UNMAP, GROW, SHRINK, MOVE, MOVE_TO,
	MOVE_KEEPING, REFUSED_MOVE, PROTECT, ATTACH, DETACH, BREAK_UP, BREAK_DOWN, REFUSED_BREAK, STEPS
};

static const char *const step_names[STEPS] = {
	"mmap", "mmap at a place", "mmap over others", "mmap refused", "munmap in the region",
	"munmap elsewhere", "munmap refused", "mremap larger", "mremap smaller", "mremap away", "mremap to a place",
	"mremap that keeps the old range", "mremap refused", "mprotect", "shmat", "shmdt", "brk up", "brk down",
	"brk refused",
};

struct range {
	char *start;
	size_t pages;
};

struct book {
	char *region;
	/* Which acquisition a page belongs to, or which part of one that mremap would not take together with
	 * the rest; 0 where nothing is mapped. Attached ones are negative. */
	int owner[PAGES];
	/* Where an attachment began, by its number. */
	int attached_at[1 << 16];
	int acquisitions;
	struct range elsewhere[ELSEWHERE];
	int mapped_elsewhere;
	unsigned long random;
	/* Only the first thread moves the break. */
	int moves_break;
	long done[STEPS];
};

static struct book books[THREADS];
static int threads, steps;
static char *break_before;

__attribute__((noreturn)) static void wrong(const char *what)
{
	err(98, "%d: %s", getpid(), what);
}

/* xorshift64*: the same on every machine. */
static unsigned int chance(struct book *book, unsigned int below)
{
	book->random ^= book->random >> 12;
	book->random ^= book->random << 25;
	book->random ^= book->random >> 27;
	return (unsigned int)((book->random * 0x2545f4914f6cdd1d) >> 33) % below;
}

static char *page(struct book *book, int index)
{
	return book->region + (size_t)index * PAGE;
}

static void own(struct book *book, int first, int pages, int owner)
{
	for (int i = first; i < first + pages; i++)
		book->owner[i] = owner;
}

/* A random piece of the region. */
static int piece(struct book *book, int *first)
{
	int pages = 1 + (int)chance(book, LONGEST);

	*first = (int)chance(book, (unsigned int)(PAGES - pages + 1));
	return pages;
}

/* A random piece with nothing in it, or 0. */
static int free_piece(struct book *book, int *first)
{
	int pages = piece(book, first), i = 0;

	while (i < pages && book->owner[*first + i] == 0)
		i++;
	return i;
}

/* A piece of one acquisition that can be moved, or 0: what begins at a random page and is the same. */
static int owned_piece(struct book *book, int *first)
{
	*first = (int)chance(book, PAGES);
	int owner = book->owner[*first], pages = 0;

	if (owner <= 0)
		return 0;
	while (*first + pages < PAGES && book->owner[*first + pages] == owner)
		pages++;
	return 1 + (int)chance(book, (unsigned int)pages);
}

static int protection(struct book *book)
{
	static const int all[] = { PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_READ, PROT_NONE };

	return all[chance(book, 4)];
}

static char *map(struct book *book, char *place, int pages, int flags)
{
	size_t bytes = (size_t)pages * PAGE - chance(book, 2) * chance(book, PAGE);
	int sharing = chance(book, 4) == 0 ? MAP_SHARED : MAP_PRIVATE;

	if (chance(book, 4) != 0)
		return mmap(place, bytes, protection(book), sharing | MAP_ANONYMOUS | flags, -1, 0);
	int descriptor = file();
	char *result = mmap(place, bytes, PROT_READ, MAP_PRIVATE | flags, descriptor, 0);
	shut(descriptor);
	return result;
}

static void is(char *result, char *expected, const char *what)
{
	if (result != expected)
		wrong(what);
}

static int note_elsewhere(struct book *book, char *start, int pages)
{
	if (start == MAP_FAILED)
		wrong("a place elsewhere");
	book->elsewhere[book->mapped_elsewhere++] = (struct range){ start, (size_t)pages };
	return 1;
}

static int map_elsewhere(struct book *book)
{
	int pages = 1 + (int)chance(book, LONGEST);

	if (book->mapped_elsewhere == ELSEWHERE)
		return 0;
	return note_elsewhere(book, map(book, NULL, pages, 0), pages);
}

/* All of a range, or the pages in front of a random one. */
static int unmap_elsewhere(struct book *book)
{
	if (book->mapped_elsewhere == 0)
		return 0;
	int index = (int)chance(book, (unsigned int)book->mapped_elsewhere);
	struct range *range = &book->elsewhere[index];
	size_t pages = chance(book, 3) != 0 ? range->pages : 1 + chance(book, (unsigned int)range->pages);

	checked(munmap(range->start, pages * PAGE), "munmap");
	range->start += pages * PAGE;
	range->pages -= pages;
	if (range->pages == 0)
		*range = book->elsewhere[--book->mapped_elsewhere];
	return 1;
}

static int map_at(struct book *book)
{
	int first, pages = free_piece(book, &first);

	if (pages == 0)
		return 0;
	/* Where nothing is, a mere wish is granted. */
	int flags = chance(book, 2) ? MAP_FIXED_NOREPLACE : 0;
	is(map(book, page(book, first), pages, flags), page(book, first), "mmap at a place");
	own(book, first, pages, ++book->acquisitions);
	return 1;
}

static int overwrite(struct book *book)
{
	int first, pages = piece(book, &first);

	is(map(book, page(book, first), pages, MAP_FIXED), page(book, first), "mmap over others");
	own(book, first, pages, ++book->acquisitions);
	return 1;
}

static int refused_map(struct book *book)
{
	int first, pages = owned_piece(book, &first);

	if (pages == 0)
		return 0;
	is(map(book, page(book, first), pages, MAP_FIXED_NOREPLACE), MAP_FAILED, "mmap refused");
	return 1;
}

static int unmap(struct book *book)
{
	int first, pages = piece(book, &first);
	size_t bytes = (size_t)pages * PAGE - chance(book, 2) * chance(book, PAGE);

	checked(munmap(page(book, first), bytes), "munmap");
	own(book, first, pages, 0);
	return 1;
}

static int refused_unmap(struct book *book)
{
	int first, pages = piece(book, &first);
	int unaligned = (int)chance(book, 2);

	refused(munmap(page(book, first) + unaligned, unaligned ? (size_t)pages * PAGE : 0), EINVAL, "munmap");
	return 1;
}

/* Larger, by pages that nobody has or to another place. */
static int grow(struct book *book)
{
	int first, pages = owned_piece(book, &first), more = 1 + (int)chance(book, LONGEST);

	if (pages == 0 || first + pages + more > PAGES || book->mapped_elsewhere == ELSEWHERE)
		return 0;
	char *result = mremap(page(book, first), (size_t)pages * PAGE, (size_t)(pages + more) * PAGE,
			      MREMAP_MAYMOVE);
	if (result == page(book, first)) {
		for (int i = first + pages; i < first + pages + more; i++)
			if (book->owner[i] != 0)
				wrong("mremap grew over others");
		own(book, first + pages, more, book->owner[first]);
		return 1;
	}
	own(book, first, pages, 0);
	return note_elsewhere(book, result, pages + more);
}

static int shrink(struct book *book)
{
	int first, pages = owned_piece(book, &first);

	if (pages < 2)
		return 0;
	int kept = 1 + (int)chance(book, (unsigned int)pages - 1);
	is(mremap(page(book, first), (size_t)pages * PAGE, (size_t)kept * PAGE, 0), page(book, first), "mremap smaller");
	own(book, first + kept, pages - kept, 0);
	return 1;
}

/* From elsewhere to elsewhere, twice as large. */
static int move(struct book *book)
{
	if (book->mapped_elsewhere == 0)
		return 0;
	struct range *range = &book->elsewhere[chance(book, (unsigned int)book->mapped_elsewhere)];

	if (range->pages > 64)
		return 0;
	char *result = mremap(range->start, range->pages * PAGE, range->pages * 2 * PAGE, MREMAP_MAYMOVE);
	if (result == MAP_FAILED)
		wrong("mremap away");
	*range = (struct range){ result, range->pages * 2 };
	return 1;
}

/* To a place in the region, with whatever is there gone; as long as before, shorter or longer. */
static int move_to(struct book *book, int keeping)
{
	int first, pages = owned_piece(book, &first), target, room = piece(book, &target);
	int length = keeping ? pages : room, flags = MREMAP_MAYMOVE | MREMAP_FIXED;

	if (pages == 0 || target + length > PAGES)
		return 0;
	/* The two must not overlap. */
	if (first < target + length && target < first + pages)
		return 0;
	flags |= keeping ? MREMAP_DONTUNMAP : 0;
	is(mremap(page(book, first), (size_t)pages * PAGE, (size_t)length * PAGE, flags, page(book, target)),
	   page(book, target), "mremap to a place");
	if (!keeping)
		own(book, first, pages, 0);
	own(book, target, length, ++book->acquisitions);
	return 1;
}

static int refused_move(struct book *book)
{
	int first, pages = free_piece(book, &first);

	if (pages == 0)
		return 0;
	is(mremap(page(book, first), PAGE, 2 * PAGE, MREMAP_MAYMOVE), MAP_FAILED, "mremap of nothing");
	return 1;
}

/* Over holes too, where it fails half way. What differs in protection is no longer one for mremap. */
static int protect(struct book *book)
{
	int first, pages = piece(book, &first);

	for (int i = first, before = 0; i < first + pages; i++) {
		int owner = book->owner[i];

		if (owner > 0)
			book->owner[i] = owner == before ? book->acquisitions : ++book->acquisitions;
		before = owner;
	}

	mprotect(page(book, first), (size_t)pages * PAGE, chance(book, 2) ? PROT_READ : PROT_NONE);
	return 1;
}

static int attach(struct book *book)
{
	int first, pages = piece(book, &first), over_others = (int)chance(book, 2);

	if (!over_others && (pages = free_piece(book, &first)) == 0)
		return 0;
	int segment = checked(shmget(IPC_PRIVATE, (size_t)pages * PAGE, IPC_CREAT | 0600), "shmget");
	char *result = shmat(segment, page(book, first), over_others ? SHM_REMAP : 0);
	checked(shmctl(segment, IPC_RMID, NULL), "shmctl");
	is(result, page(book, first), "shmat");
	own(book, first, pages, -++book->acquisitions);
	book->attached_at[book->acquisitions] = first;
	return 1;
}

/* The pages of an attachment that are still there go. Of several at one place, each in part over the
 * one before, it is the one whose remains come first. */
static int detach(struct book *book)
{
	int index = (int)chance(book, PAGES);

	if (book->owner[index] >= 0)
		return 0;
	int place = book->attached_at[-book->owner[index]];
	checked(shmdt(page(book, place)), "shmdt");
	index = place;
	while (book->owner[index] >= 0 || book->attached_at[-book->owner[index]] != place)
		index++;
	int owner = book->owner[index];
	for (int i = 0; i < PAGES; i++)
		book->owner[i] = book->owner[i] == owner ? 0 : book->owner[i];
	return 1;
}

static int move_break(struct book *book, int up)
{
	char *now_at = sbrk(0), *wanted = now_at;

	if (!book->moves_break)
		return 0;
	if (up)
		wanted += chance(book, 8 * PAGE);
	else
		wanted -= chance(book, (unsigned int)(now_at - break_before) + 1);
	if (wanted - break_before > MIB)
		return 0;
	checked(brk(wanted), "brk");
	return 1;
}

static int refused_break(struct book *book)
{
	if (!book->moves_break)
		return 0;
	char *now_at = sbrk(0);
	/* The call itself returns the break as it is, as it does when it succeeds. */
	is((char *)syscall(SYS_brk, 4096), now_at, "brk too low");
	return 1;
}

/* Returns 0 where the step was not possible. */
static int take(struct book *book, enum step step)
{
	switch (step) {
	case MAP:
		return map_elsewhere(book);
	case MAP_AT:
		return map_at(book);
	case OVERWRITE:
		return overwrite(book);
	case REFUSED_MAP:
		return refused_map(book);
	case UNMAP:
		return unmap(book);
	case UNMAP_ELSEWHERE:
		return unmap_elsewhere(book);
	case REFUSED_UNMAP:
		return refused_unmap(book);
	case GROW:
		return grow(book);
	case SHRINK:
		return shrink(book);
	case MOVE:
		return move(book);
	case MOVE_TO:
		return move_to(book, 0);
	case MOVE_KEEPING:
		return move_to(book, 1);
	case REFUSED_MOVE:
		return refused_move(book);
	case PROTECT:
		return protect(book);
	case ATTACH:
		return attach(book);
	case DETACH:
		return detach(book);
	case BREAK_UP:
		return move_break(book, 1);
	case BREAK_DOWN:
		return move_break(book, 0);
	case REFUSED_BREAK:
		return refused_break(book);
	case STEPS:
		break;
	}
	return 0;
}

static void *act(void *argument)
{
	struct book *book = argument;

	for (int done = 0; done < steps;) {
		enum step step = chance(book, STEPS);
		int taken = take(book, step);

		book->done[step] += taken;
		done += taken;
	}
	return NULL;
}

static void print_range(const char *start, const char *end)
{
	dprintf(1, "range %d %p %p\n", getpid(), (const void *)start, (const void *)end);
}

static void print_book(struct book *book)
{
	dprintf(1, "region %d %p %p\n", getpid(), (void *)page(book, 0), (void *)page(book, PAGES));
	for (int first = 0, behind; first < PAGES; first = behind) {
		behind = first + 1;
		while (behind < PAGES && (book->owner[behind] != 0) == (book->owner[first] != 0))
			behind++;
		if (book->owner[first] != 0)
			print_range(page(book, first), page(book, behind));
	}
	for (int i = 0; i < book->mapped_elsewhere; i++)
		print_range(book->elsewhere[i].start, book->elsewhere[i].start + book->elsewhere[i].pages * PAGE);
	for (int step = 0; step < STEPS; step++)
		if (book->done[step] > 0)
			met(book->done[step], step_names[step]);
}

static void open_book(struct book *book, unsigned int seed, int thread)
{
	book->region = (char *)(REGIONS + APART * (unsigned long)thread);
	book->random = 0x9e3779b97f4a7c15 * (seed * THREADS + (unsigned long)thread + 1);
	book->moves_break = thread == 0;
}

/* The pages that the break has passed since the history began. */
static void print_break(void)
{
	char *end = sbrk(0);
	size_t pages = ((size_t)(end - break_before) + PAGE - 1) / PAGE;

	if (pages > 0)
		print_range(break_before, break_before + pages * PAGE);
}

/* All of a process but its end, which is its parent's. */
static void carry_out(unsigned int seed, int done)
{
	pthread_t others[THREADS];

	threads = 1 + (int)(seed % THREADS);
	/* What the C library may want of the heap, it gets now; it must not see the break move. */
	break_before = (char *)(((unsigned long)sbrk(0) + PAGE - 1) / PAGE * PAGE);
	checked(brk(break_before), "brk");
	for (int i = 0; i < threads; i++)
		open_book(&books[i], seed, i);
	for (int i = 1; i < threads; i++)
		if (pthread_create(&others[i], NULL, act, &books[i]) != 0)
			errx(98, "pthread_create");
	act(&books[0]);
	for (int i = 1; i < threads; i++)
		pthread_join(others[i], NULL);
	dprintf(1, "history %d %u\n", getpid(), seed);
	for (int i = 0; i < threads; i++)
		print_book(&books[i]);
	print_break();
	if (write(done, "", 1) != 1)
		err(98, "write");
	for (;;)
		pause();
}

/* Begins when the other end of `line` is closed. */
static pid_t make_process(unsigned int seed, const int *line, const int *done)
{
	pid_t pid = checked(fork(), "fork");
	char byte;

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGCHLD, SIG_DFL);
	shut(line[1]);
	shut(done[0]);
	if (read(line[0], &byte, 1) != 0)
		errx(98, "told what?");
	carry_out(seed, done[1]);
	return 0;
}

/* None ends before it is told to. */
static void give_up(int signal)
{
	(void)signal;
	_exit(98);
}

static void histories(void)
{
	unsigned int first = (unsigned int)atoi(arguments[0]);
	int count = atoi(arguments[1]), line[2], done[2];
	pid_t processes[1024];
	char byte;

	steps = atoi(arguments[2]);
	signal(SIGCHLD, give_up);
	checked(pipe(line), "pipe");
	checked(pipe(done), "pipe");
	for (int i = 0; i < count; i += 2)
		processes[i] = make_process(first + (unsigned int)i, line, done);
	ready();
	for (int i = 1; i < count; i += 2)
		processes[i] = make_process(first + (unsigned int)i, line, done);
	shut(line[0]);
	shut(line[1]);
	shut(done[1]);
	REPEAT(count)
		if (read(done[0], &byte, 1) != 1)
			errx(99, "a history has come to no end");
	shut(done[0]);
	dprintf(1, "done\n");
	await_line();
	signal(SIGCHLD, SIG_IGN);
	for (int i = 0; i < count; i++)
		kill(processes[i], SIGKILL);
}

int main(int argc, char **argv)
{
	const struct scenario all[] = { { "histories", histories }, { NULL, NULL } };
	char *words[] = { argv[0], "histories", NULL, NULL, NULL, NULL };

	if (argc != 4)
		errx(99, "memory_history FIRST COUNT STEPS");
	memcpy(words + 2, argv + 1, 3 * sizeof *words);
	return zoo(5, words, all);
}
