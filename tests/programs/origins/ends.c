/*
 * ends
 *
 * Before main and behind it.
 */
#include "origins.h"

static FRAME int leak(void)
{
	return checked(open("/dev/null", O_RDONLY)); /* LEAK */
}

static FRAME __attribute__((EDGE)) void edge(void)
{
	REPEAT
		leak();
}

int main(void)
{
	return 0;
}
