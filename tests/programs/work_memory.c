/*
 * work_memory WORKLOAD AGE WARM SPAN FOLDER
 *
 * Healthy: memory that is mapped and unmapped, and heaps that breathe. See work.h.
 */
#include "work.h"

#include <sys/mman.h>
#include <sys/shm.h>

enum { VIEW = 64 * KIB, VIEWS = 32 };

static char *mapped(size_t bytes, int descriptor)
{
	int flags = descriptor < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	char *place = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, descriptor, 0);

	if (place == MAP_FAILED)
		err(99, "mmap");
	return place;
}

static char *places[ROOM];

/* The number of a population's member is its place in `places`. */
static int keep(char *place)
{
	for (int i = 0; i < ROOM; i++)
		if (!places[i]) {
			places[i] = place;
			return i;
		}
	errx(99, "no place");
}

static int next_file;

static int view_file(void)
{
	int descriptor = file_in_folder(next_file++ % 100);

	checked(ftruncate(descriptor, VIEW), "ftruncate");
	char *place = mapped(VIEW, descriptor);
	shut(descriptor);
	touch(place, VIEW);
	return keep(place);
}

static void leave(int number)
{
	checked(munmap(places[number], VIEW), "munmap");
	places[number] = NULL;
}

static struct population views = { .acquire = view_file, .release = leave };

static void view_another(void)
{
	if (views.count == VIEWS)
		dismiss(&views, (int)(chance() * VIEWS));
	admit(&views, 1e9);
}

/* A cache of mapped files: any of them goes for the next. It is full at the start. */
static void mapped_files(void)
{
	make_folder();
	while (views.count < VIEWS)
		view_another();
	work(age / 10, view_another);
}

/* The same, which fills while memguard looks: for about three ages. */
static void mapped_files_fill(void)
{
	make_folder();
	work(age / 10, view_another);
}

static int scratch(void)
{
	char *place = mapped(VIEW, -1);

	touch(place, VIEW);
	return keep(place);
}

static void make_scratch(void)
{
	static double next;

	dismiss_due(&views);
	while (is_due(&next, age / 15))
		admit(&views, between(0.1, 2) * age);
}

/* Buffers that are mapped for as long as a task takes: longer than an age, for some. */
static void scratch_buffers(void)
{
	views = (struct population){ .acquire = scratch, .release = leave };
	work(age / 30, make_scratch);
}

enum { ARENA = MIB, ARENAS = 24 };

static int arenas;

static void grow_arenas(void)
{
	int wanted = (int)(ARENAS * elapsed() / (0.8 * warm));

	for (; arenas < wanted && arenas < ARENAS; arenas++)
		touch(places[arenas] = mapped(ARENA, -1), ARENA);
	touch(places[(int)(chance() * arenas)] ?: places[0], PAGE);
}

/* An allocator that takes its arenas during the warm-up, and works in them from then on. */
static void arenas_stay(void)
{
	touch(places[0] = mapped(ARENA, -1), ARENA);
	arenas = 1;
	work(age / 20, grow_arenas);
}

static char *vector;
static size_t length;

static void append(void)
{
	if (elapsed() > 0.9 * warm)
		return;
	vector = realloc(vector, length + 512 * KIB);
	if (!vector)
		err(99, "realloc");
	touch(vector + length, 512 * KIB);
	length += 512 * KIB;
}

/* A table that is loaded at the start, in ever larger pieces, and is complete then. */
static void table_loaded(void)
{
	work(age / 20, append);
}

static double cycle;

static void fill_and_drop(void)
{
	static char *nursery;
	static size_t used;
	static double next;
	size_t room = 16 * (size_t)MIB, more = (size_t)((double)room / (cycle / (age / 30)));

	if (!nursery)
		nursery = mapped(room + MIB, -1);
	more = (more / PAGE + 1) * PAGE;
	touch(nursery + used, more);
	used += more;
	if (is_due(&next, cycle) || used + more > room) {
		checked(madvise(nursery, room + MIB, MADV_DONTNEED), "madvise");
		used = 0;
	}
}

/* A collector that sweeps every three quarters of an age, before which memory only grows. */
static void collector(void)
{
	cycle = 0.75 * age;
	work(age / 30, fill_and_drop);
}

/* One that takes as long as the warm-up does. */
static void collector_slow(void)
{
	cycle = 0.9 * warm;
	work(age / 30, fill_and_drop);
}

enum { BLOCKS = 400 };

static void *blocks[BLOCKS];

static void replace_blocks(void)
{
	REPEAT(40) {
		void **block = &blocks[(int)(chance() * BLOCKS)];
		size_t bytes = (size_t)between(100, 20000);

		free(*block);
		*block = malloc(bytes);
		if (!*block)
			err(99, "malloc");
		touch(*block, bytes);
	}
}

/* Objects of all sizes that come and go, always as many. */
static void heap_turnover(void)
{
	work(age / 40, replace_blocks);
}

static int segment;

static int attach(void)
{
	void *place = shmat(segment, NULL, 0);

	if (place == (void *)-1)
		err(99, "shmat");
	return keep(place);
}

static void detach(int number)
{
	checked(shmdt(places[number]), "shmdt");
	places[number] = NULL;
}

/* Who looks at a shared segment for a while, again and again. */
static void shared_segment(void)
{
	views = (struct population){ .acquire = attach, .release = detach };
	segment = checked(shmget(IPC_PRIVATE, VIEW, IPC_CREAT | 0600), "shmget");
	attach();
	checked(shmctl(segment, IPC_RMID, NULL), "shmctl");
	work(age / 30, make_scratch);
}

static void resize_mapping(void)
{
	static size_t size = VIEW;
	static bool shrinks;
	size_t wanted = shrinks ? size - VIEW : size + VIEW;

	vector = vector ?: mapped(size, -1);
	vector = mremap(vector, size, wanted, MREMAP_MAYMOVE);
	if (vector == MAP_FAILED)
		err(99, "mremap");
	size = wanted;
	touch(vector + size - VIEW, VIEW);
	shrinks = size == VIEW * 20 ? true : size == VIEW * 2 ? false : shrinks;
}

/* A buffer that grows and shrinks by mremap, up to twenty times its size. */
static void buffer_resized(void)
{
	work(age / 30, resize_mapping);
}

int main(int argc, char **argv)
{
	const struct scenario all[] = {
		{ "mapped_files", mapped_files },
		{ "mapped_files_fill", mapped_files_fill },
		{ "scratch_buffers", scratch_buffers },
		{ "arenas_stay", arenas_stay },
		{ "table_loaded", table_loaded },
		{ "collector", collector },
		{ "collector_slow", collector_slow },
		{ "heap_turnover", heap_turnover },
		{ "shared_segment", shared_segment },
		{ "buffer_resized", buffer_resized },
		{ NULL, NULL },
	};

	return workload(argc, argv, all);
}
