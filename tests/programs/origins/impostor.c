/*
 * A shared library as large as plugin.c's, in which other functions lie at the same places: where
 * memguard takes one for the other, it tells these names.
 */
#include "origins.h"

static FRAME int innocent(void)
{
	return checked(open("/dev/zero", O_RDONLY));
}

void enter(void);

/* The same function, but called otherwise. */
FRAME void bystander(void);
FRAME void bystander(void)
{
	close(innocent());
	RETURNS_HERE();
}

__asm__(".globl enter\n.set enter, bystander\n");
