/*
 * work_collector WORKLOAD AGE WARM SPAN FOLDER
 *
 * Healthy: descriptors that only a collector closes, all at once. A workload is a plan: what it opens,
 * how many a second, and the seconds from one collection to the next. See work.h.
 */
#include "work.h"

/* A collector leaves what is still in use. */
enum { IN_USE = 2, MOST = 4096, PERIODS = 8 };

static int tcp(void)
{
	return checked(socket(AF_INET, SOCK_STREAM, 0), "socket");
}

static int distinct_file(void)
{
	static int number;

	return file_in_folder(number++ % 2000);
}

static const struct plan {
	const char *name;
	int (*open)(void);
	double a_second;
	/* One in so many stays until the collection; the others are closed within milliseconds. */
	int one_in;
	/* The last one again and again. */
	double periods[PERIODS];
} plans[] = {
	{ "sockets_5", tcp, 10, 1, { 5 } },
	{ "files_5", distinct_file, 10, 1, { 5 } },
	{ "sockets_10", tcp, 10, 1, { 10 } },
	{ "files_10", distinct_file, 10, 1, { 10 } },
	{ "sockets_20", tcp, 5, 1, { 20 } },
	{ "files_20", distinct_file, 5, 1, { 20 } },
	{ "connections_40", dial, 5, 1, { 40 } },
	{ "files_40", distinct_file, 5, 1, { 40 } },
	{ "sockets_60", tcp, 4, 1, { 60 } },
	{ "files_60", distinct_file, 4, 1, { 60 } },
	{ "sockets_65", tcp, 5, 1, { 65 } },
	{ "files_65", distinct_file, 2, 1, { 65 } },
	{ "sockets_180", tcp, 3, 1, { 180 } },
	{ "files_180", distinct_file, 3, 1, { 180 } },
	{ "lengthening_sockets", tcp, 5, 1, { 2, 65, 65, 65, 180, 65 } },
	{ "lengthening_files", distinct_file, 5, 1, { 2, 65, 65, 65, 180, 65 } },
	{ "uneven_sockets", tcp, 10, 1, { 10, 10, 10, 10, 40, 12 } },
	{ "uneven_files", distinct_file, 10, 1, { 10, 10, 10, 10, 40, 12 } },
	{ "generations_of_sockets", tcp, 10, 10, { 45 } },
	{ "generations_of_files", distinct_file, 10, 10, { 45 } },
};

static const struct plan *plan;
static int garbage[MOST], count, turn, cycle;
static double next_birth, next_collection;

static double period(void)
{
	double now = plan->periods[cycle];

	if (cycle + 1 < PERIODS && plan->periods[cycle + 1] > 0)
		cycle++;
	return now;
}

PLACE static void use_once(void)
{
	int descriptor = plan->open();

	if (++turn % plan->one_in != 0) {
		pause_for(0.002);
		shut(descriptor);
		return;
	}
	if (count == MOST)
		errx(99, "too much garbage");
	garbage[count++] = descriptor;
}

static void collect(void)
{
	for (int i = 0; i < count - IN_USE; i++)
		shut(garbage[i]);
	if (count > IN_USE) {
		memmove(garbage, garbage + count - IN_USE, IN_USE * sizeof *garbage);
		count = IN_USE;
	}
	gives_back();
}

static void work_and_collect(void)
{
	while (is_due(&next_birth, 1 / plan->a_second))
		use_once();
	if (elapsed() < next_collection)
		return;
	collect();
	next_collection = elapsed() + period();
}

static void carry_out_plan(void)
{
	double longest = 0;

	for (int i = 0; i < PERIODS; i++)
		longest = fmax(longest, plan->periods[i]);
	holds_at_most((int)(1.1 * longest * plan->a_second / plan->one_in) + 20);
	make_folder();
	if (plan->open == dial)
		start_peer(1e9);
	next_collection = period();
	work(0.05, work_and_collect);
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof plans / sizeof *plans; i++)
		if (strcmp(plans[i].name, argv[1]) == 0)
			plan = &plans[i];
	const struct scenario all[] = {
		{ plan ? plan->name : NULL, carry_out_plan },
		{ NULL, NULL },
	};

	return workload(argc, argv, all);
}
