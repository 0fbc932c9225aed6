/*
 * work_tasks WORKLOAD AGE WARM SPAN FOLDER
 *
 * Healthy: threads, processes, timers, and servers made of them. See work.h.
 */
#include "work.h"

#include <pthread.h>
#include <sys/epoll.h>

static void threaded(pthread_t *thread, void *(*steps)(void *), void *with)
{
	if (pthread_create(thread, NULL, steps, with) != 0)
		errx(99, "pthread_create");
}

enum { WORKERS = 8 };

static void *open_now_and_then(void *seed)
{
	unsigned short state[3] = { (unsigned short)(long)seed };

	for (;;) {
		int descriptor = file();
		pause_for(erand48(state) * age / 5);
		shut(descriptor);
		pause_for(age / 20);
	}
	return NULL;
}

static void nothing(void)
{
}

/* Eight threads that live as long as their process and open files for a while. */
static void thread_pool(void)
{
	pthread_t thread;

	for (long i = 0; i < WORKERS; i++)
		threaded(&thread, open_now_and_then, (void *)i);
	work(age / 10, nothing);
}

static pthread_t threads[ROOM];
static bool taken[ROOM];

static void *a_request(void *unused)
{
	(void)unused;
	int descriptor = file();
	pause_for(age / 5);
	shut(descriptor);
	return NULL;
}

static int begin_request(void)
{
	int free = 0;

	while (taken[free])
		free++;
	taken[free] = true;
	threaded(&threads[free], a_request, NULL);
	return free;
}

static void join_request(int number)
{
	pthread_join(threads[number], NULL);
	taken[number] = false;
}

static struct population members = { .acquire = begin_request, .release = join_request };
static double every, least_life, most_life;

static void admit_and_dismiss(void)
{
	static double next;

	dismiss_due(&members);
	while (is_due(&next, every * age))
		admit(&members, between(least_life, most_life) * age);
}

static void coming_and_going(double pace, double least, double most)
{
	every = pace;
	least_life = least;
	most_life = most;
	work(pace * age / 2, admit_and_dismiss);
}

/* A thread for each request, joined when it has ended, or a while later. */
static void thread_churn(void)
{
	coming_and_going(1.0 / 15, 0.2, 0.9);
}

/* Runs until its pipe is closed. */
static int to_child[2];

static void live_by_pipe(void)
{
	char byte;

	shut(to_child[1]);
	file();
	while (read(to_child[0], &byte, 1) > 0)
		;
}

static pid_t children[ROOM];

/* The number is that of the pipe to it. */
static int begin_child(void)
{
	checked(pipe2(to_child, O_CLOEXEC), "pipe2");
	children[to_child[1]] = helper(live_by_pipe);
	shut(to_child[0]);
	return to_child[1];
}

/* Others may have inherited the pipe, so the end is asked for. */
static void end_child(int number)
{
	shut(number);
	kill(children[number], SIGTERM);
	checked(waitpid(children[number], NULL, 0), "waitpid");
}

static void with_children(double pace, double least, double most)
{
	members = (struct population){ .acquire = begin_child, .release = end_child };
	coming_and_going(pace, least, most);
}

/* A server that forks for each client; the children hardly live. */
static void forks_short(void)
{
	with_children(1.0 / 8, 0.02, 0.1);
}

/* The same where clients stay for longer than an age. */
static void forks_long(void)
{
	with_children(1.0 / 4, 1.2, 2);
}

static int batch[8];

static void reap_in_batches(void)
{
	static int born;
	static double next, harvest;

	if (born < 8 && is_due(&next, age / 10) && (batch[born++] = checked(fork(), "fork")) == 0)
		_exit(0);
	if (is_due(&harvest, age))
		while (born > 0)
			checked(waitpid(batch[--born], NULL, 0), "waitpid");
}

/* Children that end at once, and a parent that waits for them once in an age, eight at a time. */
static void zombies_in_batches(void)
{
	work(age / 20, reap_in_batches);
}

enum { STAFF = 4 };

static void keep_staff(void)
{
	dismiss_due(&members);
	while (members.count < STAFF)
		admit(&members, between(1.5, 2.5) * age);
}

/* Four workers; each is replaced after about two ages, as servers do against leaks of others. */
static void workers_restarted(void)
{
	members = (struct population){ .acquire = begin_child, .release = end_child };
	work(age / 20, keep_staff);
}

