/*
 * calls MODE
 *
 * The ways into the kernel: through functions of libc that take a descriptor on behalf of the caller,
 * deep inside of them, and without libc.
 */
#include "origins.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <fts.h>
#include <mntent.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#define WAY(name) static FRAME void name(void)

WAY(by_open)
{
	checked(open("/dev/null", O_RDONLY)); /* LEAK by_open */
}

WAY(by_creat)
{
	checked(creat("/dev/null", 0600)); /* LEAK by_creat */
}

WAY(by_fopen)
{
	exists(fopen("/dev/null", "r")); /* LEAK by_fopen */
}

WAY(by_opendir)
{
	exists(opendir("/proc/self")); /* LEAK by_opendir */
}

WAY(by_socket)
{
	checked(socket(AF_UNIX, SOCK_STREAM, 0)); /* LEAK by_socket */
}

static FRAME void connect_to(int listener)
{
	struct sockaddr_in here;
	socklen_t size = sizeof here;
	int descriptor = checked(socket(AF_INET, SOCK_STREAM, 0));

	succeeds(getsockname(listener, (struct sockaddr *)&here, &size));
	succeeds(connect(descriptor, (struct sockaddr *)&here, size));
	close(descriptor);
}

WAY(by_accept)
{
	int listener = checked(socket(AF_INET, SOCK_STREAM, 0));

	succeeds(listen(listener, 8));
	connect_to(listener);
	checked(accept(listener, NULL, NULL)); /* LEAK by_accept */
	close(listener);
}

WAY(by_pipe)
{
	int ends[2];

	succeeds(pipe(ends)); /* LEAK by_pipe */
}

WAY(by_socketpair)
{
	int ends[2];

	succeeds(socketpair(AF_UNIX, SOCK_STREAM, 0, ends)); /* LEAK by_socketpair */
}

WAY(by_dup)
{
	checked(dup(1)); /* LEAK by_dup */
}

WAY(by_fcntl)
{
	checked(fcntl(1, F_DUPFD_CLOEXEC, 20)); /* LEAK by_fcntl */
}

WAY(by_epoll)
{
	checked(epoll_create1(0)); /* LEAK by_epoll */
}

WAY(by_eventfd)
{
	checked(eventfd(0, 0)); /* LEAK by_eventfd */
}

WAY(by_signalfd)
{
	sigset_t none;

	sigemptyset(&none);
	checked(signalfd(-1, &none, 0)); /* LEAK by_signalfd */
}

WAY(by_timerfd)
{
	checked(timerfd_create(CLOCK_MONOTONIC, 0)); /* LEAK by_timerfd */
}

WAY(by_inotify)
{
	checked(inotify_init1(0)); /* LEAK by_inotify */
}

WAY(by_memfd)
{
	checked(memfd_create("kept", 0)); /* LEAK by_memfd */
}

WAY(by_shm_open)
{
	checked(shm_open("/memguard-origins", O_RDWR | O_CREAT, 0600)); /* LEAK by_shm_open */
	shm_unlink("/memguard-origins");
}

WAY(by_openpt)
{
	checked(posix_openpt(O_RDWR | O_NOCTTY)); /* LEAK by_openpt */
}

WAY(by_mkstemp)
{
	char path[] = "/tmp/memguard-origins-XXXXXX";

	checked(mkstemp(path)); /* LEAK by_mkstemp */
	unlink(path);
}

WAY(by_tmpfile)
{
	exists(tmpfile()); /* LEAK by_tmpfile */
}

WAY(by_popen)
{
	exists(popen("true", "r")); /* LEAK by_popen */
}

WAY(by_setmntent)
{
	exists(setmntent("/proc/self/mounts", "r")); /* LEAK by_setmntent */
}

WAY(by_fts)
{
	char *roots[] = { (char *)"/dev/null", NULL };

	exists(fts_open(roots, FTS_PHYSICAL, NULL)); /* LEAK by_fts */
}

/* What these two keep is kept once: the next call finds it. */
WAY(by_getpwent)
{
	exists(getpwent()); /* LEAK by_getpwent */
}

WAY(by_gethostent)
{
	exists(gethostent()); /* LEAK by_gethostent */
}

/* Everything that this takes it gives back, which is many calls, and the stack is deep. */
WAY(by_getaddrinfo)
{
	struct addrinfo *found = NULL;

	succeeds(getaddrinfo("localhost", "80", NULL, &found));
	checked(socket(found->ai_family, SOCK_STREAM, 0)); /* LEAK by_getaddrinfo */
	freeaddrinfo(found);
}

WAY(by_syscall)
{
	checked(syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY)); /* LEAK by_syscall */
}

WAY(by_instruction)
{
	long result = SYS_openat;
	register long flags __asm__("rdx") = O_RDONLY;

	__asm__ volatile("syscall" : "+a"(result) : "D"((long)AT_FDCWD), "S"("/dev/null"), "r"(flags) : "rcx", "r11", "memory"); /* LEAK by_instruction */
	checked(result);
}

static const struct mode modes[] = {
	{ "by_open", by_open },
	{ "by_creat", by_creat },
	{ "by_fopen", by_fopen },
	{ "by_opendir", by_opendir },
	{ "by_socket", by_socket },
	{ "by_accept", by_accept },
	{ "by_pipe", by_pipe },
	{ "by_socketpair", by_socketpair },
	{ "by_dup", by_dup },
	{ "by_fcntl", by_fcntl },
	{ "by_epoll", by_epoll },
	{ "by_eventfd", by_eventfd },
	{ "by_signalfd", by_signalfd },
	{ "by_timerfd", by_timerfd },
	{ "by_inotify", by_inotify },
	{ "by_memfd", by_memfd },
	{ "by_shm_open", by_shm_open },
	{ "by_openpt", by_openpt },
	{ "by_mkstemp", by_mkstemp },
	{ "by_tmpfile", by_tmpfile },
	{ "by_popen", by_popen },
	{ "by_setmntent", by_setmntent },
	{ "by_fts", by_fts },
	{ "by_getpwent", by_getpwent },
	{ "by_gethostent", by_gethostent },
	{ "by_getaddrinfo", by_getaddrinfo },
	{ "by_syscall", by_syscall },
	{ "by_instruction", by_instruction },
	{ NULL, NULL },
};

int main(int count, char **words)
{
	void (*way)(void) = chosen(words, modes);

	(void)count;
	REPEAT
		way();
	return 0;
}
