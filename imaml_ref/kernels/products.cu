// Products of all tasks at once.
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
// buffers, so that one barrier per DEPTH is enough.  A thread computes DOWN × ACROSS
// entries.  Its group, of GROUPS, sums over its own 1/GROUPS of every DEPTH; at the end
// the sums of the groups are added in their order, as many at a time as have room.  No sum
// depends on timing.

#ifndef REAL
#define REAL float
#endif

struct __align__(4 * sizeof(REAL)) Four {
  REAL at[4];
};

// A matrix of one task with its strides.
struct Matrix {
  const REAL* first;
  int row, col;
};

template <int ROWS_, int COLS_, int DOWN_, int ACROSS_, int GROUPS_, int DEPTH_>
struct Tile {
  static constexpr int ROWS = ROWS_, COLS = COLS_, DOWN = DOWN_, ACROSS = ACROSS_;
  static constexpr int GROUPS = GROUPS_, DEPTH = DEPTH_, SHARE = DEPTH / GROUPS;
  static constexpr int BESIDE = COLS / ACROSS, GROUP = BESIDE * (ROWS / DOWN);
  static constexpr int THREADS = GROUP * GROUPS;
  // Four more than needed: columns written one after the other meet different banks.
  static constexpr int A_WIDTH = ROWS + 4, B_WIDTH = COLS + 4;
  static constexpr int BUFFER = DEPTH * (A_WIDTH + B_WIDTH);
  static constexpr int SHARED = 2 * BUFFER, AT_ONCE = SHARED / (ROWS * COLS);
};

// Entries of a WIDE × DEPTH piece of a matrix, a few per thread.  Neighbouring threads
// read neighbouring entries, along whichever axis these lie.
template <int WIDE, int DEPTH, int THREADS>
struct Piece {
  static constexpr int COUNT = (WIDE * DEPTH + THREADS - 1) / THREADS;
  static constexpr bool WHOLE = WIDE * DEPTH % THREADS == 0;
  REAL kept[COUNT];

  // Wide index and deep index of entry i of this thread.
  static __device__ __forceinline__ void place(bool deep, int i, int& w, int& d) {
    const int e = threadIdx.x + i * THREADS;
    w = deep ? e / DEPTH : e % WIDE;
    d = deep ? e % DEPTH : e / WIDE;
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
      if (WHOLE || d < DEPTH && w < WIDE) shared[d * width + w] = kept[i];
    }
  }
};

// The sums of a thread, and where they are in the tile.
template <class T>
struct Sums {
  REAL at[T::DOWN][T::ACROSS];
  int group, down, across;

  __device__ __forceinline__ Sums() {
    const int thread = threadIdx.x % T::GROUP;
    group = threadIdx.x / T::GROUP;
    down = thread / T::BESIDE * T::DOWN;
    across = thread % T::BESIDE * T::ACROSS;
#pragma unroll
    for (int i = 0; i < T::DOWN; i++)
#pragma unroll
      for (int j = 0; j < T::ACROSS; j++) at[i][j] = 0;
  }

  // at += A B over this group's share of one DEPTH.
  __device__ __forceinline__ void add(const REAL* A, const REAL* B) {
#pragma unroll
    for (int d = 0; d < T::SHARE; d++) {
      const REAL* a = A + (group * T::SHARE + d) * T::A_WIDTH + down;
      const REAL* b = B + (group * T::SHARE + d) * T::B_WIDTH + across;
      REAL a_kept[T::DOWN], b_kept[T::ACROSS];
#pragma unroll
      for (int i = 0; i < T::DOWN; i++) a_kept[i] = a[i];
#pragma unroll
      for (int j = 0; j < T::ACROSS; j++) b_kept[j] = b[j];
#pragma unroll
      for (int i = 0; i < T::DOWN; i++)
#pragma unroll
        for (int j = 0; j < T::ACROSS; j++) at[i][j] += a_kept[i] * b_kept[j];
    }
  }

