// Products of all tasks at once, whatever multiplies and adds.
//
// bmm        C_t = A_t B_t + β C_t
// bmm_pair   C_t = A_t B_t + D_t E_t: with [A, D] and [B; E] side by side one
//            product, so that the R-operator needs no sum of two: Ẋ W + X Ẇ,
//            Ẋᵀ Z̄ + Xᵀ R{Z̄}, R{Z̄} Wᵀ + Z̄ Ẇᵀ
//
// Matrices have any strides, in entries: a transpose exchanges two of them.  C has rows
// in one piece.  β = 0 does not read C.
//
// A block computes a ROWS × COLS tile of C_t.  It brings DEPTH columns of A and rows of B
// at a time into shared memory, and the next ones into registers meanwhile; there are two
// buffers, so that one barrier per DEPTH is enough.  The threads are in GROUPS; each group
// has the whole tile, and sums over its own 1/GROUPS of every DEPTH.  At the end the sums
// of the groups are added in their order, as many at a time as have room.  No sum depends
// on timing.
//
// A type S says who multiplies.  Its sums are PARTS runs of RUN entries in a row of C, the
// first at (down, across) = place(part); sums.add(A, B) adds the group's share of a DEPTH,
// of which entry (w, d) is at S::at(w, d, width).

// An operand as the caller has it, and of one task.
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

// Sizes of a tile; SHARED entries of memory hold two buffers, or sums of AT_ONCE groups.
// Rows of a buffer are longer than needed, so that columns meet different banks.
template <int ROWS_, int COLS_, int GROUPS_, int DEPTH_, int PAD>
struct Sizes {
  static constexpr int ROWS = ROWS_, COLS = COLS_, GROUPS = GROUPS_, DEPTH = DEPTH_;
  static constexpr int SHARE = DEPTH / GROUPS, THREADS = 256, GROUP = THREADS / GROUPS;
  static constexpr int A_WIDTH = ROWS + PAD, B_WIDTH = COLS + PAD;
  static constexpr int BUFFER = DEPTH * (A_WIDTH + B_WIDTH);
  static constexpr int SHARED = 2 * BUFFER, AT_ONCE = SHARED / (ROWS * COLS);
};

// Entries of a WIDE × DEPTH piece of a matrix, a few per thread.  Neighbouring threads
// read neighbouring entries, along whichever axis these lie.
template <class S, int WIDE>
struct Piece {
  static constexpr int ALL = WIDE * S::DEPTH, COUNT = (ALL + S::THREADS - 1) / S::THREADS;
  static_assert(ALL % S::THREADS == 0, "every thread has as many entries");
  REAL kept[COUNT];

  // Wide index and deep index of entry i of this thread.
  static __device__ __forceinline__ void place(bool deep, int i, int& w, int& d) {
    const int e = threadIdx.x + i * S::THREADS;
    w = deep ? e / S::DEPTH : e % WIDE;
    d = deep ? e % S::DEPTH : e / WIDE;
  }

  // Entries w from `wide` to the end `wide_end`, d from `depth` to `depth_end`.
  __device__ __forceinline__ void read(const REAL* first, int wide_step, int deep_step,
                                       int wide, int wide_end, int depth, int depth_end) {
#pragma unroll
    for (int i = 0; i < COUNT; i++) {
      int w, d;
      place(deep_step == 1, i, w, d);
      const bool inside = wide + w < wide_end && depth + d < depth_end;
      kept[i] = inside ? first[(wide + w) * wide_step + (depth + d) * deep_step] : 0;
    }
  }

  __device__ __forceinline__ void write(REAL* shared, int width, int deep_step) const {
#pragma unroll
    for (int i = 0; i < COUNT; i++) {
      int w, d;
      place(deep_step == 1, i, w, d);
      shared[S::at(w, d, width)] = kept[i];
    }
  }
};

