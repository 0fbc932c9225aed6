/* Adds keys to the keyring of its user, ten a second, each valid for five minutes.
 *
 *   keys pile           never unlinks one
 *   keys churn          unlinks each a second later
 *   keys update         always the same key, with another payload
 *   keys leave COUNT    ends when so many are added
 *   keys session COUNT  likewise, to the keyring of a session of its own
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SESSION = -3, USER = -4 };
enum { JOIN_SESSION = 1, UNLINK = 9, SET_TIMEOUT = 15 };

#define KEPT 10

__attribute__((noinline)) long add(int keyring, long number)
{
	char description[64];
	snprintf(description, sizeof description, "memguard-test:%d:%ld", getpid(), number);
	long key = syscall(SYS_add_key, "user", description, "x", 1L, keyring);
	if (key < 0) {
		perror("add_key");
		exit(1);
	}
	syscall(SYS_keyctl, SET_TIMEOUT, key, 300L);
	return key;
}

static void forever(const char *mode)
{
	static long keys[KEPT];
	int update = !strcmp(mode, "update"), churn = !strcmp(mode, "churn");
	for (long number = 0;; number++) {
		long *key = &keys[number % KEPT];
		if (churn && *key)
			syscall(SYS_keyctl, UNLINK, *key, (long)USER);
		*key = add(USER, update ? 0 : number);
		usleep(100000);
	}
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	if (argc == 2)
		forever(argv[1]);
	int session = !strcmp(argv[1], "session");
	if (session)
		syscall(SYS_keyctl, JOIN_SESSION, NULL);
	for (long number = 0; number < atol(argv[2]); number++)
		add(session ? SESSION : USER, number);
	return 0;
}
