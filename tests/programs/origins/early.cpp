/*
 * early
 *
 * An object that leaks in its constructor, before main.
 */
#include "origins.h"

namespace {

struct Registry {
	FRAME Registry()
	{
		REPEAT
			checked(open("/dev/null", O_RDONLY)); /* LEAK */
	}
};

Registry registry;

} // namespace

int main()
{
	return 0;
}
