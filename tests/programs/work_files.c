/*
 * work_files WORKLOAD AGE WARM SPAN FOLDER
 *
 * Healthy: files, caches of them, copies, and what event loops are made of. See work.h.
 */
#include "work.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>

enum { CAPACITY = 64 };

static int opened[ROOM], next_file;

static void fill_cache(void)
{
	int wanted = (int)(200 * elapsed() / (0.8 * warm));

	while (next_file < wanted && next_file < 200)
		opened[next_file] = file_in_folder(next_file), next_file++;
	char byte;
	if (next_file > 0 && pread(opened[(int)(chance() * next_file)], &byte, 1, 0) < 0)
		err(99, "pread");
}

/* A cache of open files that fills during the warm-up and is full from then on. */
static void cache_fills(void)
{
	make_folder();
	keeps();
	work(age / 20, fill_cache);
}

/* The file, and when it was used last. */
static struct {
	int descriptor, name;
	double used;
} cache[CAPACITY];
static int cached;

static void evict(int descriptor)
{
	shut(descriptor);
	gives_back();
}

/* By the name of a file: from the cache, else opened in the place of the one unused for longest. */
static void use_file(int name)
{
	int place = 0;

	for (int i = 0; i < cached; i++) {
		if (cache[i].name == name) {
			cache[i].used = elapsed();
			return;
		}
		if (cache[i].used < cache[place].used)
			place = i;
	}
	if (cached < CAPACITY)
		place = cached++;
	else
		evict(cache[place].descriptor);
	cache[place].descriptor = file_in_folder(name);
	cache[place].name = name;
	cache[place].used = elapsed();
}

static void use_in_turn(void)
{
	use_file(next_file++ % (2 * CAPACITY));
}

/* A cache at its capacity, in which every access replaces the oldest. */
static void cache_turns_over(void)
{
	make_folder();
	work(2.0 * age / CAPACITY, use_in_turn);
}

/* Few files are wanted all the time, and most hardly ever. */
static void use_by_fame(void)
{
	REPEAT(4)
		use_file((int)(pow(chance(), 3) * 400));
}

/* The same where some stay for ever and others for a moment. */
static void cache_heavy_tailed(void)
{
	make_folder();
	work(age / 30, use_by_fame);
}

/* A new name each time, in any place. */
static void use_new_file(void)
{
	int place = cached < CAPACITY ? cached++ : (int)(chance() * CAPACITY);

	if (cache[place].descriptor)
		evict(cache[place].descriptor);
	cache[place].descriptor = file_in_folder(next_file++ % 100);
}

/* A cache in which any file goes for the next, full before memguard came. */
static void cache_from_before(void)
{
	make_folder();
	REPEAT(CAPACITY)
		use_new_file();
	work(3.0 * age / CAPACITY, use_new_file);
}

/* The same, filled while memguard looks, and full two ages after the warm-up. */
static void cache_fills_late(void)
{
	make_folder();
	work((warm + 2 * age) / CAPACITY, use_new_file);
}

static struct population files;
static int file_number;

static int next_in_folder(void)
{
	return file_in_folder(file_number++ % 50);
}

/* Pareto: most for a tenth of an age, some for several. */
static void open_for_a_while(void)
{
	static double next;

	dismiss_due(&files);
	while (is_due(&next, age / 20))
		admit(&files, fmin(0.1 / (0.03 + chance()), 3) * age);
}

/* Downloads: most are short, and some take very long. */
static void files_heavy_tailed(void)
{
	make_folder();
	files = (struct population){ .acquire = next_in_folder, .release = shut };
	work(age / 40, open_for_a_while);
}

enum { GENERATIONS = 3 };

static int logs[GENERATIONS];

/* The new one is opened before the oldest is closed. */
static void rotate(void)
{
	static double next;
	char from[PATH_MAX + 16], to[PATH_MAX + 16];

	if (write(logs[0], "line\n", 5) != 5)
		err(99, "write");
	if (!is_due(&next, 1.2 * age))
		return;
	snprintf(from, sizeof from, "%s/0", folder);
	snprintf(to, sizeof to, "%s/%d", folder, ++file_number % GENERATIONS + 1);
	checked(rename(from, to), "rename");
	evict(logs[GENERATIONS - 1]);
	memmove(logs + 1, logs, sizeof logs - sizeof *logs);
	logs[0] = file_in_folder(0);
}

