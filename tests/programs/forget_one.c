/*
 * forget_one
 *
 * Opens one file and leaves it open.
 */
#include <err.h>
#include <fcntl.h>

static void forget_one(void)
{
	if (open("/dev/null", O_RDONLY) < 0)
		err(99, "open");
}

int main(void)
{
	forget_one();
	return 0;
}
