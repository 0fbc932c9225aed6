/*
 * zoo_races SCENARIO [SECONDS]
 *
 * Threads that race for the same numbers for SECONDS (default 4). Each scenario counts how often it
 * met the order of events that it is about; see zoo.h for what is printed.
 */
#include "zoo.h"

#include <linux/close_range.h>
#include <pthread.h>
#include <stdatomic.h>

enum { THREADS = 4, NUMBERS = 1024, LIMIT = 8, COPY = 10, ABOVE = 64 };

static atomic_int over;
static atomic_long orders_met;

/* Threads take turns at the processors: left alone, the kernel may keep all of them on one. */
static void start(pthread_t *thread, void *(*steps)(void *))
{
	static int turn;
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t one;

	if (pthread_create(thread, NULL, steps, NULL) != 0)
		errx(99, "pthread_create");
	CPU_ZERO(&one);
	CPU_SET(turn++ % (int)processors, &one);
	/* Where it is not allowed there, it goes where it may. */
	pthread_setaffinity_np(*thread, sizeof one, &one);
}

/* Lets `count` threads do the same until the time is over. */
static void race(int count, void *(*const steps[])(void *))
{
	double seconds = arguments[0] ? strtod(arguments[0], NULL) : 4;
	pthread_t threads[THREADS];

	for (int i = 0; i < count; i++)
		start(&threads[i], steps[i]);
	pause_for(seconds);
	over = 1;
	for (int i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
}

/* Closes of a number that have begun and not returned. */
static atomic_int closing[NUMBERS];

static void announced_close(int number)
{
	closing[number]++;
	close(number);
	closing[number]--;
}

static void *churn(void *unused)
{
	(void)unused;
	while (!over) {
		int number = unix_socket();

		orders_met += closing[number] > 0;
		announced_close(number);
	}
	REPEAT(5)
		unix_socket();
	return NULL;
}

/* Leaves 20: four threads make and close sockets, then each keeps five. */
static void s06_close_reuse(void)
{
	race(4, (void *(*[])(void *)){ churn, churn, churn, churn });
	met(orders_met, "numbers handed out again before their close had returned");
	leaves("socket unix", 20, "socket");
}

static int blocking;

static void *close_for_a_second(void *unused)
{
	(void)unused;
	announced_close(blocking);
	return NULL;
}

/* A connection whose other side never reads, full to the brim, that takes a second to close. */
static int slow_to_close(int *listening, int *other)
{
	static char data[1 << 16];
	struct linger linger = { 1, 1 };
	struct sockaddr_in here;

	*listening = listener(&here);
	int sending = connected_to(&here);
	*other = checked(accept(*listening, NULL, NULL), "accept");
	checked(setsockopt(sending, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), "SO_LINGER");
	while (send(sending, data, sizeof data, MSG_DONTWAIT) > 0)
		;
	return sending;
}

/* Leaves 3 files, each opened under a number whose close is still blocked. */
static void s07_linger_reuse(void)
{
	REPEAT(3) {
		int listening, other;
		pthread_t closer;

		blocking = slow_to_close(&listening, &other);
		start(&closer, close_for_a_second);
		while (is_open(blocking))
			sched_yield();
		if (file() != blocking)
			errx(99, "the number was not given to the next who asked");
		orders_met += closing[blocking];
		pthread_join(closer, NULL);
		shut(listening);
		shut(other);
	}
	met(orders_met, "numbers handed out again while their close was blocked");
	leaves("fd file", 3, "openat");
}

static void *close_blindly(void *unused)
{
	(void)unused;
	while (!over)
		for (int number = 3; number < LIMIT; number++)
			close(number);
	return NULL;
}

/* With pauses: memguard copies the table after each. */
static void *close_ranges(void *unused)
{
	(void)unused;
	while (!over) {
		REPEAT(100)
			checked(close_range(3, LIMIT - 1, 0), "close_range");
		pause_for(0.002);
	}
	return NULL;
}

/* Opens and never closes; somebody else does, sometimes before the open has returned. */
static void *open_only(void *unused)
{
	(void)unused;
	while (!over) {
		int number = open("/dev/null", O_RDONLY);

		if (number < 0 && errno == EMFILE)
			sched_yield();
		else
			orders_met += !is_open(checked(number, "open"));
	}
	return NULL;
}

/* Leaves nothing: one closes what the other opens, without asking. */
static void s08_double_close(void)
{
	allow_descriptors(LIMIT);
	race(2, (void *(*[])(void *)){ open_only, close_blindly });
	checked(close_range(3, LIMIT - 1, 0), "close_range");
	met(orders_met, "descriptors closed before who opened them could use them");
}

/* The same with a range at a time. */
static void s29_close_range_race(void)
{
	allow_descriptors(LIMIT);
	race(2, (void *(*[])(void *)){ open_only, close_ranges });
	checked(close_range(3, LIMIT - 1, 0), "close_range");
	met(orders_met, "descriptors closed before who opened them could use them");
}

static volatile int ends[2];
static atomic_int pipe_returned, taken;

/* The kernel writes a number to memory shortly before anybody can use it. */
static void close_as_soon_as_possible(int number)
{
	while (close(number) != 0)
		;
}

/* Closes both ends as soon as they can be read in memory, whether the call has returned or not. */
static void *close_early(void *unused)
{
	(void)unused;
	while (!over) {
		while (!over && (ends[0] < 0 || ends[1] < 0))
			;
		if (over)
			break;
		orders_met += !pipe_returned;
		close_as_soon_as_possible(ends[0]);
		close_as_soon_as_possible(ends[1]);
		ends[0] = ends[1] = -1;
		taken = 1;
	}
	return NULL;
}

static void *make_pipes(void *unused)
{
	(void)unused;
	while (!over) {
		taken = pipe_returned = 0;
		checked(syscall(SYS_pipe, (int *)ends), "pipe");
		pipe_returned = 1;
		while (!taken && !over)
			;
	}
	return NULL;
}

/* Leaves nothing: the numbers of a pipe are in memory before the call returns. */
static void s09_pipe_poll(void)
{
	ends[0] = ends[1] = -1;
	race(2, (void *(*[])(void *)){ make_pipes, close_early });
	/* The last may be made and not closed. */
	checked(close_range(3, ABOVE, 0), "close_range");
	met(orders_met, "pipes known, and closed, before the call that made them had returned");
}

static int source;

static void *copy_onto(void *unused)
{
	(void)unused;
	while (!over) {
		long number = dup2(source, COPY);

		if (number == COPY)
			orders_met += !is_open(COPY);
		else if (errno != EBUSY)
			err(99, "dup2");
	}
	return NULL;
}

static void *close_the_copy(void *unused)
{
	(void)unused;
	while (!over)
		close(COPY);
	return NULL;
}

static void *open_lowest(void *unused)
{
	(void)unused;
	while (!over)
		close(unix_socket());
	return NULL;
}

/* Leaves nothing: one number is copied onto, opened and closed by three threads. */
static void s14_dup2_race(void)
{
	/* What is below is taken, so that it is the lowest free number. */
	REPEAT(COPY - 3)
		source = file();
	race(3, (void *(*[])(void *)){ copy_onto, close_the_copy, open_lowest });
	checked(close_range(3, ABOVE, 0), "close_range");
	met(orders_met, "copies closed before dup2 could use them");
}

/* What an exec in the middle of it becomes: whatever was open is inherited. */
static int image(int expected_standard)
{
	int came = open_now() - expected_standard;

	if (came > 0)
		expect(getpid(), "inherited", "socket unix", came, "socket");
	met(came > 0, "images that began with descriptors from the middle of a race");
	return 0;
}

static void *exec_in_the_middle(void *unused)
{
	char *words[] = { "zoo", "image", "3", NULL };

	(void)unused;
	pause_for(0.002);
	execv("/proc/self/exe", words);
	err(99, "execv");
}

static void *hold_two(void *unused)
{
	(void)unused;
	for (;;) {
		int one = unix_socket(), two = unix_socket();

		close(one);
		close(two);
	}
	return NULL;
}

/* Children whose threads race for numbers when one of them executes: what was open comes along. */
static void s35_exec_race(void)
{
	REPEAT(60) {
		pid_t pid = checked(fork(), "fork");

		if (pid == 0) {
			pthread_t thread;

			start(&thread, hold_two);
			start(&thread, hold_two);
			start(&thread, exec_in_the_middle);
			hold_two(NULL);
		}
		reap(pid);
	}
}

static void *fork_often(void *unused)
{
	(void)unused;
	while (!over) {
		pid_t pid = checked(fork(), "fork");

		if (pid == 0) {
			int in_flight = 0;

			for (int number = 3; number < ABOVE; number++)
				in_flight |= is_open(number);
			_exit(in_flight);
		}
		int status;
		checked(waitpid(pid, &status, 0), "waitpid");
		orders_met += status != 0;
	}
	return NULL;
}

/* Leaves nothing: children are forked while others open and close, and get copies of what is open. */
static void s39_fork_race(void)
{
	race(3, (void *(*[])(void *)){ open_lowest, open_lowest, fork_often });
	met(orders_met, "children that began with a copy from the middle of a race");
}

int main(int argc, char **argv)
{
	const struct scenario all[] = {
		{ "s06_close_reuse", s06_close_reuse },
		{ "s07_linger_reuse", s07_linger_reuse },
		{ "s08_double_close", s08_double_close },
		{ "s09_pipe_poll", s09_pipe_poll },
		{ "s14_dup2_race", s14_dup2_race },
		{ "s29_close_range_race", s29_close_range_race },
		{ "s35_exec_race", s35_exec_race },
		{ "s39_fork_race", s39_fork_race },
		{ NULL, NULL },
	};

	if (argc == 3 && strcmp(argv[1], "image") == 0)
		return image(atoi(argv[2]));
	return zoo(argc, argv, all);
}
