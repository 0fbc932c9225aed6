/*
 * loads MODE PLUGIN [IMPOSTOR]
 *
 *   closed    leaks in the plugin and closes it
 *   replaced  then loads the impostor, which comes to lie at the same address
 *   deleted   leaks in a copy of the plugin that is deleted at once
 *   renamed   the same, and the impostor gets the name of the copy
 */
#include "origins.h"
#include <dlfcn.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

static char copied[4096];

static void *load(const char *path)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	if (!library)
		errx(99, "%s", dlerror());
	return library;
}

static void (*entry(void *library))(void)
{
	void (*enter)(void);

	*(void **)&enter = dlsym(library, "enter");
	exists((void *)enter);
	return enter;
}

static void copy(const char *from, const char *to)
{
	struct stat status;
	int source = checked(open(from, O_RDONLY));
	int target = checked(open(to, O_WRONLY | O_CREAT | O_TRUNC, 0755));

	succeeds(fstat(source, &status));
	if (sendfile(target, source, NULL, (size_t)status.st_size) != status.st_size)
		err(99, "cannot copy %s", from);
	close(source);
	close(target);
}

static FRAME void *uses(const char *path)
{
	void *library = load(path);
	void (*enter)(void) = entry(library);

	REPEAT
		enter();
	return library;
}

static FRAME void closed(void)
{
	succeeds(dlclose(uses(arguments[0])));
}

static FRAME void replaced(void)
{
	void *library = uses(arguments[0]);
	const char *before = (const char *)entry(library);
	const char *after;

	succeeds(dlclose(library));
	after = (const char *)entry(load(arguments[1]));
	if ((size_t)before >> 12 != (size_t)after >> 12)
		errx(99, "the impostor is elsewhere: %p, not %p", after, before);
}

static FRAME void deleted(void)
{
	snprintf(copied, sizeof copied, "%s.deleted", arguments[0]);
	copy(arguments[0], copied);
	uses(copied);
	succeeds(unlink(copied));
}

static FRAME void renamed(void)
{
	char other[sizeof copied + 8];

	snprintf(copied, sizeof copied, "%s.renamed", arguments[0]);
	snprintf(other, sizeof other, "%s.new", copied);
	copy(arguments[0], copied);
	uses(copied);
	copy(arguments[1], other);
	succeeds(rename(other, copied));
}

static const struct mode modes[] = {
	{ "closed", closed },
	{ "replaced", replaced },
	{ "deleted", deleted },
	{ "renamed", renamed },
	{ NULL, NULL },
};

int main(int count, char **words)
{
	(void)count;
	chosen(words, modes)();
	linger();
	return 0;
}
