/*
 * forget_some WORKLOAD AGE WARM SPAN FOLDER
 *
 * Leaking: places that give most back within milliseconds and forget one in five, and those that head
 * for a limit. All paces are in seconds. See work.h.
 */
#include "work.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/timerfd.h>

/* Ten a second; two of them are forgotten. */
static const double pace = 0.1;

/* Several threads count. */
static void count_lost(int more)
{
	__atomic_add_fetch(&lost.count, more, __ATOMIC_RELAXED);
}

static bool forgets(void)
{
	static int turn;

	return __atomic_add_fetch(&turn, 1, __ATOMIC_RELAXED) % 5 == 0 && may_lose();
}

/* As long as a quick request takes. */
static void shut_soon(int descriptor)
{
	pause_for(0.002);
	shut(descriptor);
}

/* `handle_NAME` is the one place where this kind is opened, for those that are closed too. */
#define SOME(name, kind, expression)                           \
	PLACE static void handle_##name(void)                  \
	{                                                      \
		int descriptor = checked(expression, #name);   \
		if (forgets())                                 \
			count_lost(1);                         \
		else                                           \
			shut_soon(descriptor);                 \
	}                                                      \
	static void some_##name(void)                          \
	{                                                      \
		loses(kind, "handle_" #name);                  \
		work(pace, handle_##name);                     \
	}

/* Without a buffer on the stack: memguard copies two KiB of that. */
static int next_in_folder(void)
{
	static char name[PATH_MAX + 16];
	static int number;

	snprintf(name, sizeof name, "%s/%d", folder, number++);
	return open(name, O_RDWR | O_CREAT, 0600);
}

SOME(files, "fd file", file())
SOME(distinct, "fd file", next_in_folder())
SOME(tcp, "socket tcp", dial())
SOME(unix, "socket unix", unix_socket())
SOME(eventfds, "fd eventfd", eventfd(0, EFD_CLOEXEC))
SOME(timerfds, "fd timerfd", timerfd_create(CLOCK_MONOTONIC, 0))
SOME(epolls, "fd epoll", epoll_create1(EPOLL_CLOEXEC))
SOME(memfds, "fd memfd", memfd_create("forgotten", 0))
SOME(accepted, "socket tcp", accept4(peer_listening, NULL, NULL, SOCK_CLOEXEC))

/* One file after the other, each with a name of its own. */
static void some_distinct_files(void)
{
	make_folder();
	some_distinct();
}

static void some_connections(void)
{
	start_peer(1);
	some_tcp();
}

static void connect_for_ever(void)
{
	for (;; pause_for(pace))
		shut(dial());
}

/* A server that forgets one in five of its clients, which have all hung up. */
static void some_clients(void)
{
	peer_listening = listener(&peer_address);
	helper_at_work(connect_for_ever);
	some_accepted();
}

PLACE static void handle_pipe(void)
{
	int both[2];

	checked(pipe(both), "pipe");
	if (forgets()) {
		count_lost(2);
		return;
	}
	shut(both[0]);
	shut_soon(both[1]);
}

static void some_pipes(void)
{
	loses("fd pipe", "handle_pipe");
	work(pace, handle_pipe);
}

static int original;

static int copy_of_original(void)
{
	return dup(original);
}

SOME(dups, "fd file", copy_of_original())

static void some_copies(void)
{
	original = file();
	some_dups();
}

enum { PIECE = 64 * KIB };

PLACE static void handle_pages(void)
{
	char *place = mmap(NULL, PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (place == MAP_FAILED)
		err(99, "mmap");
	touch(place, PIECE);
	if (forgets())
		count_lost(1);
	else
		checked(munmap(place, PIECE), "munmap");
}

static void some_pages(void)
{
	loses("mmap anon", "handle_pages");
	work(pace, handle_pages);
}

PLACE static void handle_in_thread(void)
{
	int descriptor = file();

	if (forgets())
		count_lost(1);
	else
		shut_soon(descriptor);
}

static void *serve_in_thread(void *unused)
{
	(void)unused;
	for (;; pause_for(4 * pace))
		handle_in_thread();
	return NULL;
}

static void start_threads(void)
{
	static bool started;
	pthread_t thread;

	if (started)
		return;
	started = true;
	REPEAT(4)
		if (pthread_create(&thread, NULL, serve_in_thread, NULL) != 0)
			errx(99, "pthread_create");
}

/* Four threads that do the same work. */
static void some_in_threads(void)
{
	loses("fd file", "handle_in_thread");
	work(pace, start_threads);
}

PLACE static int open_slow(void)
{
	return file();
}

static struct population slow = { .acquire = open_slow, .release = shut };
static double next;

static void serve_slowly(void)
{
	dismiss_due(&slow);
	while (is_due(&next, 0.2)) {
		if (!forgets()) {
			admit(&slow, 5);
			continue;
		}
		open_slow();
		count_lost(1);
	}
}

/* Five a second live for five seconds each; one in five is forgotten. */
static void some_among_slow(void)
{
	loses("fd file", "open_slow");
	work(pace, serve_slowly);
}

PLACE static void handle_beside(void)
{
	int descriptor = file();

	if (forgets())
		count_lost(1);
	else
		shut_soon(descriptor);
}

PLACE static int make_garbage(void)
{
	return unix_socket();
}

static void serve_and_collect(void)
{
	static int garbage[ROOM], count;
	static double collection = 20;

	handle_beside();
	while (is_due(&next, 0.2))
		garbage[count++] = make_garbage();
	if (!is_due(&collection, 20))
		return;
	while (count > 0)
		shut(garbage[--count]);
}

/* Beside a collector, which closes sockets in bulk every twenty seconds. */
static void some_beside_collector(void)
{
	loses("fd file", "handle_beside");
	work(pace, serve_and_collect);
}

/* From here on: on the way to a limit. */
static void limited(rlim_t descriptors)
{
	struct rlimit limit = { .rlim_cur = descriptors, .rlim_max = descriptors };

	checked(setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
	dprintf(1, "exhausts RLIMIT_NOFILE\n");
}

PLACE static void forget_for_good(void)
{
	int descriptor = open("/proc/self/exe", O_RDONLY);

	if (descriptor < 0 && errno == EMFILE)
		return;
	checked(descriptor, "open");
	count_lost(1);
}

static double every;

static void forget_in_time(void)
{
	while (may_lose() && is_due(&next, every))
		forget_for_good();
}

static void forgetting(double seconds)
{
	loses("fd file", "forget_for_good");
	every = seconds;
	work(fmin(seconds, 0.2), forget_in_time);
}

/* Ten files a second, and nothing else. */
static void nothing_else(void)
{
	forgetting(0.1);
}

/* Three a second against a limit of 1024. */
static void limit_1024(void)
{
	limited(1024);
	forgetting(0.33);
}

/* Three a second of fifteen. */
static void limit_1024_some(void)
{
	limited(1024);
	loses("fd file", "handle_files");
	work(0.066, handle_files);
}

/* Three in four seconds against a limit of 256. */
static void limit_256(void)
{
	limited(256);
	forgetting(1.33);
}

/* Ten a second against 1024; when there are no more, it goes on trying. */
static void full_1024(void)
{
	limited(1024);
	dprintf(1, "full\n");
	forgetting(0.1);
}

int main(int argc, char **argv)
{
	const struct scenario all[] = {
		{ "some_files", some_files },
		{ "some_distinct_files", some_distinct_files },
		{ "some_connections", some_connections },
		{ "some_clients", some_clients },
		{ "some_unix", some_unix },
		{ "some_pipes", some_pipes },
		{ "some_eventfds", some_eventfds },
		{ "some_timerfds", some_timerfds },
		{ "some_epolls", some_epolls },
		{ "some_memfds", some_memfds },
		{ "some_copies", some_copies },
		{ "some_pages", some_pages },
		{ "some_in_threads", some_in_threads },
		{ "some_among_slow", some_among_slow },
		{ "some_beside_collector", some_beside_collector },
		{ "nothing_else", nothing_else },
		{ "limit_1024", limit_1024 },
		{ "limit_1024_some", limit_1024_some },
		{ "limit_256", limit_256 },
		{ "full_1024", full_1024 },
		{ NULL, NULL },
	};

	return workload(argc, argv, all);
}