// sums += A B on the tile whose first entry is (row, col).
template <class S>
__device__ __forceinline__ void add_product(S& sums, const Matrix& A, const Matrix& B,
                                            int row, int col, int m, int n, int k,
                                            REAL* shared) {
  Piece<S, S::ROWS> a;
  Piece<S, S::COLS> b;
  for (int depth = 0, buffer = 0; depth < k + S::DEPTH; depth += S::DEPTH) {
    REAL* next = shared + buffer * S::BUFFER;
    const REAL* last = shared + (1 - buffer) * S::BUFFER;
    if (depth < k) {
      a.read(A.first, A.row, A.col, row, m, depth, k);
      b.read(B.first, B.col, B.row, col, n, depth, k);
    }
    if (depth > 0) sums.add(last, last + S::DEPTH * S::A_WIDTH);
    if (depth < k) {
      a.write(next, S::A_WIDTH, A.col);
      b.write(next + S::DEPTH * S::A_WIDTH, S::B_WIDTH, B.row);
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

// C = sums + β C, a run at a time where memory allows.
template <class S>
__device__ __forceinline__ void finish(const S& sums, REAL* C, int c_row, int row, int col,
                                       int m, int n, REAL beta) {
  if (sums.group > 0) return;
  typedef Run<S::RUN> Whole;
  const bool aligned = (unsigned long long)C % sizeof(Whole) == 0 && c_row % S::RUN == 0;
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

template <class S>
__device__ __forceinline__ void multiply(Operand A, Operand B, REAL* C, int m, int n, int k,
                                         int c_task, int c_row, REAL beta) {
  __shared__ __align__(16) REAL shared[S::SHARED];
  const int row = blockIdx.y * S::ROWS, col = blockIdx.x * S::COLS;
  const long long t = blockIdx.z;
  S sums;
  add_product(sums, A.of_task(t), B.of_task(t), row, col, m, n, k, shared);
  gather(sums, shared);
  finish(sums, C + t * c_task, c_row, row, col, m, n, beta);
}

template <class S>
__device__ __forceinline__ void multiply_pair(Operand A, Operand B, Operand D, Operand E,
                                              REAL* C, int m, int n, int k, int k2,
                                              int c_task, int c_row) {
  __shared__ __align__(16) REAL shared[S::SHARED];
  const int row = blockIdx.y * S::ROWS, col = blockIdx.x * S::COLS;
  const long long t = blockIdx.z;
  S sums;
#pragma unroll 1
  for (int second = 0; second < 2; second++) {
    const Matrix left = second ? D.of_task(t) : A.of_task(t);
    const Matrix right = second ? E.of_task(t) : B.of_task(t);
    add_product(sums, left, right, row, col, m, n, second ? k2 : k, shared);
    __syncthreads();  // it has been read by all
  }
  gather(sums, shared);
  finish(sums, C + t * c_task, c_row, row, col, m, n, (REAL)0);
}

#define BMM(SYMBOL, S)                                                                    \
  extern "C" __global__ void __launch_bounds__(S::THREADS, 8 / sizeof(REAL))              \
      SYMBOL(const REAL* __restrict__ A, const REAL* __restrict__ B,                      \
             REAL* __restrict__ C, int tasks, int m, int n, int k, int a_task, int a_row, \
             int a_col, int b_task, int b_row, int b_col, int c_task, int c_row,          \
             REAL beta) {                                                                 \
    multiply<S>({A, a_task, a_row, a_col}, {B, b_task, b_row, b_col}, C, m, n, k, c_task, \
                c_row, beta);                                                             \
  }

#define BMM_PAIR(SYMBOL, S)                                                               \
  extern "C" __global__ void __launch_bounds__(S::THREADS, 8 / sizeof(REAL))              \
      SYMBOL(const REAL* __restrict__ A, const REAL* __restrict__ B,                      \
             const REAL* __restrict__ D, const REAL* __restrict__ E,                      \
             REAL* __restrict__ C, int tasks, int m, int n, int k, int k2, int a_task,    \
             int a_row, int a_col, int b_task, int b_row, int b_col, int d_task,          \
             int d_row, int d_col, int e_task, int e_row, int e_col, int c_task,          \
             int c_row) {                                                                 \
    multiply_pair<S>({A, a_task, a_row, a_col}, {B, b_task, b_row, b_col},                \
                     {D, d_task, d_row, d_col}, {E, e_task, e_row, e_col}, C, m, n, k,    \
                     k2, c_task, c_row);                                                  \
  }
