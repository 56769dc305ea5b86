// Products of all tasks at once, whatever multiplies and adds.
//
// A block computes a ROWS × COLS tile of a product.  It brings DEPTH columns of the left
// factor and rows of the right one at a time into shared memory, and the next ones into
// registers meanwhile; there are two buffers, so that one barrier per DEPTH is enough.
// The threads are in GROUPS; each group has the whole tile, and sums over its own 1/GROUPS
// of every DEPTH.  At the end the sums of the groups are added in their order, as many at a
// time as have room.  No sum depends on timing.
//
// A type S says who multiplies.  Its sums are PARTS runs of RUN entries in a row, the first
// at place(part); add(A, B) adds the group's share of a DEPTH.  In shared memory entry w of
// a ROWS-long column d of the left factor is at at_A(w, d), of the right one at at_B(w, d).

// A matrix of one task with its strides, and as the caller has it.
struct Matrix {
  const REAL* first;
  int row, col;
};

struct Operand {
  const REAL* first;
  int task, row, col;

  __device__ __forceinline__ Matrix of_task(long long t) const {
    return {first + t * task, row, col};
  }
};

template <int N>
struct __align__(N * sizeof(REAL)) Run {
  REAL at[N];
};

__device__ __forceinline__ bool is_aligned(const void* place, int bytes) {
  return (unsigned long long)place % bytes == 0;
}

// Sizes of a tile; A_SIZE and B_SIZE are those of a buffer.  SHARED entries of memory hold
// two buffers, or sums of AT_ONCE groups.
template <int ROWS_, int COLS_, int GROUPS_, int DEPTH_, int A_SIZE_, int B_SIZE_>
struct Sizes {
  static constexpr int ROWS = ROWS_, COLS = COLS_, GROUPS = GROUPS_, DEPTH = DEPTH_;
  static constexpr int SHARE = DEPTH / GROUPS, THREADS = 256, GROUP = THREADS / GROUPS;
  static constexpr int A_SIZE = A_SIZE_, BUFFER = A_SIZE_ + B_SIZE_;
  static constexpr int SHARED = 2 * BUFFER, AT_ONCE = SHARED / (ROWS * COLS);
  static_assert(AT_ONCE > 0, "the sums of a group have room");
};

// A piece of a matrix of any strides: entry (w, d) is first[w · wide_step + d · deep_step],
// 0 beyond the ends.  It begins at w = wide.  Neighbouring threads read neighbouring
// entries, along whichever axis these lie; the entries of one thread are as far from one
// another along the other axis, so that the next address is a sum.
template <class S, bool LEFT>
struct Piece {
  static constexpr int WIDE = LEFT ? S::ROWS : S::COLS;
  static constexpr int COUNT = WIDE * S::DEPTH / S::THREADS;
  static constexpr int ACROSS = S::THREADS / S::DEPTH, DOWN = S::THREADS / WIDE;
  static_assert(ACROSS * S::DEPTH == S::THREADS && DOWN * WIDE == S::THREADS &&
                WIDE % ACROSS == 0, "every thread has as many entries");
  const REAL* first;  // of this thread, which has (w, d)
  int wide_step, deep_step, w, d, wide_left, depth_end;
  bool deep;
  REAL kept[COUNT];

  __device__ __forceinline__ Piece(const REAL* start, int wide_step, int deep_step,
                                   int wide, int wide_end, int depth_end)
      : wide_step(wide_step), deep_step(deep_step), depth_end(depth_end),
        deep(deep_step == 1) {
    w = deep ? threadIdx.x / S::DEPTH : threadIdx.x % WIDE;
    d = deep ? threadIdx.x % S::DEPTH : threadIdx.x / WIDE;
    wide_left = wide_end - wide - w;
    first = start + (wide + w) * wide_step + d * deep_step;
  }

  template <class Order>
  __device__ __forceinline__ void read(const Order& at) {
    const REAL* from = first + (long long)at.depth * deep_step;
    const int deep_left = depth_end - at.depth - d;
    const long long step = deep ? (long long)ACROSS * wide_step : (long long)DOWN * deep_step;
    const int apart = deep ? ACROSS : DOWN, other = deep ? deep_left : wide_left;
    const int left = other > 0 ? (deep ? wide_left : deep_left) : 0;
#pragma unroll
    for (int i = 0; i < COUNT; i++, from += step)
      kept[i] = i * apart < left ? __ldg(from) : 0;
  }

