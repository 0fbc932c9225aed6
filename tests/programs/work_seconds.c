/*
 * work_seconds WORKLOAD AGE WARM SPAN FOLDER
 *
 * Healthy: caches, batch jobs, storms and servers whose lives are in seconds, up to several minutes,
 * for memguard's default options. See work.h.
 */
#include "work.h"

#include <sys/epoll.h>
#include <sys/inotify.h>

static struct population all;
static double next;

static int next_in_folder(void)
{
	static int number;

	return file_in_folder(number++ % 2000);
}

enum { BOUND = 300 };

static void use_next_file(void)
{
	static int cache[BOUND], place;

	if (cache[place]) {
		shut(cache[place]);
		gives_back();
	}
	cache[place] = next_in_folder();
	place = (place + 1) % BOUND;
}

/* An LRU cache of files that are all asked for once: it fills for a minute, and then turns over. */
static void cache_distinct(void)
{
	make_folder();
	work(0.2, use_next_file);
}

static double idle;

/* A new one three times a second; and now and then one is used again, which lengthens its life. */
static void use_until_idle(void)
{
	static double use;

	dismiss_due(&all);
	while (is_due(&next, 1.0 / 3))
		admit(&all, idle);
	if (all.count > 0 && is_due(&use, 1))
		all.of[(int)(chance() * all.count)].until = elapsed() + idle;
}

static void expiring(double seconds, int (*acquire)(void))
{
	all = (struct population){ .acquire = acquire, .release = shut };
	idle = seconds;
	holds_at_most((int)(5 * seconds) + 20);
	work(0.1, use_until_idle);
}

static void cache_idle_20(void)
{
	make_folder();
	expiring(20, next_in_folder);
}

static void connections_idle_45(void)
{
	start_peer(1e9);
	expiring(45, dial);
}

static void cache_idle_75(void)
{
	make_folder();
	expiring(75, next_in_folder);
}

static void dismiss_all(void)
{
	while (all.count > 0)
		dismiss(&all, 0);
}

/* Opens over some time, holds for another, closes all and rests. */
static struct {
	int size;
	double opening, working, resting;
} job;

static void do_job(void)
{
	double whole = job.opening + job.working + job.resting, phase = fmod(elapsed(), whole);
	int wanted = phase < job.opening ? (int)(job.size * phase / job.opening) : job.size;

	if (phase >= job.opening + job.working)
		dismiss_all();
	else
		while (all.count < wanted)
			admit(&all, 1e9);
}

static void in_jobs(int (*acquire)(void), int size, double opening, double working, double resting)
{
	all = (struct population){ .acquire = acquire, .release = shut };
	job.size = size;
	job.opening = opening;
	job.working = working;
	job.resting = resting;
	work(0.2, do_job);
}

/* Fifty files in two seconds, twenty seconds of work. */
static void batch_job(void)
{
	make_folder();
	in_jobs(next_in_folder, 50, 2, 20, 5);
}

/* Fifty files in twenty-five seconds, three quarters of a minute of work. */
static void batch_job_long(void)
{
	make_folder();
	in_jobs(next_in_folder, 50, 25, 45, 10);
}

/* A pool that fills by one in two seconds, and is emptied and filled anew. */
static void pool_refills(void)
{
	start_peer(1e9);
	in_jobs(dial, 40, 80, 10, 10);
}

static void fill_slowly(void)
{
	dismiss_due(&all);
	if (all.count < 60 && is_due(&next, 1))
		admit(&all, between(70, 80));
}

/* A pool that takes a minute to fill, and whose members are replaced at seventy seconds. */
static void pool_fills_slowly(void)
{
	start_peer(1e9);
	all = (struct population){ .acquire = dial, .release = shut };
	work(0.2, fill_slowly);
}

static void weather_storm(void)
{
	dismiss_due(&all);
	if (is_due(&next, 100))
		REPEAT(200)
			admit(&all, between(5, 90));
}

/* Two hundred connections at once, which leave one by one. */
static void storm(void)
{
	start_peer(1e9);
	all = (struct population){ .acquire = dial, .release = shut };
	work(0.1, weather_storm);
}

static void arrive(void)
{
	dismiss_due(&all);
	while (is_due(&next, 1))
		admit(&all, fmin(exponential(40), 150));
}

/* Clients that stay for minutes, at any time about as many. */
static void long_clients(void)
{
	start_peer(1e9);
	all = (struct population){ .acquire = dial, .release = shut };
	holds_at_most(120);
	work(0.1, arrive);
}

static void upload(void)
{
	dismiss_due(&all);
	while (is_due(&next, 0.33))
		admit(&all, between(10, 40));
}

/* Files that are open for as long as an upload takes. */
static void uploads(void)
{
	make_folder();
	all = (struct population){ .acquire = next_in_folder, .release = shut };
	work(0.1, upload);
}

static int watching(void)
{
	int descriptor = checked(inotify_init1(0), "inotify_init1");

	checked(inotify_add_watch(descriptor, folder, IN_MODIFY), "inotify_add_watch");
	return descriptor;
}

static void watch_tasks(void)
{
	dismiss_due(&all);
	while (is_due(&next, 2))
		admit(&all, between(5, 60));
}

