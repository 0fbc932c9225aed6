/*
 * forget_connections WORKLOAD AGE WARM SPAN FOLDER
 *
 * Leaking: connections of which most are closed, by the very function that forgets the others. See
 * work.h.
 */
#include "work.h"

/* A leak counts where it happens. */
static int counted(int descriptor)
{
	lost.count++;
	return descriptor;
}

static int turn;

PLACE static void handle_quick(void)
{
	int descriptor = dial();

	if (++turn % 50 == 0 && may_lose())
		counted(descriptor);
	else
		shut(descriptor);
}

/* One in fifty of a function that closes all others at once. */
static void one_in_fifty(void)
{
	start_peer(0.5 * age);
	loses("socket tcp", "handle_quick");
	work(age / 150, handle_quick);
}

PLACE static int open_connection(void)
{
	return dial();
}

static struct population connections = { .acquire = open_connection, .release = shut };

static void serve_for_long(void)
{
	static double arrival;

	dismiss_due(&connections);
	while (is_due(&arrival, age / 30)) {
		if (++turn % 20 == 0 && may_lose())
			counted(open_connection());
		else
			admit(&connections, between(0.1, 1.5) * age);
	}
}

/* One in twenty of a function whose others live for about an age, and are twenty-five at a time. */
static void one_in_twenty_slow(void)
{
	start_peer(2.5 * age);
	loses("socket tcp", "open_connection");
	work(age / 30, serve_for_long);
}

/* Looks up, asks, answers; on an error it returns early. */
PLACE static void handle_request(void)
{
	int connection = dial(), failed = ++turn % 16 == 0 && may_lose();

	if (failed) {
		counted(connection);
		return;
	}
	pause_for(age / 200);
	shut(connection);
}

/* The error path of a request: one in sixteen. */
static void error_path(void)
{
	start_peer(0.5 * age);
	loses("socket tcp", "handle_request");
	work(age / 60, handle_request);
}

PLACE static int lease(void)
{
	return dial();
}

static struct population leases = { .acquire = lease, .release = shut };

/* Three are opened, and the two that are due go. */
static void lease_three(void)
{
	static double arrival;

	dismiss_due(&leases);
	if (!is_due(&arrival, age / 4))
		return;
	admit(&leases, 0.8 * age);
	admit(&leases, 1.2 * age);
	if (may_lose())
		counted(lease());
}

/* A pool that opens three where it closes two. */
static void leaky_pool(void)
{
	start_peer(2.5 * age);
	loses("socket tcp", "lease");
	work(age / 20, lease_three);
}

enum { POOL = 20 };

static int members[POOL];
static double until[POOL];

/* One in three that are replaced is forgotten instead of closed. */
static void refresh_members(void)
{
	for (int i = 0; i < POOL; i++) {
		if (members[i] && until[i] > elapsed())
			continue;
		if (members[i] && ++turn % 3 == 0 && may_lose())
			counted(members[i]);
		else if (members[i])
			shut(members[i]);
		members[i] = open_connection();
		until[i] = elapsed() + between(1, 2) * age;
	}
}

/* A pool that forgets some of those that it replaces. */
static void refresh_forgets(void)
{
	start_peer(2.5 * age);
	loses("socket tcp", "open_connection");
	work(age / 20, refresh_members);
}

int main(int argc, char **argv)
{
	const struct scenario all[] = {
		{ "one_in_fifty", one_in_fifty },
		{ "one_in_twenty_slow", one_in_twenty_slow },
		{ "error_path", error_path },
		{ "leaky_pool", leaky_pool },
		{ "refresh_forgets", refresh_forgets },
		{ NULL, NULL },
	};

	return workload(argc, argv, all);
}
