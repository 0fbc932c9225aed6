/*
 * What the workloads of the accuracy suite have in common, on top of zoo_watched.h: programs that go
 * about a service's work for as long as they are let, and either lose something by it or do not.
 *
 *   PROGRAM WORKLOAD AGE WARM SPAN FOLDER
 *
 * AGE is memguard's --min-age in seconds, WARM its --warm-up: every pace and every life is a multiple
 * of AGE unless it says that it is in seconds, so that a run of half a minute and one of five have the
 * same shapes. A workload says "ready", begins on a line, and after SPAN seconds says what it has lost
 * by then (zoo_watched.h) and "done". From there on it loses nothing more, but works on until its
 * standard input ends: one that falls silent is another shape.
 *
 * All but WARM and AGE is in seconds for the workloads whose sources say so; they work at memguard's
 * default options only.
 *
 *   who PID          the process that does it, where that is not the one that was started
 *   first TIME       when something was lost for the first time, in seconds since 1970
 *   gave_back TIME   when something that had stayed was given back, once a second at most; who has
 *                    not seen that yet cannot tell it from a leak
 *   keeps            nothing will be given back, and there will be no more of it
 *   at_most COUNT    so many descriptors at any time; said where that cannot be seen early
 *   exhausts LIMIT   what is lost is on its way to this limit
 *   full             ... and reaches it
 */
#ifndef WORK_H
#define WORK_H

#include "zoo_watched.h"

#include <limits.h>
#include <math.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/stat.h>

/* A place by itself: equal functions are otherwise made one by the compiler, under one of the names. */
#define PLACE __attribute__((noinline, no_icf))

static double age, warm, span, begun;

/* What was lost so far: how many, how many bytes where they have a size, and by whom. */
static struct {
	pid_t who;
	const char *what, *function;
	long count, bytes;
} lost;

/* Says what was lost; a workload may say it in its own way. */
static void tell_loss(void)
{
	if (!lost.what)
		return;
	if (lost.bytes)
		finds(lost.who, "leak", lost.what, lost.count, lost.bytes, lost.function);
	else
		finds_count(lost.who, "leak", lost.what, lost.count, lost.function);
}

static void (*tell)(void) = tell_loss;

static inline double elapsed(void)
{
	return now() - begun;
}

/* Time in ages since the work began. */
static inline double ages(void)
{
	return elapsed() / age;
}

/* Whether more may be lost. */
static inline bool may_lose(void)
{
	return elapsed() < span;
}

