/*
 * inlined
 *
 * leak is inlined into middle, and that into outer: with debug information all three have a name,
 * without it only outer has.
 */
#include "origins.h"

static inline __attribute__((always_inline)) void leak(void)
{
	checked(open("/dev/null", O_RDONLY)); /* LEAK */
}

static inline __attribute__((always_inline)) void middle(void)
{
	leak();
}

static FRAME void outer(void)
{
	middle();
}

int main(void)
{
	REPEAT
		outer();
	return 0;
}
