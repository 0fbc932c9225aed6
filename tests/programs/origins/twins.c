/*
 * twins MODE
 *
 * Two static functions of one name, one here and one in twins_other.c.
 */
#include "origins.h"

void second(void);

static FRAME int leak(void)
{
	return checked(open("/dev/null", O_RDONLY)); /* LEAK */
}

static FRAME void first(void)
{
	leak();
	RETURNS_HERE();
}

static const struct mode modes[] = {
	{ "first", first },
	{ "second", second },
	{ NULL, NULL },
};

int main(int count, char **words)
{
	void (*steps)(void) = chosen(words, modes);

	(void)count;
	REPEAT
		steps();
	return 0;
}
