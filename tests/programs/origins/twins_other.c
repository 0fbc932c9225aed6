/* The second of the twins. */
#include "origins.h"

void second(void);

static FRAME int leak(void)
{
	return checked(open("/dev/zero", O_RDONLY)); /* LEAK */
}

FRAME void second(void)
{
	leak();
	RETURNS_HERE();
}