static inline double since_1970(void)
{
	struct timespec time;

	clock_gettime(CLOCK_REALTIME, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Says once when the first was lost. */
static inline void report_first(void)
{
	static bool reported;

	if (reported || (lost.count == 0 && lost.bytes == 0))
		return;
	reported = true;
	dprintf(1, "first %.3f\n", since_1970());
}

/* Says that what had stayed is given back. */
static inline void gives_back(void)
{
	static double reported;

	if (now() - reported >= 1.0) {
		reported = now();
		dprintf(1, "gave_back %.3f\n", since_1970());
	}
}

/* What is opened stays, and is all that there will be. */
static inline void keeps(void)
{
	dprintf(1, "keeps\n");
}

static inline void holds_at_most(int count)
{
	dprintf(1, "at_most %d\n", count);
}

static inline void loses(const char *what, const char *function)
{
	lost.who = getpid();
	lost.what = what;
	lost.function = function;
}

/* Waits; true where the input has ended meanwhile, and with it the work. */
static inline bool ends_within(double seconds)
{
	struct pollfd input = { .fd = 0, .events = POLLIN };
	struct timespec time = { .tv_sec = (time_t)seconds };

	time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
	return ppoll(&input, 1, &time, NULL) > 0;
}

/* Ends when the work begins. */
static int starting[2];

static inline void begin(void)
{
	ready();
	if (starting[1]) {
		shut(starting[0]);
		shut(starting[1]);
	}
	begun = now();
}

/* Says once that the time is over. */
static inline void report(void)
{
	static bool reported;

	if (reported || may_lose())
		return;
	reported = true;
	tell();
	dprintf(1, "done\n");
}

/* Takes a step every so many seconds until the input ends. */
static inline void work(double seconds, void (*step)(void))
{
	begin();
	do {
		step();
		report_first();
		report();
	} while (!ends_within(seconds));
}

/* Between 0 and 1, the same in each run. */
static inline double chance(void)
{
	return drand48();
}

static inline double between(double least, double most)
{
	return least + (most - least) * chance();
}

/* A life without memory. */
static inline double exponential(double mean)
{
	return -mean * log(1 - chance());
}

static inline bool one_in(int many)
{
	return chance() * many < 1;
}

/* Once for every so many seconds that have passed; the first time at once. */
static inline bool is_due(double *next, double seconds)
{
	if (elapsed() < *next)
		return false;
	*next += seconds;
	return true;
}

/* Descriptors, or whatever has a number, each with the time at which it is given back. */
enum { ROOM = 1024 };

struct population {
	int (*acquire)(void);
	void (*release)(int number);
	int count;
	struct {
		int number;
		double until;
	} of[ROOM];
};

static inline void admit(struct population *all, double life)
{
	if (all->count == ROOM)
		errx(99, "the population has no room");
	all->of[all->count].number = all->acquire();
	all->of[all->count++].until = elapsed() + life;
}

static inline void dismiss(struct population *all, int which)
{
	all->release(all->of[which].number);
	gives_back();
	all->of[which] = all->of[--all->count];
}

static inline void dismiss_due(struct population *all)
{
	for (int i = all->count; i-- > 0;)
		if (all->of[i].until <= elapsed())
			dismiss(all, i);
}

/* A process beside this one, which ends with it. */
static inline pid_t helper(void (*steps)(void))
{
	pid_t parent = getpid(), pid = checked(fork(), "fork");

	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	steps();
	_exit(0);
}

/* The same for one that begins with the work: a client whose server may not answer for minutes yet. */
static inline void helper_at_work(void (*steps)(void))
{
	pid_t parent = getpid();
	char byte;

	checked(pipe2(starting, O_CLOEXEC), "pipe2");
	if (checked(fork(), "fork") > 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	shut(starting[1]);
	while (read(starting[0], &byte, 1) > 0)
		;
	steps();
	_exit(0);
}

/* Where the peer listens, and how long it suffers a client that says nothing, in seconds. */
static struct sockaddr_in peer_address;
static int peer_listening;
static double peer_patience = 1e9;

/* A server as it should be: reads what comes and hangs up when its client does, or bores it. */
static inline void serve_as_peer(void)
{
	static struct pollfd all[ROOM];
	static double since[ROOM];
	char bytes[256];
	int count = 1;

	all[0] = (struct pollfd){ .fd = peer_listening, .events = POLLIN };
	for (;;) {
		checked(poll(all, (nfds_t)count, 50), "poll");
		for (int i = count; i-- > 1;) {
			bool silent = all[i].revents == 0;

			if (silent ? now() - since[i] < peer_patience : read(all[i].fd, bytes, sizeof bytes) > 0) {
				since[i] = silent ? since[i] : now();
				continue;
			}
			shut(all[i].fd);
			all[i] = all[--count];
			since[i] = since[count];
		}
		if (all[0].revents && count < ROOM) {
			since[count] = now();
			all[count++] = (struct pollfd){ .fd = checked(accept(peer_listening, NULL, NULL), "accept"),
							.events = POLLIN };
		}
	}
}

/* Before "ready", so that it is there when memguard comes. */
static inline void start_peer(double patience)
{
	peer_listening = listener(&peer_address);
	peer_patience = patience;
	helper(serve_as_peer);
	shut(peer_listening);
}

static inline int dial(void)
{
	return connected_to(&peer_address);
}

/* One byte, and room for one descriptor with it. */
struct mail {
	char byte, room[CMSG_SPACE(sizeof(int))];
	struct iovec piece;
	struct msghdr message;
};

static inline struct msghdr *prepared(struct mail *mail)
{
	memset(mail, 0, sizeof *mail);
	mail->piece = (struct iovec){ .iov_base = &mail->byte, .iov_len = 1 };
	mail->message = (struct msghdr){ .msg_iov = &mail->piece, .msg_iovlen = 1, .msg_control = mail->room,
					 .msg_controllen = sizeof mail->room };
	return &mail->message;
}

static inline void send_descriptor(int socket, int descriptor)
{
	struct mail mail;
	struct cmsghdr *head = CMSG_FIRSTHDR(prepared(&mail));

	*head = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
				  .cmsg_len = CMSG_LEN(sizeof descriptor) };
	memcpy(CMSG_DATA(head), &descriptor, sizeof descriptor);
	checked(sendmsg(socket, &mail.message, 0), "sendmsg");
}

/* Ends the process when nobody sends any more. */
static inline int receive_descriptor(int socket)
{
	struct mail mail;
	int descriptor;

	if (checked(recvmsg(socket, prepared(&mail), 0), "recvmsg") == 0)
		_exit(0);
	memcpy(&descriptor, CMSG_DATA(CMSG_FIRSTHDR(&mail.message)), sizeof descriptor);
	return descriptor;
}

/* A directory of this process's own, in the one that the command line names. */
static char folder[PATH_MAX];

static inline void make_folder(void)
{
	snprintf(folder, sizeof folder, "%s/%d", arguments[3], getpid());
	checked(mkdir(folder, 0700), folder);
}

/* The number of the file is part of its name. */
static inline int file_in_folder(int number)
{
	char name[PATH_MAX + 16];

	snprintf(name, sizeof name, "%s/%d", folder, number);
	return checked(open(name, O_RDWR | O_CREAT, 0600), name);
}

static inline int workload(int count, char **words, const struct scenario *all)
{
	if (count < 6)
		errx(99, "usage: WORKLOAD AGE WARM SPAN FOLDER");
	age = strtod(words[2], NULL);
	warm = strtod(words[3], NULL);
	span = strtod(words[4], NULL);
	arguments = words + 2;
	srand48(words[1][0] * 7919 + (long)strlen(words[1]));
	allow_descriptors(8000);
	while (all->name && strcmp(all->name, words[1]) != 0)
		all++;
	if (!all->name)
		errx(99, "no workload %s", words[1]);
	all->steps();
	return 0;
}

#endif
