/*
 * forget_shapes WORKLOAD AGE WARM SPAN FOLDER
 *
 * Leaking: the ways in which something gets lost, whatever it is. See work.h.
 */
#include "work.h"

#include <pthread.h>

static double next;

static bool is_time(double pace)
{
	return may_lose() && is_due(&next, pace * age);
}

/* A leak counts where it happens; what is opened is of the function that calls this. */
static int counted(int descriptor)
{
	lost.count++;
	return descriptor;
}

PLACE static void forget_fast(void)
{
	counted(file());
}

static void lose_fast(void)
{
	while (is_time(1.0 / 60))
		forget_fast();
}

/* Sixty in an age. */
static void fast(void)
{
	loses("fd file", "forget_fast");
	work(age / 60, lose_fast);
}

PLACE static void forget_slowly(void)
{
	counted(file());
}

static void lose_slowly(void)
{
	shut(file());
	if (is_time(1))
		forget_slowly();
}

/* One in an age, among others. */
static void slow(void)
{
	loses("fd file", "forget_slowly");
	work(age / 20, lose_slowly);
}

PLACE static void forget_ten(void)
{
	REPEAT(10)
		counted(file());
}

static void lose_in_bursts(void)
{
	shut(file());
	if (is_time(1.5))
		forget_ten();
}

/* Ten at a time, and then none for one and a half ages. */
static void in_bursts(void)
{
	loses("fd file", "forget_ten");
	work(age / 20, lose_in_bursts);
}

PLACE static void forget_here(void)
{
	counted(file());
}

PLACE static int open_there(void)
{
	return file();
}

static struct population kept_there = { .acquire = open_there, .release = shut };

static void lose_here_not_there(void)
{
	static double arrival;

	dismiss_due(&kept_there);
	while (is_due(&arrival, age / 20))
		admit(&kept_there, between(0.5, 2) * age);
	if (is_time(1.0 / 4))
		forget_here();
}

/* Two places open files; at one of them they live for long and are closed. */
static void two_sites(void)
{
	loses("fd file", "forget_here");
	work(age / 20, lose_here_not_there);
}

PLACE static void forget_in_child(void)
{
	counted(file());
}

static int accounts[2];

static void lose_in_child(void)
{
	/* Nothing before somebody looks. */
	next = age / 5;
	for (begun = now(); may_lose(); pause_for(age / 10)) {
		shut(file());
		if (is_due(&next, age / 5)) {
			forget_in_child();
			if (write(accounts[1], "x", 1) != 1)
				_exit(0);
		}
	}
	for (;;)
		pause();
}

static void count_childs(void)
{
	char bytes[64];
	ssize_t more;

	while ((more = read(accounts[0], bytes, sizeof bytes)) > 0)
		lost.count += more;
}

static bool has_begun;

static void watch_child(void)
{
	if (!has_begun) {
		lost.who = helper(lose_in_child);
		dprintf(1, "who %d\n", lost.who);
		has_begun = true;
	}
	shut(file());
	count_childs();
}

/* A worker that was forked after memguard came; its parent is well. */
static void forked_child(void)
{
	checked(pipe2(accounts, O_NONBLOCK), "pipe2");
	loses("fd file", "forget_in_child");
	work(age / 20, watch_child);
}

PLACE static void forget_in_thread(void)
{
	counted(file());
}

static void *lose_in_thread(void *unused)
{
	(void)unused;
	for (;; pause_for(age / 20))
		if (is_time(1.0 / 5))
			forget_in_thread();
	return NULL;
}

static void open_and_close(void)
{
	static bool started;
	pthread_t thread;

	if (!started && pthread_create(&thread, NULL, lose_in_thread, NULL) != 0)
		errx(99, "pthread_create");
	started = true;
	shut(file());
}

/* One thread of two. */
static void in_thread(void)
{
	loses("fd file", "forget_in_thread");
	work(age / 20, open_and_close);
}

PLACE static void forget_after_exec(void)
{
	counted(file());
}

static void lose_after_exec(void)
{
	shut(file());
	if (is_time(1.0 / 5))
		forget_after_exec();
}

/* A new image of the program, in the middle of the warm-up; it goes on where the first one was. */
static void after_exec(void)
{
	char rest[32], *words[] = { "forget_shapes", "after_exec", arguments[0], arguments[1], rest,
				    arguments[3], NULL };

	loses("fd file", "forget_after_exec");
	if (getenv("AFTER_EXEC")) {
		begun = now();
		do {
			lose_after_exec();
			report_first();
			report();
		} while (!ends_within(age / 20));
		return;
	}
	begin();
	while (elapsed() < warm / 2)
		if (ends_within(age / 20))
			return;
	snprintf(rest, sizeof rest, "%f", span - elapsed());
	setenv("AFTER_EXEC", "1", 1);
	execv("/proc/self/exe", words);
	err(99, "execv");
}

PLACE static void forget_late(void)
{
	counted(file());
}

static double begins_at;

static void lose_late(void)
{
	shut(file());
	if (elapsed() > begins_at && is_time(1.0 / 8))
		forget_late();
}

/* Nothing for eight ages, or for half the time where that is less. */
static void begins_late(void)
{
	loses("fd file", "forget_late");
	begins_at = fmin(span / 2, 8 * age);
	next = begins_at;
	work(age / 20, lose_late);
}

/* A library, as it were. */
PLACE static FILE *load(const char *name)
{
	FILE *stream = fopen(name, "r");

	if (!stream)
		err(99, "%s", name);
	return stream;
}

PLACE static void tidy_caller(void)
{
	fclose(load("/proc/self/exe"));
}

PLACE static void forgetful_caller(void)
{
	load("/proc/self/exe");
	lost.count++;
}

static void call_both(void)
{
	REPEAT(3)
		tidy_caller();
	if (is_time(1.0 / 5))
		forgetful_caller();
}

/* Two callers of a library function; one of them forgets to give back. */
static void two_callers(void)
{
	loses("fd file", "forgetful_caller");
	work(age / 20, call_both);
}

int main(int argc, char **argv)
{
	const struct scenario all[] = {
		{ "fast", fast },
		{ "slow", slow },
		{ "in_bursts", in_bursts },
		{ "two_sites", two_sites },
		{ "forked_child", forked_child },
		{ "in_thread", in_thread },
		{ "after_exec", after_exec },
		{ "begins_late", begins_late },
		{ "two_callers", two_callers },
		{ NULL, NULL },
	};

	return workload(argc, argv, all);
}
