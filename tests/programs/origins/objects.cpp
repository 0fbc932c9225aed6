/*
 * objects MODE
 *
 * What C++ has besides functions.
 */
#include "origins.h"
#include <filesystem>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <thread>
#include <vector>

namespace kept {

/* So that nothing of it is ever destroyed. */
template <typename Thing>
inline void forever(Thing *thing)
{
	static std::vector<Thing *> *const things = new std::vector<Thing *>;

	things->push_back(thing);
}

static FRAME void streams()
{
	forever(new std::ifstream("/dev/null")); /* LEAK streams */
}

static FRAME void entries()
{
	forever(new std::filesystem::directory_iterator("/proc/self")); /* LEAK entries */
}

static FRAME void calls_lambda()
{
	std::function<int(const char *)> opens = [](const char *path) {
		return checked(open(path, O_RDONLY)); /* LEAK calls_lambda */
	};

	opens("/dev/null");
	RETURNS_HERE();
}

template <typename Path, int Flags>
static FRAME int leak_of(Path path)
{
	return checked(open(path, Flags)); /* LEAK leak_of */
}

static FRAME void instantiates()
{
	leak_of<const char *, O_RDONLY>("/dev/null");
	RETURNS_HERE();
}

struct Source {
	virtual ~Source() = default;
	virtual int take(const char *path) = 0;
};

struct File final : Source {
	FRAME int take(const char *path) override
	{
		return checked(open(path, O_RDONLY)); /* LEAK File::take */
	}
};

static FRAME void overrides()
{
	Source *source = new File;

	__asm__ volatile("" : "+r"(source));
	source->take("/dev/null");
	delete source;
}

struct Guard {
	FRAME ~Guard()
	{
		checked(open("/dev/null", O_RDONLY)); /* LEAK Guard::~Guard */
	}
};

static FRAME void throws()
{
	if (turns > 0)
		throw std::runtime_error("on purpose");
}

static FRAME void unwinds()
{
	Guard guard;

	throws();
}

/* In a destructor, while an exception is on its way. */
static FRAME void catches()
{
	try {
		unwinds();
	} catch (const std::runtime_error &) {
		RETURNS_HERE();
	}
}

/* In the block that catches it. */
static FRAME void handles()
{
	try {
		throws();
	} catch (const std::runtime_error &) {
		checked(open("/dev/null", O_RDONLY)); /* LEAK handles */
	}
}

static FRAME int leak(const char *path)
{
	return checked(open(path, O_RDONLY)); /* LEAK leak */
}

static FRAME void works(const char *path)
{
	leak(path);
	RETURNS_HERE();
}

static FRAME void starts_thread()
{
	std::thread(works, "/dev/null").join();
}

static const struct mode modes[] = {
	{ "streams", streams },
	{ "entries", entries },
	{ "calls_lambda", calls_lambda },
	{ "instantiates", instantiates },
	{ "overrides", overrides },
	{ "catches", catches },
	{ "handles", handles },
	{ "starts_thread", starts_thread },
	{ nullptr, nullptr },
};

} // namespace kept

int main(int, char **words)
{
	void (*steps)() = chosen(words, kept::modes);

	REPEAT
		steps();
	return 0;
}
