/*
 * zoo_descriptors SCENARIO
 *
 * Scenarios of one process and one thread; see zoo.h for what is printed.
 */
#include "zoo.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/time.h>

enum { NS_USERNS = 0xb701, NS_NSTYPE = 0xb703, DUPFD_QUERY = 1027 };

/* Leaves nothing: a million pairs. */
static void s02_balanced(void)
{
	REPEAT(1000 * 1000)
		shut(checked(open("/dev/null", O_RDONLY), "open"));
}

/* Leaves nothing: numbers that were never open, and one closed twice. */
static void s10_close_ebadf(void)
{
	REPEAT(1000) {
		int once = file();

		refused(close(-1), EBADF, "close(-1)");
		refused(close(9999), EBADF, "close(9999)");
		shut(once);
		refused(close(once), EBADF, "second close");
	}
}

/* No system call number `number` any more: it fails with EPERM. */
static void deny(unsigned int number)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof filter / sizeof *filter, filter };

	checked(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "PR_SET_NO_NEW_PRIVS");
	checked(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), "PR_SET_SECCOMP");
}

/* Leaves what it was not allowed to close. It cannot look at /proc any more without leaking too. */
static void closes_in_vain(void)
{
	deny(SYS_close);
	REPEAT(10) {
		int kept = file();

		refused(close(kept), EPERM, "close under the filter");
		if (!is_open(kept))
			errx(99, "a close that was denied has closed");
	}
	leaves("fd file", 10, "openat");
	_exit(0);
}

static void s12_close_denied(void)
{
	reap(child(closes_in_vain));
}

/* Leaves 6 connected sockets that are shut down, not closed. */
static void s13_shutdown(void)
{
	struct sockaddr_in here;
	int listening = listener(&here);

	REPEAT(3) {
		int one = connected_to(&here);
		int other = checked(accept4(listening, NULL, NULL, 0), "accept4");

		checked(shutdown(one, SHUT_RDWR), "shutdown");
		checked(shutdown(other, SHUT_RDWR), "shutdown");
	}
	shut(listening);
	leaves("socket tcp", 6, "socket,accept4");
}

/* Leaves nothing: the second of each two is closed by dup2 already. */
static void s14_dup2_onto_open(void)
{
	REPEAT(200) {
		int one = file(), other = unix_socket();

		checked(dup2(one, other), "dup2");
		shut(one);
		shut(other);
	}
}

/* Leaves 20 files: dup2 onto one number over and over, its sources never closed. */
static void s15_dup2_leaks_its_source(void)
{
	REPEAT(20)
		checked(dup2(file(), 200), "dup2");
	shut(200);
	leaves("fd file", 20, "openat");
}

/* Leaves nothing: a number onto itself is no event, and dup3 refuses it. */
static void s16_dup2_same(void)
{
	int same = file();

	REPEAT(1000) {
		checked(dup2(same, same), "dup2");
		refused(dup3(same, same, 0), EINVAL, "dup3");
	}
	shut(same);
}

/* Leaves 20 more of the standard output, which a test reads through a pipe. */
static void s17_dup_leak(void)
{
	REPEAT(20)
		checked(dup(1), "dup");
	leaves("fd pipe", 20, "dup");
}

/* Leaves 5 sockets that dup made; what it copied is closed. */
static void s17_dup_of_a_socket(void)
{
	int source = unix_socket();

	REPEAT(5)
		checked(dup(source), "dup");
	shut(source);
	leaves("socket unix", 5, "dup");
}

/* Leaves nothing: commands whose positive results are no descriptors. */
static void s18_fcntl_noise(void)
{
	int ends[2], query = 0;

	checked(pipe2(ends, O_NONBLOCK), "pipe2");
	REPEAT(1000) {
		checked(fcntl(ends[0], F_GETFL), "F_GETFL");
		checked(fcntl(ends[0], F_GETPIPE_SZ), "F_GETPIPE_SZ");
		checked(fcntl(ends[0], F_SETOWN, getpid()), "F_SETOWN");
		checked(fcntl(ends[0], F_GETOWN), "F_GETOWN");
		query += fcntl(ends[0], DUPFD_QUERY, ends[0]) == 1;
	}
	shut(ends[0]);
	shut(ends[1]);
	met(query, "times F_DUPFD_QUERY returned 1");
}

