/*
 * tail MODE
 *
 * A function whose last act is a call jumps instead, and is on the stack no more. What is then right
 * is the function that has called it: its line is the one that is marked.
 */
#include "origins.h"

static FRAME int jumps_to_open(const char *path)
{
	return open(path, O_RDONLY);
}

static FRAME void called_open(void)
{
	checked(jumps_to_open("/dev/null")); /* LEAK called_open */
}

static FRAME int leak(const char *path)
{
	return checked(open(path, O_RDONLY)); /* LEAK leak */
}

static FRAME int jumps_to_leak(const char *path)
{
	return leak(path);
}

static FRAME void called_leak(void)
{
	checked(jumps_to_leak("/dev/null"));
}

static const struct mode modes[] = {
	{ "called_open", called_open },
	{ "called_leak", called_leak },
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
