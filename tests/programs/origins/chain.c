/*
 * chain
 *
 * main calls outer calls middle calls leak: the plain case, built in every way there is.
 */
#include "origins.h"

static FRAME int leak(void)
{
	return checked(open("/dev/null", O_RDONLY)); /* LEAK */
}

static FRAME void middle(void)
{
	leak();
	RETURNS_HERE();
}

static FRAME void outer(void)
{
	middle();
	RETURNS_HERE();
}

int main(void)
{
	REPEAT
		outer();
	linger();
	return 0;
}
