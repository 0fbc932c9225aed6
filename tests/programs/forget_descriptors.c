/*
 * forget_descriptors WORKLOAD AGE WARM SPAN FOLDER
 *
 * Leaking: a descriptor of each kind, forgotten five times in an age, while another function makes
 * and closes four times as many of the same kind. See work.h.
 */
#include "work.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

static int original;

static int dup_of_file(void)
{
	return dup(original);
}

static int directory(void)
{
	return open(arguments[3], O_RDONLY | O_DIRECTORY);
}

static sigset_t no_signal;

/* What makes one; `forget_NAME` is the place to be named, and nothing else goes there. */
#define KIND_EVERY(seconds, name, kind, expression)            \
	PLACE static void forget_##name(void)                  \
	{                                                      \
		checked(expression, #name);                    \
		lost.count++;                                  \
	}                                                      \
	static void work_with_##name(void)                     \
	{                                                      \
		static double next;                            \
		shut(checked(expression, #name));              \
		if (may_lose() && is_due(&next, seconds))      \
			forget_##name();                       \
	}                                                      \
	static void name(void)                                 \
	{                                                      \
		loses(kind, "forget_" #name);                  \
		work(age / 20, work_with_##name);              \
	}

#define KIND(name, kind, expression) KIND_EVERY(age / 5, name, kind, expression)

KIND(files, "fd file", open("/proc/self/exe", O_RDONLY))
KIND(directories, "fd dir", directory())
KIND(udp_sockets, "socket udp", socket(AF_INET, SOCK_DGRAM, 0))
KIND(unix_sockets, "socket unix", socket(AF_UNIX, SOCK_STREAM, 0))
KIND(netlink_sockets, "socket netlink", socket(AF_NETLINK, SOCK_RAW, 0))
KIND(epolls, "fd epoll", epoll_create1(EPOLL_CLOEXEC))
KIND(eventfds, "fd eventfd", eventfd(0, EFD_CLOEXEC))
KIND(timerfds, "fd timerfd", timerfd_create(CLOCK_MONOTONIC, 0))
KIND(signalfds, "fd signalfd", signalfd(-1, &no_signal, 0))
/* A user may have 128 of them at a time, in all processes together. */
KIND_EVERY(span / 40, inotifies, "fd inotify", inotify_init1(0))
KIND(memfds, "fd memfd", memfd_create("forgotten", 0))
KIND(pidfds, "fd pidfd", syscall(SYS_pidfd_open, getpid(), 0))

static void copy_files(void)
{
	original = file();
}

KIND(copies_of_original, "fd file", dup_of_file())

/* Copies of a descriptor, for who thinks that closing the original is enough. */
static void copies(void)
{
	copy_files();
	copies_of_original();
}

/* A pair of descriptors at a time. */
#define PAIR(name, kind, call, ...)                            \
	PLACE static void forget_##name(void)               \
	{                                                      \
		int both[2];                                   \
		checked(call(__VA_ARGS__ both), #name);        \
		lost.count += 2;                               \
	}                                                      \
	static void work_with_##name(void)                     \
	{                                                      \
		static double next;                            \
		int both[2];                                   \
		checked(call(__VA_ARGS__ both), #name);        \
		shut(both[0]);                                 \
		shut(both[1]);                                 \
		if (may_lose() && is_due(&next, age / 5))      \
			forget_##name();                       \
	}                                                      \
	static void name(void)                                 \
	{                                                      \
		loses(kind, "forget_" #name);                  \
		work(age / 20, work_with_##name);              \
	}

PAIR(pipes, "fd pipe", pipe, )
PAIR(socket_pairs, "socket unix", socketpair, AF_UNIX, SOCK_STREAM, 0, )

KIND(clients, "socket tcp", dial())

/* Connections to a server that hangs up on who says nothing. */
static void tcp_clients(void)
{
	start_peer(0.3 * age);
	clients();
}

static void connect_for_ever(void)
{
	for (;; pause_for(age / 20)) {
		shut(dial());
		shut(dial());
	}
}

/* Connections of clients that have gone: CLOSE_WAIT. */
static void start_clients(void)
{
	peer_listening = listener(&peer_address);
	helper_at_work(connect_for_ever);
}

KIND(accepted, "socket tcp", accept(peer_listening, NULL, NULL))
KIND(accepted_4, "socket tcp", accept4(peer_listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK))

static void tcp_server(void)
{
	start_clients();
	accepted();
}

static void tcp_server_4(void)
{
	start_clients();
	accepted_4();
}

static int mail;

static void send_files(void)
{
	for (;;) {
		int descriptor = file();

		send_descriptor(mail, descriptor);
		shut(descriptor);
	}
}

KIND(received_files, "fd file", receive_descriptor(mail))

/* Descriptors that came with a message. */
static void received(void)
{
	int both[2];

	checked(socketpair(AF_UNIX, SOCK_STREAM, 0, both), "socketpair");
	mail = both[1];
	helper(send_files);
	mail = both[0];
	shut(both[1]);
	received_files();
}

int main(int argc, char **argv)
{
	const struct scenario all[] = {
		{ "files", files },
		{ "directories", directories },
		{ "pipes", pipes },
		{ "tcp_clients", tcp_clients },
		{ "tcp_server", tcp_server },
		{ "tcp_server_4", tcp_server_4 },
		{ "udp_sockets", udp_sockets },
		{ "unix_sockets", unix_sockets },
		{ "netlink_sockets", netlink_sockets },
		{ "socket_pairs", socket_pairs },
		{ "epolls", epolls },
		{ "eventfds", eventfds },
		{ "timerfds", timerfds },
		{ "signalfds", signalfds },
		{ "inotifies", inotifies },
		{ "memfds", memfds },
		{ "pidfds", pidfds },
		{ "copies", copies },
		{ "received", received },
		{ NULL, NULL },
	};

	return workload(argc, argv, all);
}
