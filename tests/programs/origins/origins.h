/*
 * What the programs with known origins have in common. Each keeps descriptors that one line takes,
 * marked LEAK (and with a name, where a file has several), and ends with 0; what goes wrong ends it
 * with 99.
 */
#ifndef ORIGINS_H
#define ORIGINS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <err.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A function that is a frame of its own at every level of optimisation, and keeps its name. */
#define FRAME __attribute__((noipa))

/* Behind a call: with something left to do, the compiler cannot jump to the callee instead. */
#define RETURNS_HERE() __asm__ volatile("" ::: "memory")

/* How many descriptors a program keeps. Unknown to the compiler, or it would unroll the loop, and
 * each copy of the call is another place. */
__attribute__((unused)) static volatile int turns = 3;

#define REPEAT for (int turn = turns; turn > 0; turn--)

static inline int checked(long descriptor)
{
	if (descriptor < 0)
		err(99, "no descriptor");
	return (int)descriptor;
}

__attribute__((unused)) static inline void succeeds(int result)
{
	if (result != 0)
		err(99, "result %d", result);
}

__attribute__((unused)) static inline void exists(const void *object)
{
	if (!object)
		err(99, "nothing");
}

/* Stays for so many seconds as the environment has in LINGER: somebody may want to read its files. */
__attribute__((unused)) static inline void linger(void)
{
	const char *seconds = getenv("LINGER");

	if (seconds)
		sleep((unsigned)atoi(seconds));
}

struct mode {
	const char *name;
	void (*steps)(void);
};

/* What stands behind the mode on the command line. */
__attribute__((unused)) static char **arguments;

__attribute__((unused)) static inline void (*chosen(char **words, const struct mode *modes))(void)
{
	if (!words[1])
		errx(99, "which mode?");
	arguments = words + 2;
	while (modes->name && strcmp(modes->name, words[1]) != 0)
		modes++;
	if (!modes->name)
		errx(99, "no mode %s", words[1]);
	return modes->steps;
}

#endif