/* A watcher of its own for each task, slowly: a user may have 128 at a time. */
static void watchers(void)
{
	make_folder();
	all = (struct population){ .acquire = watching, .release = shut };
	work(0.1, watch_tasks);
}

/* The youngest go first; ten are there for ever. */
static void follow_day(void)
{
	int wanted = (int)(40 - 30 * cos(2 * M_PI * elapsed() / 120));

	while (all.count > wanted)
		dismiss(&all, all.count - 1);
	while (all.count < wanted)
		admit(&all, 1e9);
}

/* A load that doubles and halves within two minutes. */
static void day_and_night(void)
{
	start_peer(1e9);
	all = (struct population){ .acquire = dial, .release = shut };
	work(0.2, follow_day);
}

static void reload(void)
{
	int before = all.count;

	if (!is_due(&next, 30))
		return;
	REPEAT(20)
		admit(&all, 1e9);
	while (before-- > 0)
		dismiss(&all, 0);
}

/* Twenty files of a configuration, opened anew twice a minute before the old ones are closed. */
static void configuration(void)
{
	make_folder();
	all = (struct population){ .acquire = next_in_folder, .release = shut };
	work(0.2, reload);
}

enum { GENERATIONS = 7 };

static void rotate(void)
{
	static int logs[GENERATIONS];

	if (!is_due(&next, 20))
		return;
	int fresh = next_in_folder();
	if (logs[GENERATIONS - 1]) {
		shut(logs[GENERATIONS - 1]);
		gives_back();
	}
	memmove(logs + 1, logs, sizeof logs - sizeof *logs);
	logs[0] = fresh;
}

/* A new log every twenty seconds, and six old ones for slow readers. */
static void rotation_7(void)
{
	make_folder();
	work(0.2, rotate);
}

static void start_slowly(void)
{
	static int opened;

	shut(file());
	if (opened == 140 || !is_due(&next, 60.0 / 140))
		return;
	if (++opened % 7 < 5)
		next_in_folder();
	else
		dial();
}

/* A server that takes a minute to open what it needs: a hundred files, forty connections. */
static void starts_slowly(void)
{
	make_folder();
	start_peer(1e9);
	keeps();
	work(0.1, start_slowly);
}

static int brief(void)
{
	static int turn;

	return ++turn % 10 != 0;
}

/* Nine of ten say goodbye at once, and one in ten stays for 75 seconds. */
static void be_clients(void)
{
	all = (struct population){ .acquire = dial, .release = shut };
	for (begun = now();; pause_for(0.02)) {
		for (int i = all.count; i-- > 0;)
			if (all.of[i].until <= elapsed()) {
				shut(all.of[i].number);
				all.of[i] = all.of[--all.count];
			}
		while (is_due(&next, 0.1))
			admit(&all, brief() ? 0.005 : 75);
	}
}

static int queue;
static double accepted_at[ROOM];

static void take_client(void)
{
	struct epoll_event event = { .events = EPOLLIN };

	event.data.fd = checked(accept4(peer_listening, NULL, NULL, SOCK_CLOEXEC), "accept4");
	checked(epoll_ctl(queue, EPOLL_CTL_ADD, event.data.fd, &event), "epoll_ctl");
	if (event.data.fd < ROOM)
		accepted_at[event.data.fd] = elapsed();
}

static void serve_clients(void)
{
	struct epoll_event ready[32];
	char bytes[256];
	int count = checked(epoll_wait(queue, ready, 32, 0), "epoll_wait");

	for (int i = 0; i < count; i++) {
		int descriptor = ready[i].data.fd;

		if (descriptor == peer_listening) {
			take_client();
		} else if (read(descriptor, bytes, sizeof bytes) <= 0) {
			shut(descriptor);
			if (descriptor < ROOM && elapsed() - accepted_at[descriptor] > 10)
				gives_back();
		}
	}
}

/* A server of requests that come alone, and of browsers that keep their connection. */
static void keep_alive_75(void)
{
	struct epoll_event event = { .events = EPOLLIN };

	peer_listening = event.data.fd = listener(&peer_address);
	queue = checked(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
	checked(epoll_ctl(queue, EPOLL_CTL_ADD, peer_listening, &event), "epoll_ctl");
	helper_at_work(be_clients);
	work(0.02, serve_clients);
}

int main(int argc, char **argv)
{
	const struct scenario scenarios[] = {
		{ "cache_distinct", cache_distinct },
		{ "cache_idle_20", cache_idle_20 },
		{ "connections_idle_45", connections_idle_45 },
		{ "cache_idle_75", cache_idle_75 },
		{ "batch_job", batch_job },
		{ "batch_job_long", batch_job_long },
		{ "pool_refills", pool_refills },
		{ "pool_fills_slowly", pool_fills_slowly },
		{ "storm", storm },
		{ "long_clients", long_clients },
		{ "uploads", uploads },
		{ "watchers", watchers },
		{ "day_and_night", day_and_night },
		{ "configuration", configuration },
		{ "rotation_7", rotation_7 },
		{ "starts_slowly", starts_slowly },
		{ "keep_alive_75", keep_alive_75 },
		{ NULL, NULL },
	};

	return workload(argc, argv, scenarios);
}
