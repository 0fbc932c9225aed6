/*
 * swaps FILE
 *
 * Leaks, and then FILE takes the place of the program: whoever looks for the program by its name
 * finds another one.
 */
#include "origins.h"
#include <stdio.h>

static FRAME int leak(void)
{
	return checked(open("/dev/null", O_RDONLY)); /* LEAK */
}

int main(int count, char **words)
{
	if (count < 2)
		errx(99, "which file?");
	REPEAT
		leak();
	succeeds(rename(words[1], words[0]));
	linger();
	return 0;
}
