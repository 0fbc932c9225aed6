/*
 * tree [after|before]
 *
 * Four processes that leave 1, 2, 3 and 4 descriptors of their own (by open), 10 in total:
 *
 *   parent      1
 *   child-a     2
 *   grandchild  4   (forked by child-a)
 *   child-b     3
 *
 * after (default)  each process opens its own once it has forked its children: nobody inherits
 * before           each opens its own first, so child-a and child-b also hold a copy of the
 *                  parent's 1, and the grandchild copies of 1 + 2
 *
 * Every process prints "ROLE PID COUNT", and waits for its children before it ends.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int before;

static void leak(const char *role, int count)
{
	for (int i = 0; i < count; i++)
		if (open("/dev/null", O_RDONLY) < 0)
			err(99, "open");
	dprintf(1, "%s %d %d\n", role, getpid(), count);
}

static int succeeded(pid_t child)
{
	int status;

	return waitpid(child, &status, 0) == child && status == 0;
}

static pid_t start(int (*body)(void))
{
	pid_t child = fork();

	if (child < 0)
		err(99, "fork");
	if (child == 0)
		_exit(body());
	return child;
}

static int grandchild(void)
{
	leak("grandchild", 4);
	return 0;
}

static int child_a(void)
{
	if (before)
		leak("child-a", 2);
	pid_t child = start(grandchild);
	if (!before)
		leak("child-a", 2);
	return succeeded(child) ? 0 : 98;
}

static int child_b(void)
{
	leak("child-b", 3);
	return 0;
}

int main(int argc, char **argv)
{
	before = argc > 1 && strcmp(argv[1], "before") == 0;
	if (before)
		leak("parent", 1);
	pid_t a = start(child_a);
	pid_t b = start(child_b);
	if (!before)
		leak("parent", 1);
	int well = succeeded(a);
	return succeeded(b) && well ? 0 : 98;
}
