/* The other half of united.c. */
#include "origins.h"

int leak(void);

int leak(void)
{
	return checked(open("/dev/null", O_RDONLY)); /* LEAK */
}
