/*
 * depth MODE
 *
 * Frames that are many, large, of unknown size or aligned by hand.
 */
#include "origins.h"
#include <alloca.h>
#include <limits.h>
#include <stdio.h>

static FRAME int leak(void)
{
	return checked(open("/dev/null", O_RDONLY)); /* LEAK leak */
}

/* What lies there is used by somebody the compiler does not know. */
static inline void fill(void *buffer)
{
	__asm__ volatile("" :: "r"(buffer) : "memory");
}

static FRAME void descend(int depth)
{
	if (depth > 0)
		descend(depth - 1);
	else
		leak();
	RETURNS_HERE();
}

static FRAME void under_200(void)
{
	descend(199);
	RETURNS_HERE();
}

static FRAME void under_20000(void)
{
	descend(19999);
	RETURNS_HERE();
}

static FRAME void holds_1k(void)
{
	char buffer[1024];

	fill(buffer);
	leak();
	fill(buffer);
}

static FRAME void holds_3k(void)
{
	char buffer[3072];

	fill(buffer);
	leak();
	fill(buffer);
}

static FRAME void leak_below_path(void)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/%s", "/dev", "null");
	checked(open(path, O_RDONLY)); /* LEAK leak_below_path */
}

static FRAME void holds_unknown(void)
{
	char *buffer = alloca((size_t)turns * 100);

	fill(buffer);
	leak();
	fill(buffer);
}

static FRAME void leak_below_unknown(void)
{
	char *buffer = alloca((size_t)turns * 100);

	fill(buffer);
	checked(open("/dev/null", O_RDONLY)); /* LEAK leak_below_unknown */
	fill(buffer);
}

static FRAME void holds_aligned(void)
{
	_Alignas(256) char buffer[256];

	fill(buffer);
	leak();
	fill(buffer);
}

static FRAME void leak_below_aligned(void)
{
	_Alignas(256) char buffer[256];

	fill(buffer);
	checked(open("/dev/null", O_RDONLY)); /* LEAK leak_below_aligned */
	fill(buffer);
}

/* Eight arguments are more than there are registers: the caller pushes and pops around the call. */
static FRAME int leak_of_eight(int a, int b, int c, int d, int e, int f, int g, int h)
{
	return checked(open("/dev/null", a + b + c + d + e + f + g + h)); /* LEAK leak_of_eight */
}

static FRAME void pushes(void)
{
	leak_of_eight(0, 0, 0, 0, 0, 0, turns - 3, turns - 3);
	RETURNS_HERE();
}

static const struct mode modes[] = {
	{ "under_200", under_200 },
	{ "under_20000", under_20000 },
	{ "holds_1k", holds_1k },
	{ "holds_3k", holds_3k },
	{ "leak_below_path", leak_below_path },
	{ "holds_unknown", holds_unknown },
	{ "leak_below_unknown", leak_below_unknown },
	{ "holds_aligned", holds_aligned },
	{ "leak_below_aligned", leak_below_aligned },
	{ "pushes", pushes },
	{ NULL, NULL },
};

int main(int count, char **words)
{
	void (*steps)(void) = chosen(words, modes);

	(void)count;
	REPEAT
		steps();
	return 0;
}
