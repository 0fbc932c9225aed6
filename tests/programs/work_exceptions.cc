// work_exceptions WORKLOAD AGE WARM SPAN FOLDER
//
// In C++: what an exception leaves behind, and what it does not. Says what the programs in C say (work.h).
#include <chrono>
#include <fcntl.h>
#include <iostream>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <unistd.h>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

double age, span;
Clock::time_point begun;
long lost;

double elapsed()
{
	return std::chrono::duration<double>(Clock::now() - begun).count();
}

int opened()
{
	int descriptor = open("/proc/self/exe", O_RDONLY);

	if (descriptor < 0)
		throw std::runtime_error("open");
	return descriptor;
}

// Closes what it has, however its block is left.
struct Handle {
	int descriptor = opened();

	Handle() = default;
	Handle(const Handle &) = delete;
	~Handle()
	{
		close(descriptor);
	}
};

void parse(int turn)
{
	if (turn % 8 == 0)
		throw std::invalid_argument("every eighth line is wrong");
}

__attribute__((noinline)) void careful(int turn)
{
	Handle handle;

	parse(turn);
}

// Closes at the end, which an exception does not reach.
__attribute__((noinline)) void forget_thrown(int turn)
{
	int descriptor = opened();

	try {
		parse(turn);
	} catch (const std::invalid_argument &) {
		lost++;
		throw;
	}
	close(descriptor);
}

void step(bool forgets, int turn)
{
	try {
		if (forgets && elapsed() < span)
			forget_thrown(turn);
		else
			careful(turn);
	} catch (const std::invalid_argument &) {
		// As a service goes on after a bad request.
	}
}

void tell(bool forgets)
{
	if (forgets)
		std::cout << "finds " << getpid() << " leak fd file " << lost << " * forget_thrown\n";
	std::cout << "done" << std::endl;
}

bool ends_within(double seconds)
{
	pollfd input = { 0, POLLIN, 0 };

	return poll(&input, 1, static_cast<int>(seconds * 1000)) > 0;
}

} // namespace

int main(int argc, char **argv)
{
	std::vector<std::string> words(argv + 1, argv + argc);
	std::string line;

	if (words.size() < 4)
		return 99;
	bool forgets = words[0] == "thrown", told = false;
	age = std::stod(words[1]);
	span = std::stod(words[3]);
	std::cout << "ready" << std::endl;
	// Byte by byte would be unlike C++; what is read ahead here is nothing.
	std::getline(std::cin, line);
	begun = Clock::now();
	for (int turn = 0; !ends_within(age / 40); turn++) {
		step(forgets, turn);
		if (!told && elapsed() >= span) {
			tell(forgets);
			told = true;
		}
	}
}
