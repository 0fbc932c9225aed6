/*
 * united
 *
 * The caller of a function in another file (united_leak.c), which link-time optimisation inlines.
 */
#include "origins.h"

int leak(void);

static FRAME void outer(void)
{
	leak();
	RETURNS_HERE();
}

int main(void)
{
	REPEAT
		outer();
	return 0;
}
