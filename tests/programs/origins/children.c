/*
 * children MODE [PROGRAM]
 *
 *   forked    a child leaks and ends at once
 *   vforked   the same on the memory of its parent
 *   executed  a child ends as PROGRAM, which leaks
 */
#include "origins.h"
#include <sys/wait.h>

static void reap(pid_t pid)
{
	int status;

	if (checked(waitpid(pid, &status, 0)) != pid || status != 0)
		errx(99, "child %d ended with status %#x", pid, status);
}

static FRAME int leak(void)
{
	return checked(open("/dev/null", O_RDONLY)); /* LEAK */
}

static FRAME void child(void)
{
	REPEAT
		leak();
	_exit(0);
}

static FRAME void forked(void)
{
	pid_t pid = checked(fork());

	if (pid == 0)
		child();
	reap(pid);
}

static FRAME void vforked(void)
{
	pid_t pid = checked(vfork());

	if (pid == 0)
		child();
	reap(pid);
}

static FRAME void executed(void)
{
	pid_t pid = checked(vfork());

	if (pid == 0) {
		execv(arguments[0], arguments);
		_exit(99);
	}
	reap(pid);
}

static const struct mode modes[] = {
	{ "forked", forked },
	{ "vforked", vforked },
	{ "executed", executed },
	{ NULL, NULL },
};

int main(int count, char **words)
{
	(void)count;
	chosen(words, modes)();
	RETURNS_HERE();
	return 0;
}
