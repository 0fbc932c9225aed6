/*
 * part
 *
 * The compiler makes copies of a function for arguments that it knows, and names them
 * leak.constprop.0 and the like.
 */
#include "origins.h"

static __attribute__((noinline)) int leak(const char *path, int flags)
{
	return checked(open(path, flags)); /* LEAK */
}

int main(void)
{
	REPEAT
		leak("/dev/null", O_RDONLY);
	return 0;
}
