/*
 * leaves MODE
 *
 * Ways of control that are no plain call and return.
 */
#include "origins.h"
#include <ftw.h>
#include <setjmp.h>

static FRAME int leak(void)
{
	return checked(open("/dev/null", O_RDONLY)); /* LEAK */
}

static jmp_buf back;

static FRAME void jumps(int depth)
{
	if (depth > 0)
		jumps(depth - 1);
	else if (turns > 0)
		longjmp(back, 1);
	RETURNS_HERE();
}

static FRAME void jumped(void)
{
	if (setjmp(back) == 0)
		jumps(5);
	REPEAT
		leak();
}

/* Does not return, so the call of it is the last instruction of its caller, and the address behind
 * the call belongs to the next function. */
static FRAME __attribute__((noreturn)) void ends(void)
{
	REPEAT
		leak();
	exit(0);
}

static FRAME void ending(void)
{
	ends();
}

static FRAME int compare(const void *one, const void *other)
{
	static int left = 3;

	if (left > 0 && left--)
		leak();
	return *(const int *)one - *(const int *)other;
}

static FRAME void sorts(void)
{
	int numbers[] = { 4, 3, 2, 1 };

	qsort(numbers, 4, sizeof *numbers, compare);
	RETURNS_HERE();
}

static FRAME int visit(const char *path, const struct stat *status, int kind, struct FTW *place)
{
	(void)path;
	(void)status;
	(void)kind;
	(void)place;
	leak();
	return 0;
}

static FRAME void walks(void)
{
	REPEAT
		succeeds(nftw("/dev/null", visit, 1, FTW_PHYS));
}

static FRAME void at_exit(void)
{
	REPEAT
		leak();
}

static FRAME void exits(void)
{
	succeeds(atexit(at_exit));
}

static const struct mode modes[] = {
	{ "jumped", jumped },
	{ "ending", ending },
	{ "sorts", sorts },
	{ "walks", walks },
	{ "exits", exits },
	{ NULL, NULL },
};

int main(int count, char **words)
{
	(void)count;
	chosen(words, modes)();
	RETURNS_HERE();
	return 0;
}