/* Leaves 10 files of each command that copies; the source is closed. */
static void s19_dupfd_leak(void)
{
	int source = file();

	REPEAT(10) {
		checked(fcntl(source, F_DUPFD, 0), "F_DUPFD");
		checked(fcntl(source, F_DUPFD_CLOEXEC, 100), "F_DUPFD_CLOEXEC");
	}
	shut(source);
	leaves("fd file", 20, "fcntl");
}

/* Leaves nothing: one descriptor that changes its mask a thousand times. */
static void s20_signalfd_update(void)
{
	sigset_t mask;

	sigemptyset(&mask);
	int one = checked(signalfd(-1, &mask, 0), "signalfd");
	REPEAT(1000) {
		sigaddset(&mask, SIGUSR1);
		if (signalfd(one, &mask, SFD_CLOEXEC) != one)
			err(99, "signalfd has another number");
	}
	shut(one);
}

/* Leaves nothing: an ioctl whose positive result is no descriptor. */
static void s21_ioctl_noise(void)
{
	int namespace = checked(open("/proc/self/ns/user", O_RDONLY), "/proc/self/ns/user");

	REPEAT(1000)
		checked(ioctl(namespace, NS_NSTYPE), "NS_GET_NSTYPE");
	shut(namespace);
}

/* The same with KVM, which says 12. */
static void s21_kvm_noise(void)
{
	int kvm = open("/dev/kvm", O_RDWR);

	if (kvm < 0)
		skip("/dev/kvm cannot be opened");
	REPEAT(1000)
		checked(ioctl(kvm, KVM_GET_API_VERSION, 0), "KVM_GET_API_VERSION");
	shut(kvm);
}

/* Leaves 10 namespaces that an ioctl opened. */
static void s22_ns_ioctl_leak(void)
{
	int namespace = checked(open("/proc/self/ns/net", O_RDONLY), "/proc/self/ns/net");

	REPEAT(10)
		checked(ioctl(namespace, NS_USERNS), "NS_GET_USERNS");
	shut(namespace);
	leaves("fd other", 10, "ioctl");
}

/* Sends `count` files over `socket`, with room for `room` on the other side; returns how many came. */
static int pass(int from, int to, int count, int room, int received[8])
{
	char byte = 'x', space[CMSG_SPACE(8 * sizeof(int))] = { 0 };
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = space };
	int files[8];

	for (int i = 0; i < count; i++)
		files[i] = file();
	message.msg_controllen = CMSG_LEN((size_t)count * sizeof(int));
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	*header = (struct cmsghdr){ message.msg_controllen, SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(header), files, (size_t)count * sizeof(int));
	checked(sendmsg(from, &message, 0), "sendmsg");
	for (int i = 0; i < count; i++)
		shut(files[i]);

	memset(space, 0, sizeof space);
	message.msg_controllen = CMSG_LEN((size_t)room * sizeof(int));
	checked(recvmsg(to, &message, 0), "recvmsg");
	header = CMSG_FIRSTHDR(&message);
	size_t came = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(received, CMSG_DATA(header), came * sizeof(int));
	return (int)came;
}

/* Leaves 15 files that came over a socket, five times three. */
static void s23_scm_leak(void)
{
	int ends[2], received[8];

	checked(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), "socketpair");
	REPEAT(5)
		if (pass(ends[0], ends[1], 3, 3, received) != 3)
			errx(99, "not all files came");
	shut(ends[0]);
	shut(ends[1]);
	leaves("fd file", 15, "recvmsg");
}

/* Leaves nothing: of two files one is received, for there is room for no more, and closed. */
static void s24_scm_truncated(void)
{
	int ends[2], received[8];

	checked(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), "socketpair");
	REPEAT(20) {
		if (pass(ends[0], ends[1], 2, 1, received) != 1)
			errx(99, "not exactly one file came");
		shut(received[0]);
	}
	shut(ends[0]);
	shut(ends[1]);
}

/* Leaves the writing ends of 5 + 5 pipes. */
static void s25_pipe_half(void)
{
	int ends[2];

	REPEAT(10) {
		checked(turn % 2 ? syscall(SYS_pipe, ends) : syscall(SYS_pipe2, ends, O_CLOEXEC), "pipe");
		shut(ends[0]);
	}
	leaves("fd pipe", 10, "pipe,pipe2");
}

/* Leaves one end of 10 pairs. */
static void s25_socketpair_half(void)
{
	int ends[2];

	REPEAT(10) {
		checked(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), "socketpair");
		shut(ends[turn % 2]);
	}
	leaves("socket unix", 10, "socketpair");
}

