// longjmp between stacks is what this file is for; the checked form takes it for a mistake.
#undef _FORTIFY_SOURCE

#include "simt/simt.h"

#include <setjmp.h>
#include <ucontext.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <vector>

namespace simt {
namespace {

constexpr size_t stack_size = 64 * 1024;
constexpr unsigned warp_size = 32;

// Threads that wait for each other: all of them must arrive before any goes on.
struct Barrier {
  unsigned size = 0;
  unsigned arrived = 0;
  uint64_t passed = 0;
};

struct Warp {
  Barrier barrier;
  const char* operation = nullptr;
  uint64_t lanes[2][warp_size];  // in turn: no lane is more than one exchange ahead
};

struct Fiber {
  ucontext_t context;  // where it starts; from then on it jumps, which unlike swapcontext costs no system call
  jmp_buf position;
  bool started = false;
  std::unique_ptr<char[]> stack;
  Thread thread;
  const Barrier* waiting = nullptr;
  uint64_t waiting_for = 0;
  bool done = false;
};

struct Machine {
  std::vector<Fiber> fibers;
  std::vector<Warp> warps;
  Barrier block;
  jmp_buf scheduler;
  Fiber* running = nullptr;
  const std::function<void()>* kernel = nullptr;
};

Machine machine;

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "simt: block %u, thread %u: %s\n", current().block.x, current().index.x, what);
  std::exit(1);
}

void run_fiber() {
  (*machine.kernel)();
  machine.running->done = true;
  _longjmp(machine.scheduler, 1);
}

void resume(Fiber& fiber) {
  machine.running = &fiber;
  if (_setjmp(machine.scheduler) != 0) return;
  if (fiber.started) _longjmp(fiber.position, 1);
  fiber.started = true;
  setcontext(&fiber.context);
}

void wait_at(Barrier& barrier) {
  Fiber* self = machine.running;
  self->waiting_for = barrier.passed + 1;
  if (++barrier.arrived == barrier.size) {
    barrier.arrived = 0;
    ++barrier.passed;
  }
  self->waiting = &barrier;
  if (_setjmp(self->position) == 0) _longjmp(machine.scheduler, 1);
}

bool can_run(const Fiber& fiber) {
  return !fiber.done && (fiber.waiting == nullptr || fiber.waiting->passed >= fiber.waiting_for);
}

// Lets every lane that can run do so until it waits, from a random one on. Returns how many did.
unsigned run_warp(unsigned warp, std::mt19937_64& order, unsigned& left) {
  const unsigned first = static_cast<unsigned>(order()) % warp_size;
  unsigned moved = 0;
  for (unsigned i = 0; i < warp_size; ++i) {
    Fiber& fiber = machine.fibers[warp * warp_size + (first + i) % warp_size];
    if (!can_run(fiber)) continue;
    resume(fiber);
    left -= fiber.done ? 1 : 0;
    ++moved;
  }
  return moved;
}

void run_block(unsigned block, unsigned threads, std::mt19937_64& order) {
  machine.block = {threads, 0, 0};
  machine.warps.assign(threads / warp_size, Warp{{warp_size, 0, 0}, nullptr, {}});
  for (unsigned i = 0; i < threads; ++i) {
    Fiber& fiber = machine.fibers[i];
    fiber.thread = {{i}, {block}};
    fiber.waiting = nullptr;
    fiber.started = false;
    fiber.done = false;
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.get();
    fiber.context.uc_stack.ss_size = stack_size;
    fiber.context.uc_link = nullptr;
    makecontext(&fiber.context, run_fiber, 0);
  }
  // Each warp runs ahead as far as it can before the next one moves: what a barrier should hold back does happen.
  const unsigned warps = threads / warp_size;
  unsigned left = threads;
  while (left > 0) {
    const unsigned first = static_cast<unsigned>(order()) % warps;
    const unsigned step = order() % 2 == 0 ? 1 : warps - 1;
    unsigned moved = 0;
    for (unsigned i = 0; i < warps; ++i) {
      const unsigned warp = (first + i * step) % warps;
      while (const unsigned lanes = run_warp(warp, order, left)) moved += lanes;
    }
    if (moved == 0) fail("threads wait for others that will never come");
  }
}

}  // namespace

const Thread& current() { return machine.running->thread; }

void launch(unsigned blocks, unsigned threads, uint64_t seed, const std::function<void()>& kernel) {
  std::mt19937_64 order(seed);
  while (machine.fibers.size() < threads) {
    machine.fibers.emplace_back();
    machine.fibers.back().stack = std::make_unique<char[]>(stack_size);
  }
  machine.kernel = &kernel;
  for (unsigned block = 0; block < blocks; ++block) run_block(block, threads, order);
}

void block_barrier() { wait_at(machine.block); }

const uint64_t* warp_exchange(uint64_t bits, const char* operation) {
  Warp& warp = machine.warps[current().index.x / warp_size];
  if (warp.barrier.arrived == 0) warp.operation = operation;
  if (std::strcmp(warp.operation, operation) != 0) fail("lanes of a warp took different paths");
  uint64_t* lanes = warp.lanes[warp.barrier.passed % 2];
  lanes[lane()] = bits;
  wait_at(warp.barrier);
  return lanes;
}

}  // namespace simt