static timer_t timers[ROOM];

static int make_timer(void)
{
	struct sigevent silent = { .sigev_notify = SIGEV_NONE };
	int free = 0;

	while (taken[free])
		free++;
	taken[free] = true;
	checked(timer_create(CLOCK_MONOTONIC, &silent, &timers[free]), "timer_create");
	return free;
}

static void delete_timer(int number)
{
	checked(timer_delete(timers[number]), "timer_delete");
	taken[number] = false;
}

/* A timer for each request, deleted when it is over. */
static void timers_deleted(void)
{
	members = (struct population){ .acquire = make_timer, .release = delete_timer };
	coming_and_going(1.0 / 15, 0.1, 2);
}

static int to_worker;

/* Keeps what it gets for a while, and gives it back when the next ones have come. */
static void serve_descriptors(void)
{
	int kept[WORKERS] = { 0 };

	for (int turn = 0;; turn = (turn + 1) % WORKERS) {
		int before = kept[turn];
		kept[turn] = receive_descriptor(to_worker);
		if (before) {
			send_descriptor(to_worker, before);
			shut(before);
		}
	}
}

static void pass_on(void)
{
	static int passed;
	int descriptor = file();

	send_descriptor(to_worker, descriptor);
	shut(descriptor);
	if (++passed > WORKERS)
		shut(receive_descriptor(to_worker));
}

/* Descriptors that are passed to a worker, which has eight of them at a time and gives them back. */
static void descriptors_passed(void)
{
	int both[2];

	checked(socketpair(AF_UNIX, SOCK_STREAM, 0, both), "socketpair");
	to_worker = both[1];
	helper(serve_descriptors);
	to_worker = both[0];
	shut(both[1]);
	work(age / 5, pass_on);
}

static struct population clients = { .acquire = dial, .release = shut };

/* As many clients at any time, each for as long as it likes. */
static void be_clients(void)
{
	for (;; pause_for(age / 40)) {
		dismiss_due(&clients);
		while (clients.count < 16)
			admit(&clients, fmin(exponential(0.8 * age), 4 * age));
	}
}

static int queue;

static void serve_what_comes(void)
{
	struct epoll_event all[32];
	char bytes[256];
	int count = checked(epoll_wait(queue, all, 32, 0), "epoll_wait");

	for (int i = 0; i < count; i++) {
		struct epoll_event event = { .events = EPOLLIN };

		if (all[i].data.fd != peer_listening) {
			if (read(all[i].data.fd, bytes, sizeof bytes) <= 0)
				shut(all[i].data.fd);
			continue;
		}
		event.data.fd = checked(accept4(peer_listening, NULL, NULL, SOCK_CLOEXEC), "accept4");
		checked(epoll_ctl(queue, EPOLL_CTL_ADD, event.data.fd, &event), "epoll_ctl");
	}
}

/* A server of clients that keep their connections for a random time, sixteen at any time. */
static void keep_alive_server(void)
{
	struct epoll_event event = { .events = EPOLLIN };

	peer_listening = event.data.fd = listener(&peer_address);
	queue = checked(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
	checked(epoll_ctl(queue, EPOLL_CTL_ADD, peer_listening, &event), "epoll_ctl");
	helper_at_work(be_clients);
	work(age / 50, serve_what_comes);
}

static void ask_a_program(void)
{
	char line[64];
	FILE *answer = popen("echo answer", "re");

	if (!answer || !fgets(line, sizeof line, answer) || pclose(answer) != 0)
		errx(99, "popen");
}

/* A program that starts others and reads what they say. */
static void programs_asked(void)
{
	work(age / 6, ask_a_program);
}

int main(int argc, char **argv)
{
	const struct scenario all[] = {
		{ "thread_pool", thread_pool },
		{ "thread_churn", thread_churn },
		{ "forks_short", forks_short },
		{ "forks_long", forks_long },
		{ "zombies_in_batches", zombies_in_batches },
		{ "workers_restarted", workers_restarted },
		{ "timers_deleted", timers_deleted },
		{ "descriptors_passed", descriptors_passed },
		{ "keep_alive_server", keep_alive_server },
		{ "programs_asked", programs_asked },
		{ NULL, NULL },
	};

	return workload(argc, argv, all);
}