  __device__ __forceinline__ void write(REAL* shared) const {
    if (deep) {
#pragma unroll
      for (int i = 0; i < COUNT; i++) shared[at(w + i * ACROSS, d)] = kept[i];
    } else {
#pragma unroll
      for (int i = 0; i < COUNT; i++) shared[at(w, d + i * DOWN)] = kept[i];
    }
  }

  static __device__ __forceinline__ int at(int w, int d) {
    return LEFT ? S::at_A(w, d) : S::at_B(w, d);
  }
};

// Which columns and rows are brought: those from depth on, then the next ones.
template <class S>
struct InOrder {
  int depth = 0;

  __device__ __forceinline__ void next() { depth += S::DEPTH; }
};

// sums += A B, over k columns of A and rows of B.
template <class S, class Left, class Right, class Order = InOrder<S>>
__device__ __forceinline__ void add_product(S& sums, Left a, Right b, int k, REAL* shared,
                                            Order at = Order()) {
  for (int depth = 0, buffer = 0; depth < k + S::DEPTH; depth += S::DEPTH) {
    REAL* next = shared + buffer * S::BUFFER;
    const REAL* last = shared + (1 - buffer) * S::BUFFER;
    if (depth < k) {
      a.read(at);
      b.read(at);
      at.next();
    }
    if (depth > 0) sums.add(last, last + S::A_SIZE);
    if (depth < k) {
      a.write(next);
      b.write(next + S::A_SIZE);
      __syncthreads();  // next is whole, and last has been read by all
    }
    buffer = 1 - buffer;
  }
}

// Write the sums to a tile in memory, or add those that are there.
template <class S>
__device__ __forceinline__ void move(S& sums, REAL* tile, bool adds) {
#pragma unroll
  for (int part = 0; part < S::PARTS; part++) {
    int down, across;
    sums.place(part, down, across);
    REAL* run = tile + down * S::COLS + across;
#pragma unroll
    for (int j = 0; j < S::RUN; j++) {
      if (adds)
        sums.of[part][j] += run[j];
      else
        run[j] = sums.of[part][j];
    }
  }
}

// Give the sums of all groups to the first, added in the order of the groups.
template <class S>
__device__ __forceinline__ void gather(S& sums, REAL* shared) {
  for (int next = 1; next < S::GROUPS; next += S::AT_ONCE) {
    const int end = next + S::AT_ONCE < S::GROUPS ? next + S::AT_ONCE : S::GROUPS;
    __syncthreads();  // all have read what was here
    for (int g = next; g < end; g++)
      if (sums.group == g) move(sums, shared + (g - next) * S::ROWS * S::COLS, false);
    __syncthreads();
    for (int g = next; g < end; g++)
      if (sums.group == 0) move(sums, shared + (g - next) * S::ROWS * S::COLS, true);
  }
}

// C = sums + β C for a tile at (row, col) of C (m × n), a run at a time where memory allows.
template <class S>
__device__ __forceinline__ void finish(const S& sums, REAL* C, int c_row, int row, int col,
                                       int m, int n, REAL beta) {
  if (sums.group > 0) return;
  typedef Run<S::RUN> Whole;
  const bool aligned = is_aligned(C, sizeof(Whole)) && c_row % S::RUN == 0;
#pragma unroll
  for (int part = 0; part < S::PARTS; part++) {
    int r, c;
    sums.place(part, r, c);
    r += row, c += col;
    if (r >= m) continue;
    REAL* out = C + (long long)r * c_row + c;
    if (aligned && c + S::RUN <= n) {
      Whole run = {};
      if (beta != 0) run = *(const Whole*)out;
#pragma unroll
      for (int j = 0; j < S::RUN; j++)
        run.at[j] = sums.of[part][j] + (beta != 0 ? beta * run.at[j] : 0);
      *(Whole*)out = run;
    } else {
#pragma unroll
      for (int j = 0; j < S::RUN; j++)
        if (c + j < n) out[j] = sums.of[part][j] + (beta != 0 ? beta * out[j] : 0);
    }
  }
}