static volatile sig_atomic_t alarms;

static void count_alarm(int unused)
{
	(void)unused;
	alarms++;
}

/* A child that connects once four alarms have interrupted and restarted the accept. */
static pid_t late_connection(const struct sockaddr_in *here)
{
	pid_t pid = checked(fork(), "fork");

	if (pid == 0) {
		pause_for(0.05);
		shut(connected_to(here));
		_exit(0);
	}
	return pid;
}

/* Leaves nothing: accept is restarted again and again, and what it returns is closed. */
static void s26_accept_restart(void)
{
	struct sigaction action = { .sa_handler = count_alarm, .sa_flags = SA_RESTART };
	struct itimerval often = { { 0, 10000 }, { 0, 10000 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sockaddr_in here;
	int listening = listener(&here);

	checked(sigaction(SIGALRM, &action, NULL), "sigaction");
	REPEAT(5) {
		pid_t peer = late_connection(&here);

		checked(setitimer(ITIMER_REAL, &often, NULL), "setitimer");
		shut(checked(accept(listening, NULL, NULL), "accept"));
		checked(setitimer(ITIMER_REAL, &never, NULL), "setitimer");
		reap(peer);
	}
	shut(listening);
	met(alarms, "alarms while accept was blocked");
}

/* Leaves nothing: fifty at once, with holes between. */
static void s29_close_range_all(void)
{
	int first = file();

	REPEAT(49)
		file();
	for (int hole = first + 5; hole < first + 50; hole += 7)
		shut(hole);
	checked(close_range((unsigned)first, ~0u, 0), "close_range");
}

/* Leaves the 10 below and the 10 above the range. */
static void s29_close_range_middle(void)
{
	int first = file();

	REPEAT(29)
		file();
	checked(close_range((unsigned)first + 10, (unsigned)first + 19, 0), "close_range");
	leaves("fd file", 20, "openat");
}

/* Leaves all that the limit allows; 50 more attempts fail. */
static void s80_emfile(void)
{
	int count = 0;

	allow_descriptors(256);
	while (open("/proc/self/exe", O_RDONLY) >= 0)
		count++;
	REPEAT(50)
		refused(open("/proc/self/exe", O_RDONLY), EMFILE, "open at the limit");
	allow_descriptors(300);
	leaves("fd file", count, "openat");
}

/* Leaves 3000 of 6000 that were open at the same time. */
static void s83_map_full(void)
{
	allow_descriptors(8000);
	int first = file();

	REPEAT(5999)
		file();
	for (int even = first; even < first + 6000; even += 2)
		shut(even);
	leaves("fd file", 3000, "openat");
}

int main(int argc, char **argv)
{
	const struct scenario all[] = {
		{ "s02_balanced", s02_balanced },
		{ "s10_close_ebadf", s10_close_ebadf },
		{ "s12_close_denied", s12_close_denied },
		{ "s13_shutdown", s13_shutdown },
		{ "s14_dup2_onto_open", s14_dup2_onto_open },
		{ "s15_dup2_leaks_its_source", s15_dup2_leaks_its_source },
		{ "s16_dup2_same", s16_dup2_same },
		{ "s17_dup_leak", s17_dup_leak },
		{ "s17_dup_of_a_socket", s17_dup_of_a_socket },
		{ "s18_fcntl_noise", s18_fcntl_noise },
		{ "s19_dupfd_leak", s19_dupfd_leak },
		{ "s20_signalfd_update", s20_signalfd_update },
		{ "s21_ioctl_noise", s21_ioctl_noise },
		{ "s21_kvm_noise", s21_kvm_noise },
		{ "s22_ns_ioctl_leak", s22_ns_ioctl_leak },
		{ "s23_scm_leak", s23_scm_leak },
		{ "s24_scm_truncated", s24_scm_truncated },
		{ "s25_pipe_half", s25_pipe_half },
		{ "s25_socketpair_half", s25_socketpair_half },
		{ "s26_accept_restart", s26_accept_restart },
		{ "s29_close_range_all", s29_close_range_all },
		{ "s29_close_range_middle", s29_close_range_middle },
		{ "s80_emfile", s80_emfile },
		{ "s83_map_full", s83_map_full },
		{ NULL, NULL },
	};

	return zoo(argc, argv, all);
}