  // Give the sums of all groups to the first, added in the order of the groups.
  __device__ __forceinline__ void gather(REAL* shared) {
    REAL* mine = shared + down * T::COLS + across;
    for (int next = 1; next < T::GROUPS; next += T::AT_ONCE) {
      const int end = next + T::AT_ONCE < T::GROUPS ? next + T::AT_ONCE : T::GROUPS;
      __syncthreads();  // all have read what was here
      if (next <= group && group < end)
#pragma unroll
        for (int i = 0; i < T::DOWN; i++)
#pragma unroll
          for (int j = 0; j < T::ACROSS; j++)
            mine[((group - next) * T::ROWS + i) * T::COLS + j] = at[i][j];
      __syncthreads();
      if (group == 0)
        for (int g = 0; g < end - next; g++)
#pragma unroll
          for (int i = 0; i < T::DOWN; i++)
#pragma unroll
            for (int j = 0; j < T::ACROSS; j++)
              at[i][j] += mine[(g * T::ROWS + i) * T::COLS + j];
    }
  }
};

// sums += A B on the tile whose first entry is (row, col).
template <class T>
__device__ __forceinline__ void add_product(Sums<T>& sums, const Matrix& A,
                                            const Matrix& B, int row, int col, int m,
                                            int n, int k, REAL* shared) {
  Piece<T::ROWS, T::DEPTH, T::THREADS> a;
  Piece<T::COLS, T::DEPTH, T::THREADS> b;
  for (int depth = 0, buffer = 0; depth < k + T::DEPTH; depth += T::DEPTH) {
    REAL* next = shared + buffer * T::BUFFER;
    const REAL* last = shared + (1 - buffer) * T::BUFFER;
    if (depth < k) {
      a.read(A.first, A.row, A.col, row, m, depth, k);
      b.read(B.first, B.col, B.row, col, n, depth, k);
    }
    if (depth > 0) sums.add(last, last + T::DEPTH * T::A_WIDTH);
    if (depth < k) {
      a.write(next, T::A_WIDTH, A.col);
      b.write(next + T::DEPTH * T::A_WIDTH, T::B_WIDTH, B.row);
      __syncthreads();  // next is whole, and last has been read by all
    }
    buffer = 1 - buffer;
  }
}

// Four entries in a row of C, of which `left` are inside.
__device__ __forceinline__ void write(const REAL* sums, REAL* out, int left, bool fours,
                                      REAL beta) {
  if (fours && left >= 4) {
    Four four = {};
    if (beta != 0) four = *(const Four*)out;
#pragma unroll
    for (int j = 0; j < 4; j++) four.at[j] = sums[j] + (beta != 0 ? beta * four.at[j] : 0);
    *(Four*)out = four;
  } else {
#pragma unroll
    for (int j = 0; j < 4; j++)
      if (j < left) out[j] = sums[j] + (beta != 0 ? beta * out[j] : 0);
  }
}

// C = sums + β C, four entries at a time where memory allows.
template <class T>
__device__ __forceinline__ void finish(const Sums<T>& sums, REAL* C, int c_row, int row,
                                       int col, int m, int n, REAL beta) {
  if (sums.group > 0) return;
  const bool fours = (unsigned long long)C % sizeof(Four) == 0 && c_row % 4 == 0;
#pragma unroll
  for (int i = 0; i < T::DOWN; i++)
#pragma unroll
    for (int j = 0; j < T::ACROSS; j += 4) {
      const int r = row + sums.down + i, c = col + sums.across + j;
      REAL* out = C + (long long)r * c_row + c;
      if (r < m && c < n) write(sums.at[i] + j, out, n - c, fours, beta);
    }
}

typedef Tile<64, 64, 8, 8, 4, 16> Tile64x64;
typedef Tile<32, 32, 8, 4, 8, 32> Tile32x32;
typedef Tile<32, 16, 4, 4, 8, 32> Tile32x16;
typedef Tile<16, 16, 2, 4, 8, 64> Tile16x16;

