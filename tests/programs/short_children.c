/*
 * short_children [N [fork|exec]]
 *
 * Starts N (default 3000) children, one after the other. Each leaves exactly 1 descriptor (by open)
 * and ends at once with _exit: as a fork (default), or after executing this program anew.
 *
 * Prints the pid of each child, one a line, when all have ended. The parent leaves nothing.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void leaf(void)
{
	_exit(open("/dev/null", O_RDONLY) < 0 ? 99 : 0);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "leaf") == 0)
		leaf();

	int n = argc > 1 ? atoi(argv[1]) : 3000;
	int exec = argc > 2 && strcmp(argv[2], "exec") == 0;
	pid_t *pids = calloc((size_t)n + 1, sizeof *pids);

	if (!pids)
		err(99, "calloc");
	for (int i = 0; i < n; i++) {
		int status;

		pids[i] = fork();
		if (pids[i] < 0)
			err(99, "fork");
		if (pids[i] == 0) {
			if (exec)
				execl("/proc/self/exe", argv[0], "leaf", (char *)NULL);
			else
				leaf();
			_exit(98);
		}
		if (waitpid(pids[i], &status, 0) < 0)
			err(99, "waitpid");
		if (status != 0)
			errx(99, "child %d ended with status %#x", pids[i], status);
	}
	for (int i = 0; i < n; i++)
		printf("%d\n", pids[i]);
	free(pids);
	return 0;
}
