/*
 * work_pools WORKLOAD AGE WARM SPAN FOLDER
 *
 * Healthy: connections in pools, churn and waves. Each has a peer, a server that holds as many
 * connections as there are clients, and is as healthy. See work.h.
 */
#include "work.h"

enum { POOL = 20 };

static struct population pool = { .acquire = dial, .release = shut };
static double life;

/* Something is said on a connection now and then. */
static void use_pool(void)
{
	if (pool.count > 0 && write(pool.of[(int)(chance() * pool.count)].number, "x", 1) != 1)
		err(99, "write");
}

/* A pool as it should be: twenty connections, opened at the start and kept. */
static void steady_pool(void)
{
	start_peer(1e9);
	while (pool.count < POOL)
		admit(&pool, 1e9);
	work(age / 10, use_pool);
}

/* Connections end at their age, give or take a fifth, and are opened anew. */
static void refresh_pool(void)
{
	dismiss_due(&pool);
	while (pool.count < POOL)
		admit(&pool, life * between(0.8, 1.2));
	use_pool();
}

static void refreshing(double lives)
{
	start_peer(1e9);
	life = lives * age;
	work(age / 20, refresh_pool);
}

/* A pool whose connections are replaced long before they are old. */
static void pool_refreshed_fast(void)
{
	refreshing(0.4);
}

/* A pool whose connections become about as old as what counts as old. */
static void pool_refreshed_near(void)
{
	refreshing(1);
}

/* A pool whose connections are all old, and replaced nevertheless. */
static void pool_refreshed_slowly(void)
{
	refreshing(3.5);
}

/* One connection goes and one comes at regular times: the oldest goes first. */
static void replace_oldest(void)
{
	dismiss_due(&pool);
	if (pool.count < POOL)
		admit(&pool, life);
	use_pool();
}

/* A pool filled one by one, in which each connection has the same long life. */
static void pool_in_turn(void)
{
	start_peer(1e9);
	life = 2.5 * age;
	work(life / POOL, replace_oldest);
}

/* The same pool where memguard comes late: it was full before, and its members are as old as
 * they happen to be. */
static void pool_from_before(void)
{
	start_peer(1e9);
	life = 4 * age;
	begun = now();
	while (pool.count < POOL)
		admit(&pool, life * (pool.count + 1) / POOL);
	work(life / POOL / 4, replace_oldest);
}

static int wanted = POOL / 2;

static void resize_steady(void)
{
	wanted = ages() < warm / age + 2 ? POOL / 2 : POOL * 3 / 2;
	while (pool.count < wanted)
		admit(&pool, 1e9);
	use_pool();
}

/* A pool that becomes three times as large, once, after the warm-up, and stays so. */
static void pool_resized(void)
{
	start_peer(1e9);
	keeps();
	work(age / 10, resize_steady);
}

static void resize_refreshed(void)
{
	wanted = ages() < warm / age + 2 ? POOL / 2 : POOL * 3 / 2;
	dismiss_due(&pool);
	while (pool.count < wanted)
		admit(&pool, life * between(0.8, 1.2));
	use_pool();
}

/* The same where connections are replaced when they are one and a half ages old. */
static void pool_resized_refreshed(void)
{
	start_peer(1e9);
	life = 1.5 * age;
	work(age / 20, resize_refreshed);
}

static void five_in_a_row(void)
{
	REPEAT(5)
		shut(dial());
}

/* Connections that live for microseconds, a hundred a second. */
static void churn_short(void)
{
	start_peer(1e9);
	work(0.05, five_in_a_row);
}

/* In seconds: all live for longer than memguard's nursery keeps them, whatever the age. */
static void arrive_long(void)
{
	static double next;

	dismiss_due(&pool);
	while (is_due(&next, 0.4))
		admit(&pool, between(1.5, 5));
}

/* Connections that live for seconds. */
static void churn_long(void)
{
	start_peer(1e9);
	work(0.1, arrive_long);
}

static void arrive_without_memory(void)
{
	static double next;

	dismiss_due(&pool);
	while (is_due(&next, age / 20))
		admit(&pool, exponential(0.7 * age));
}

/* Clients that come at any time and stay for any: few for several ages. */
static void churn_exponential(void)
{
	start_peer(1e9);
	work(age / 40, arrive_without_memory);
}

static void forty_at_once(void)
{
	static double next;

	dismiss_due(&pool);
	if (is_due(&next, 2 * age))
		REPEAT(2 * POOL)
			admit(&pool, between(0.1, 0.3) * age);
}

/* Forty connections every two ages, gone after a third of one. */
static void bursts(void)
{
	start_peer(1e9);
	work(age / 20, forty_at_once);
}

static double period;

/* The youngest go first, so that those from the valley live for ever. */
static void follow_wave(void)
{
	wanted = (int)(15 - 10 * cos(2 * M_PI * ages() / period));
	while (pool.count > wanted)
		dismiss(&pool, pool.count - 1);
	while (pool.count < wanted)
		admit(&pool, 1e9);
	use_pool();
}

/* A load that comes and goes like day and night, from five connections to twenty-five. */
static void wave(void)
{
	start_peer(1e9);
	period = 3;
	work(age / 20, follow_wave);
}

/* Connections have a life of their own, and there are as many as the hour wants. */
static void follow_wave_of_lives(void)
{
	dismiss_due(&pool);
	wanted = (int)(15 - 10 * cos(2 * M_PI * ages() / period));
	while (pool.count < wanted)
		admit(&pool, between(0.3, 0.9) * age);
}

/* The same with clients that leave by themselves. */
static void wave_of_lives(void)
{
	start_peer(1e9);
	period = 2.5;
	work(age / 20, follow_wave_of_lives);
}

static void fall_silent(void)
{
	dismiss_due(&pool);
	if (elapsed() < span * 0.55)
		while (pool.count < POOL)
			admit(&pool, between(0.3, 1.8) * age);
	else
		while (pool.count < POOL)
			admit(&pool, 1e9);
}

/* A busy afternoon, and then the last clients stay connected and say nothing. */
static void clients_fall_silent(void)
{
	start_peer(1e9);
	work(age / 20, fall_silent);
}

/* Beside what is there from before. */
static void nothing_happens(void)
{
}

/* An idle program with many descriptors from before. */
static void idle_with_many(void)
{
	REPEAT(500)
		file();
	REPEAT(250)
		unix_socket();
	work(age / 4, nothing_happens);
}

int main(int argc, char **argv)
{
	const struct scenario all[] = {
		{ "steady_pool", steady_pool },
		{ "pool_refreshed_fast", pool_refreshed_fast },
		{ "pool_refreshed_near", pool_refreshed_near },
		{ "pool_refreshed_slowly", pool_refreshed_slowly },
		{ "pool_in_turn", pool_in_turn },
		{ "pool_from_before", pool_from_before },
		{ "pool_resized", pool_resized },
		{ "pool_resized_refreshed", pool_resized_refreshed },
		{ "churn_short", churn_short },
		{ "churn_long", churn_long },
		{ "churn_exponential", churn_exponential },
		{ "bursts", bursts },
		{ "wave", wave },
		{ "wave_of_lives", wave_of_lives },
		{ "clients_fall_silent", clients_fall_silent },
		{ "idle_with_many", idle_with_many },
		{ NULL, NULL },
	};

	return workload(argc, argv, all);
}
