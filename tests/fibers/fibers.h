// CUDA C on one CPU thread: every CUDA thread is a fiber.
//
// One block runs at a time.  A fiber runs until it waits, at a barrier of its block or of
// its warp; then another one runs.  The order is shuffled anew for every round, and so is
// the order of the blocks: whoever relies on an order that CUDA does not promise computes
// something else.  Shared memory is full of NaN when a block begins.
//
// A barrier can be left out from outside, by its line (skipped_line).

#pragma once

#include <setjmp.h>
#include <ucontext.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <type_traits>
#include <utility>
#include <vector>

using std::exp;
using std::log;
using std::sqrt;

#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define __shared__ static __attribute__((section("shared_memory")))

extern "C" char __start_shared_memory[], __stop_shared_memory[];

struct Index {
  unsigned x, y, z;
};
static Index threadIdx, blockIdx, blockDim, gridDim;

namespace fibers {

constexpr size_t STACK = 256 * 1024;
enum State { READY, AT_WARP, AT_BLOCK, DONE };
enum Result { GOOD, DEADLOCK, LEFT_BEHIND };

struct Fiber {
  Index thread;
  State state;
  double exchanged;
  jmp_buf registers;
  ucontext_t context;
  std::vector<char> stack;
};

static std::vector<Fiber*> pool;
static Fiber* running;
static jmp_buf scheduler;
static unsigned count;
static int skipped_line = 0;
static uint64_t noise;
static void (*body)(void**);
static void** arguments;

static unsigned below(unsigned n) {
  noise ^= noise << 13, noise ^= noise >> 7, noise ^= noise << 17;
  return (noise >> 33) % n;
}

static void shuffle(std::vector<unsigned>& order) {
  if (noise)
    for (unsigned i = order.size(); i > 1; i--) std::swap(order[i - 1], order[below(i)]);
}

static std::vector<unsigned> numbers(unsigned n) {
  std::vector<unsigned> all(n);
  for (unsigned i = 0; i < n; i++) all[i] = i;
  return all;
}

// swapcontext would ask the kernel for the signal mask each time; these do not.
static void leave(State state) {
  Fiber* me = running;
  me->state = state;
  if (_setjmp(me->registers) == 0) _longjmp(scheduler, 1);
}

static void enter(Fiber* fiber) {
  running = fiber;
  threadIdx = fiber->thread;
  if (_setjmp(scheduler) == 0) _longjmp(fiber->registers, 1);
}

static void live() {
  for (;;) {
    leave(DONE);
    body(arguments);
  }
}

static Fiber* born() {
  auto* fiber = new Fiber;
  fiber->stack.resize(STACK);
  getcontext(&fiber->context);
  fiber->context.uc_stack.ss_sp = fiber->stack.data();
  fiber->context.uc_stack.ss_size = STACK;
  fiber->context.uc_link = nullptr;
  makecontext(&fiber->context, live, 0);
  running = fiber;
  if (_setjmp(scheduler) == 0) setcontext(&fiber->context);
  return fiber;
}

// Whether fibers first to end wait in a state or are done, and not all are done.
static bool all_at(State state, unsigned first, unsigned end, unsigned* done) {
  *done = 0;
  for (unsigned i = first; i < end; i++) {
    if (pool[i]->state == DONE)
      ++*done;
    else if (pool[i]->state != state)
      return false;
  }
  return *done < end - first;
}

static void release(unsigned first, unsigned end) {
  for (unsigned i = first; i < end; i++) pool[i]->state = READY;
}

// Let those go on that wait for nobody any more.
static Result advance() {
  unsigned done;
  bool released = false;
  if (all_at(AT_BLOCK, 0, count, &done)) {
    if (done) return LEFT_BEHIND;
    release(0, count);
    released = true;
  }
  for (unsigned w = 0; w < count; w += 32) {
    const unsigned end = w + 32 < count ? w + 32 : count;
    if (!all_at(AT_WARP, w, end, &done)) continue;
    if (done) return LEFT_BEHIND;
    release(w, end);
    released = true;
  }
  return released ? GOOD : DEADLOCK;
}

static Result run_block(std::vector<unsigned>& order) {
  memset(__start_shared_memory, 0xff, __stop_shared_memory - __start_shared_memory);
  release(0, count);
  for (;;) {
    bool all_done = true;
    shuffle(order);
    for (unsigned i : order) {
      if (pool[i]->state == READY) enter(pool[i]);
      all_done &= pool[i]->state == DONE;
    }
    if (all_done) return GOOD;
    if (Result result = advance()) return result;
  }
}

static int run(void (*f)(void**), void** values, const unsigned* grid,
               const unsigned* block, unsigned seed, int without) {
  body = f, arguments = values, skipped_line = without;
  noise = seed * 0x9e3779b97f4a7c15ull;
  gridDim = {grid[0], grid[1], grid[2]}, blockDim = {block[0], block[1], block[2]};
  count = block[0] * block[1] * block[2];
  while (pool.size() < count) pool.push_back(born());
  for (unsigned i = 0; i < count; i++)
    pool[i]->thread = {i % block[0], i / block[0] % block[1], i / block[0] / block[1]};
  auto threads = numbers(count), blocks = numbers(grid[0] * grid[1] * grid[2]);
  shuffle(blocks);
  for (unsigned b : blocks) {
    blockIdx = {b % grid[0], b / grid[0] % grid[1], b / grid[0] / grid[1]};
    if (Result result = run_block(threads)) {
      pool.clear();  // their stacks are in the middle of a kernel; new ones are born
      return result;
    }
  }
  return GOOD;
}

static void barrier(State state, int line) {
  if (line != skipped_line) leave(state);
}

static unsigned lane() {
  return (threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) % 32;
}

// A value from the lane of this warp whose number differs by the bits of a mask.
template <class V>
V from_lane(V value, unsigned mask, int line) {
  Fiber* me = running;
  const unsigned place = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  me->exchanged = value;
  barrier(AT_WARP, line);
  const V got = pool[place ^ mask]->exchanged;
  leave(AT_WARP);
  return got;
}

template <class... A, size_t... I>
void call(void (*f)(A...), void** values, std::index_sequence<I...>) {
  f(*static_cast<std::remove_reference_t<A>*>(values[I])...);
}

template <class... A>
void call(void (*f)(A...), void** values) {
  call(f, values, std::index_sequence_for<A...>{});
}

}  // namespace fibers

#define __syncthreads() fibers::barrier(fibers::AT_BLOCK, __LINE__)
#define __syncwarp() fibers::barrier(fibers::AT_WARP, __LINE__)
#define __shfl_xor_sync(all, value, mask) fibers::from_lane(value, mask, __LINE__)

#define FIBERS(SYMBOL)                                                                 \
  extern "C" int run_##SYMBOL(void** values, const unsigned* grid,                     \
                              const unsigned* block, unsigned seed, int without) {     \
    return fibers::run([](void** v) { fibers::call(SYMBOL, v); }, values, grid, block, \
                       seed, without);                                                 \
  }
