/*
 * leak_fds_sockets [EXIT_CODE]
 *
 * Leaves exactly 7 files and 9 TCP sockets open, then ends with EXIT_CODE (default 0).
 *
 *   files    3 by open, 2 by openat, 2 by creat                       = 7, all of /dev/null
 *   sockets  4 by socket, never bound or connected
 *            1 listener on 127.0.0.1
 *            2 both sides of the first connection
 *            2 accepted sides of the next two, whose connecting side is closed = 9
 *
 * Noise: 100 balanced open/close pairs, from a line of their own. All handles are taken within a
 * few milliseconds at the start; the program then lives for 200 ms, so nothing piles up over time.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int checked(int descriptor, const char *what)
{
	if (descriptor < 0)
		err(99, "%s", what);
	return descriptor;
}

static int tcp(void)
{
	return checked(socket(AF_INET, SOCK_STREAM, 0), "socket");
}

static void leak_files(void)
{
	for (int i = 0; i < 3; i++)
		checked(open("/dev/null", O_RDONLY), "open");
	for (int i = 0; i < 2; i++)
		checked(openat(AT_FDCWD, "/dev/null", O_WRONLY), "openat");
	for (int i = 0; i < 2; i++)
		checked(creat("/dev/null", 0600), "creat");
}

static void leak_sockets(void)
{
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof here;

	for (int i = 0; i < 4; i++)
		tcp();
	int listener = tcp();
	checked(bind(listener, (struct sockaddr *)&here, size), "bind");
	checked(listen(listener, 8), "listen");
	checked(getsockname(listener, (struct sockaddr *)&here, &size), "getsockname");
	for (int i = 0; i < 3; i++) {
		int connecting = tcp();
		checked(connect(connecting, (struct sockaddr *)&here, size), "connect");
		checked(accept4(listener, NULL, NULL, SOCK_CLOEXEC), "accept4");
		if (i > 0)
			close(connecting);
	}
}

int main(int argc, char **argv)
{
	leak_files();
	leak_sockets();
	for (int i = 0; i < 100; i++)
		close(checked(open("/dev/null", O_RDWR), "open"));
	nanosleep(&(struct timespec){ .tv_nsec = 200 * 1000 * 1000 }, NULL);
	return argc > 1 ? atoi(argv[1]) : 0;
}
