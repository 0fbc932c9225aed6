/*
 * What the scenarios of processes that are watched while they run have in common, on top of zoo.h.
 * Each says "ready", waits for a line, works for SECONDS (the first word behind its name), says what
 * memguard is to report by then and "done", and ends when its standard input does.
 *
 * Those about memory, and about what is counted like it, say so in lines of their own; "*" is any:
 *
 *   finds PID VERDICT RESOURCE KIND COUNT BYTES FUNCTION   to be reported, to the last byte
 *   grows PID RESOURCE KIND BYTES SECONDS CALL FUNCTION    to be reported as growth: so many bytes in
 *                                                          so long, most of them acquired by CALL
 */
#ifndef ZOO_WATCHED_H
#define ZOO_WATCHED_H

#include "zoo.h"

#define NOINLINE __attribute__((noinline))

enum { PAGE = 4096, KIB = 1024, MIB = 1024 * 1024 };

/* Seconds, where the command line has none. */
static double usual_duration = 8;

static inline double duration(void)
{
	return arguments[0] ? strtod(arguments[0], NULL) : usual_duration;
}

/* Waits for a line, or for the end of the input. */
static inline void await_line(void)
{
	char byte;

	while (read(0, &byte, 1) == 1 && byte != '\n')
		;
}

static inline void ready(void)
{
	dprintf(1, "ready\n");
	await_line();
}

/* Calls `step` every `seconds` until the time is over; returns how often. */
static inline int keep_doing(double seconds, void (*step)(void))
{
	double start = now();
	int count = 0;

	while (now() - start < duration()) {
		step();
		count++;
		pause_for(seconds);
	}
	return count;
}

/* `what` is resource and kind: "mmap anon". */
static inline void finds(pid_t pid, const char *verdict, const char *what, long count, long bytes,
			 const char *function)
{
	dprintf(1, "finds %d %s %s %ld %ld %s\n", pid, verdict, what, count, bytes, function);
}

/* The same for what has no size. */
static inline void finds_count(pid_t pid, const char *verdict, const char *what, long count,
			       const char *function)
{
	dprintf(1, "finds %d %s %s %ld * %s\n", pid, verdict, what, count, function);
}

/* Writes to every page, which makes each of them memory. */
static inline void touch(void *start, size_t bytes)
{
	for (size_t at = 0; at < bytes; at += PAGE)
		((volatile char *)start)[at] = 1;
}

static inline int watched_zoo(int argc, char **argv, const struct scenario *all)
{
	zoo(argc, argv, all);
	dprintf(1, "done\n");
	await_line();
	return 0;
}

#endif
