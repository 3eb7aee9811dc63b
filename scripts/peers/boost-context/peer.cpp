// Boost.Context alone, through its public type (boost::context::fiber, what its documentation tells users to use) and,
// as peer `boost-fcontext`, through the assembly primitive beneath it, which has no public interface. Two flows of
// control resume each other: in `switch` both run the same loop, in `switch-mixed` each is suspended elsewhere.
#include "measure.h"

#include <boost/context/detail/fcontext.hpp>
#include <boost/context/fiber.hpp>
#include <boost/context/fixedsize_stack.hpp>

namespace {

uint64_t arrivals;

#ifdef PEER_FCONTEXT
constexpr const char *peer_name = "boost-fcontext";
using flow = boost::context::detail::transfer_t;

inline flow resume(flow other) { return boost::context::detail::jump_fcontext(other.fctx, nullptr); }

flow make(void (*run)(flow)) {
  boost::context::fixedsize_stack stacks{65536};
  auto stack = stacks.allocate();
  return {boost::context::detail::make_fcontext(stack.sp, stack.size, run), nullptr};
}
#else
constexpr const char *peer_name = "boost-context";
using flow = boost::context::fiber;

inline flow resume(flow other) { return std::move(other).resume(); }

flow make(void (*run)(flow)) {
  return flow{std::allocator_arg, boost::context::fixedsize_stack{65536}, [run](flow &&origin) {
                run(std::move(origin));
                return flow{};
              }};
}
#endif

// The loop that both flows run, so that each return address on one stack stands on the other as well.
__attribute__((noinline)) flow bounce(flow other, uint64_t times) {
  for (uint64_t i = 0; i < times; i++) {
    other = resume(std::move(other));
    arrivals++;
  }
  return other;
}

void run_bounce(flow origin) { bounce(std::move(origin), UINT64_MAX); }

void run_mixed(flow origin) {
  for (;;) {
    origin = resume(std::move(origin));
    arrivals++;
  }
}

[[noreturn]] void finish(uint64_t pairs) {
  clock_stop();
  expect(arrivals, pairs * 2, "arrivals");
  report(pairs * 2, nullptr);
  exit(0);  // the other flow never ends, and is not unwound
}

void switch_row() {
  const uint64_t pairs = scaled(40000000), warm = pairs / 10 + 1;
  flow other = make(run_bounce);
  other = bounce(std::move(other), warm);
  arrivals = 0;
  clock_start();
  other = bounce(std::move(other), pairs);
  finish(pairs);
}

void switch_mixed() {
  const uint64_t pairs = scaled(40000000), warm = pairs / 10 + 1;
  flow other = make(run_mixed);
  for (uint64_t i = 0; i < warm; i++) other = resume(std::move(other));
  arrivals = 0;
  clock_start();
  for (uint64_t i = 0; i < pairs; i++) {
    other = resume(std::move(other));
    arrivals++;
  }
  finish(pairs);
}

}  // namespace

int main(int argc, char **argv) {
  static const peer_row rows[] = {{"switch", switch_row}, {"switch-mixed", switch_mixed}};
  return peer_main(argc, argv, peer_name, rows, sizeof rows / sizeof *rows);
}