/* A log that is rotated by renaming; slow writers keep two old ones for a while. */
static void log_rotation(void)
{
	make_folder();
	REPEAT(GENERATIONS)
		logs[turn] = file_in_folder(turn);
	work(age / 20, rotate);
}

/* Opens over a third of its period, holds for another, and closes all. */
static double period;
static int batch;

static void do_batch(void)
{
	double phase = fmod(ages(), period) / period;
	int wanted = phase < 1.0 / 3 ? (int)(3 * phase * batch) : phase < 2.0 / 3 ? batch : 0;

	while (files.count > wanted)
		dismiss(&files, files.count - 1);
	while (files.count < wanted)
		admit(&files, 1e9);
}

static void in_batches(double ages, int size)
{
	make_folder();
	files = (struct population){ .acquire = next_in_folder, .release = shut };
	period = ages;
	batch = size;
	work(ages * age / 60, do_batch);
}

/* A hundred files, opened and closed twice in an age. */
static void batches_short(void)
{
	in_batches(0.5, 100);
}

/* Thirty, held for longer than an age, and then none. */
static void batches_long(void)
{
	in_batches(3.5, 30);
}

static int watcher, watched[16];

/* Watches come and go, the descriptor stays; the directory is read now and then. */
static void watch_more_and_less(void)
{
	int which = (int)(chance() * 16);
	DIR *listed = opendir(folder);

	if (!listed)
		err(99, "opendir");
	closedir(listed);
	checked(inotify_rm_watch(watcher, watched[which]), "inotify_rm_watch");
	char name[PATH_MAX + 16];
	snprintf(name, sizeof name, "%s/%d", folder, which);
	watched[which] = checked(inotify_add_watch(watcher, name, IN_MODIFY), "inotify_add_watch");
}

/* Who watches files, always as many. */
static void file_watcher(void)
{
	char name[PATH_MAX + 16];

	make_folder();
	watcher = checked(inotify_init1(0), "inotify_init1");
	REPEAT(16) {
		shut(file_in_folder(turn));
		snprintf(name, sizeof name, "%s/%d", folder, turn);
		watched[turn] = checked(inotify_add_watch(watcher, name, IN_MODIFY), "inotify_add_watch");
	}
	work(age / 20, watch_more_and_less);
}

static int loop_descriptor(void)
{
	static int turn;

	switch (turn++ % 3) {
	case 0:
		return checked(eventfd(0, 0), "eventfd");
	case 1:
		return checked(timerfd_create(CLOCK_MONOTONIC, 0), "timerfd_create");
	default:
		return checked(epoll_create1(0), "epoll_create1");
	}
}

static void loop_once(void)
{
	static double next;

	dismiss_due(&files);
	while (is_due(&next, age / 15))
		admit(&files, between(0.05, 2) * age);
}

/* An event loop whose tasks have events and timers of their own for as long as they live. */
static void event_loop(void)
{
	files = (struct population){ .acquire = loop_descriptor, .release = shut };
	work(age / 30, loop_once);
}

static int copy(void)
{
	static int turn;

	return turn++ % 2 ? checked(dup(1), "dup") : checked(fcntl(1, F_DUPFD_CLOEXEC, 3), "fcntl");
}

/* Copies of a descriptor that are closed later, at any time. */
static void copies_closed_later(void)
{
	files = (struct population){ .acquire = copy, .release = shut };
	work(age / 30, loop_once);
}

int main(int argc, char **argv)
{
	const struct scenario all[] = {
		{ "cache_fills", cache_fills },
		{ "cache_turns_over", cache_turns_over },
		{ "cache_heavy_tailed", cache_heavy_tailed },
		{ "cache_from_before", cache_from_before },
		{ "cache_fills_late", cache_fills_late },
		{ "files_heavy_tailed", files_heavy_tailed },
		{ "log_rotation", log_rotation },
		{ "batches_short", batches_short },
		{ "batches_long", batches_long },
		{ "file_watcher", file_watcher },
		{ "event_loop", event_loop },
		{ "copies_closed_later", copies_closed_later },
		{ NULL, NULL },
	};

	return workload(argc, argv, all);
}