// An operand as the caller has it.
struct Operand {
  const REAL* first;
  int task, row, col;

  __device__ __forceinline__ Matrix of_task(long long t) const {
    return {first + t * task, row, col};
  }
};

template <class T>
__device__ __forceinline__ void multiply(Operand A, Operand B, REAL* C, int m, int n, int k,
                                         int c_task, int c_row, REAL beta) {
  __shared__ __align__(16) REAL shared[T::SHARED];
  const int row = blockIdx.y * T::ROWS, col = blockIdx.x * T::COLS;
  const long long t = blockIdx.z;
  Sums<T> sums;
  add_product(sums, A.of_task(t), B.of_task(t), row, col, m, n, k, shared);
  sums.gather(shared);
  finish(sums, C + t * c_task, c_row, row, col, m, n, beta);
}

template <class T>
__device__ __forceinline__ void multiply_pair(Operand A, Operand B, Operand D, Operand E,
                                              REAL* C, int m, int n, int k, int k2,
                                              int c_task, int c_row) {
  __shared__ __align__(16) REAL shared[T::SHARED];
  const int row = blockIdx.y * T::ROWS, col = blockIdx.x * T::COLS;
  const long long t = blockIdx.z;
  Sums<T> sums;
#pragma unroll 1
  for (int second = 0; second < 2; second++) {
    const Matrix left = second ? D.of_task(t) : A.of_task(t);
    const Matrix right = second ? E.of_task(t) : B.of_task(t);
    add_product(sums, left, right, row, col, m, n, second ? k2 : k, shared);
    __syncthreads();  // it has been read by all
  }
  sums.gather(shared);
  finish(sums, C + t * c_task, c_row, row, col, m, n, (REAL)0);
}

#define BMM(SYMBOL, T)                                                                    \
  extern "C" __global__ void __launch_bounds__(T::THREADS, 8 / sizeof(REAL))              \
      SYMBOL(const REAL* __restrict__ A, const REAL* __restrict__ B,                      \
             REAL* __restrict__ C, int tasks, int m, int n, int k, int a_task, int a_row, \
             int a_col, int b_task, int b_row, int b_col, int c_task, int c_row,          \
             REAL beta) {                                                                 \
    multiply<T>({A, a_task, a_row, a_col}, {B, b_task, b_row, b_col}, C, m, n, k, c_task, \
                c_row, beta);                                                             \
  }

#define BMM_PAIR(SYMBOL, T)                                                               \
  extern "C" __global__ void __launch_bounds__(T::THREADS, 8 / sizeof(REAL))              \
      SYMBOL(const REAL* __restrict__ A, const REAL* __restrict__ B,                      \
             const REAL* __restrict__ D, const REAL* __restrict__ E,                      \
             REAL* __restrict__ C, int tasks, int m, int n, int k, int k2, int a_task,    \
             int a_row, int a_col, int b_task, int b_row, int b_col, int d_task,          \
             int d_row, int d_col, int e_task, int e_row, int e_col, int c_task,          \
             int c_row) {                                                                 \
    multiply_pair<T>({A, a_task, a_row, a_col}, {B, b_task, b_row, b_col},                \
                     {D, d_task, d_row, d_col}, {E, e_task, e_row, e_col}, C, m, n, k,    \
                     k2, c_task, c_row);                                                  \
  }

BMM(bmm_64x64, Tile64x64)
BMM(bmm_32x32, Tile32x32)
BMM(bmm_32x16, Tile32x16)
BMM(bmm_16x16, Tile16x16)
BMM_PAIR(bmm_pair_64x64, Tile64x64)
BMM_PAIR(bmm_pair_32x32, Tile32x32)
BMM_PAIR(bmm_pair_32x16, Tile32x16)
BMM_PAIR(bmm_pair_16x16, Tile16x16)
