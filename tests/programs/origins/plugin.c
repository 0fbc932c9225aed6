/* A shared library that leaks, and is closed or gone before anybody looks. */
#include "origins.h"

static FRAME int leak(void)
{
	return checked(open("/dev/null", O_RDONLY)); /* LEAK */
}

void enter(void);

FRAME void enter(void)
{
	leak();
	RETURNS_HERE();
}
