// CUDA C on one CPU thread: every CUDA thread is a fiber.
//
// One block runs at a time, and in it one warp, until all its threads wait at a barrier of
// the block; in a warp one thread, until it waits at a barrier of the warp or of the block.
// Blocks, warps and threads are shuffled, the latter two anew after every barrier: whoever
// relies on an order that CUDA does not promise computes something else.  Shared memory is
// full of NaN when a block begins.
//
// A barrier can be left out from outside, by its line (skipped_line).  What a processor
// forgives and a device does not is noted: a vector at an address that is not its own, a
// shuffle in which not all lanes of a warp are named.

#pragma once

#include <setjmp.h>
#include <ucontext.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
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

// The linker knows where the section begins and ends, if anything is in it.
__shared__ __attribute__((used)) char something;
extern "C" __attribute__((visibility("hidden"))) char __start_shared_memory[],
    __stop_shared_memory[];

struct Index {
  unsigned x, y, z;
};
static Index threadIdx, blockIdx, blockDim, gridDim;

namespace fibers {

constexpr size_t STACK = 256 * 1024;
enum State { READY, AT_WARP, AT_BLOCK, DONE };
enum Result { GOOD, DEADLOCK, LEFT_BEHIND, MISALIGNED, NOT_ALL_LANES };

struct Fiber {
  Index thread;
  State state;
  double exchanged;
  unsigned a[4], b[2];  // what a tensor core is given
  jmp_buf registers;
  ucontext_t context;
  std::unique_ptr<char[]> stack;
};

static std::vector<Fiber*> pool;
static Fiber* running;
static jmp_buf scheduler;
static unsigned count;
static int skipped_line = 0;
static Result fault = GOOD;
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
  fiber->stack.reset(new char[STACK]);  // of which a few pages are ever touched
  getcontext(&fiber->context);
  fiber->context.uc_stack.ss_sp = fiber->stack.get();
  fiber->context.uc_stack.ss_size = STACK;
  fiber->context.uc_link = nullptr;
  makecontext(&fiber->context, live, 0);
  running = fiber;
  if (_setjmp(scheduler) == 0) setcontext(&fiber->context);
  return fiber;
}

// How many of the fibers first to end are in a state.
static unsigned number_of(State state, unsigned first, unsigned end) {
  unsigned found = 0;
  for (unsigned i = first; i < end; i++) found += pool[i]->state == state;
  return found;
}

static void release(unsigned first, unsigned end) {
  for (unsigned i = first; i < end; i++) pool[i]->state = READY;
}

// A warp runs until a barrier of the block stops it, far ahead of the others.
static void run_warp(unsigned first) {
  const unsigned end = first + 32 < count ? first + 32 : count;
  auto lanes = numbers(end - first);
  do {
    release(first, end);
    shuffle(lanes);
    for (unsigned lane : lanes) enter(pool[first + lane]);
  } while (number_of(AT_WARP, first, end) == end - first);
}

static Result run_block() {
  memset(__start_shared_memory, 0xff, __stop_shared_memory - __start_shared_memory);
  auto warps = numbers((count + 31) / 32);
  do {
    shuffle(warps);
    for (unsigned warp : warps) run_warp(32 * warp);
  } while (number_of(AT_BLOCK, 0, count) == count);
  const unsigned done = number_of(DONE, 0, count);
  return done == count ? GOOD : done ? LEFT_BEHIND : DEADLOCK;
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
  auto blocks = numbers(grid[0] * grid[1] * grid[2]);
  shuffle(blocks);
  for (unsigned b : blocks) {
    blockIdx = {b % grid[0], b / grid[0] % grid[1], b / grid[0] / grid[1]};
    if (Result result = run_block()) {
      pool.clear();  // their stacks are in the middle of a kernel; new ones are born
      return result;
    }
  }
  return std::exchange(fault, GOOD);
}

static void barrier(State state, int line) {
  if (line != skipped_line) leave(state);
}

// The number of this thread in its block.
static unsigned place() {
  return threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
}

// A value from the lane of this warp whose number differs by the bits of a mask.
template <class V>
V from_lane(unsigned all, V value, unsigned mask) {
  if (all != 0xffffffffu) fault = NOT_ALL_LANES;
  running->exchanged = value;
  leave(AT_WARP);
  const V got = pool[place() ^ mask]->exchanged;
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

// What the compiler calls where an address does not suit its type (-fsanitize=alignment).
extern "C" __attribute__((visibility("hidden"))) void __ubsan_handle_type_mismatch_v1(
    void*, void*) {
  fibers::fault = fibers::MISALIGNED;
}

#include "tensor.h"

#define __syncthreads() fibers::barrier(fibers::AT_BLOCK, __LINE__)
#define __syncwarp() fibers::barrier(fibers::AT_WARP, __LINE__)
#define __ldg(place) (*(place))
#define __shfl_xor_sync(all, value, mask) fibers::from_lane(all, value, mask)

#define FIBERS(SYMBOL)                                                                 \
  extern "C" int run_##SYMBOL(void** values, const unsigned* grid,                     \
                              const unsigned* block, unsigned seed, int without) {     \
    return fibers::run([](void** v) { fibers::call(SYMBOL, v); }, values, grid, block, \
                       seed, without);                                                 \
  }
