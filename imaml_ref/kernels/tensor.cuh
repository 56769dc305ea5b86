// Tiles on tensor cores, for float.
//
// A tensor core multiplies numbers of 11 significant bits (TF32), and adds in float.
//
// tf32     a b ≈ a₁ b₁, a₁ the rounded a: three digits
// 3xtf32   a b ≈ a₁ b₁ + a₁ b₂ + a₂ b₁, a₂ the rounded a − a₁: 22 significant bits, the
//          small terms first, so what is left out is as small as float's own rounding
//
// Its sums may be rounded towards zero, always to the same side: in a long one that would
// grow.  So it is given 8 of the depth at a time, and a thread adds what they come to.
//
// A warp has a part of the tile: DOWN × ACROSS pieces of 16 × 8 entries, and multiplies 16
// × 8 of A by 8 × 8 of B at a time.  Lane 4 g + q has of these pieces
//
//     A  (g, q), (g + 8, q), (g, q + 4), (g + 8, q + 4)       B  (q, g), (q + 4, g)
//     C  (g, 2q), (g, 2q + 1), (g + 8, 2q), (g + 8, 2q + 1)

#ifndef FIBERS
// On fibers both are written out, from the table above.
__device__ __forceinline__ unsigned tf32(float x) {
  unsigned rounded;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(rounded) : "f"(x));
  return rounded;
}

// C += A B, by all lanes of a warp: volatile, lest a compiler move it to where some are.
__device__ __forceinline__ void multiply_add(float (&c)[2][2], const unsigned (&a)[4],
                                             const unsigned (&b)[2]) {
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
               "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+f"(c[0][0]), "+f"(c[0][1]), "+f"(c[1][0]), "+f"(c[1][1])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#endif

// N numbers as sums of rounded ones.
template <int N>
struct Split {
  unsigned large[N], small[N];

  __device__ __forceinline__ void take(int i, float x) {
    large[i] = tf32(x);
    small[i] = tf32(x - __uint_as_float(large[i]));
  }
};

// Columns of the left factor in shared memory, or rows: of what a thread writes, four
// entries of a row lie in one piece then.
constexpr bool COLUMNS = false, LINES = true;

template <int TERMS, int ROWS, int COLS, int DOWN, int ACROSS, int GROUPS, int DEPTH,
          bool LEFT = COLUMNS>
struct Tensor : Sizes<ROWS, COLS, GROUPS, DEPTH,
                      LEFT == LINES ? ROWS*(DEPTH + 4) : DEPTH*(ROWS + 8),
                      DEPTH*(COLS + 8)> {
  typedef Sizes<ROWS, COLS, GROUPS, DEPTH,
                LEFT == LINES ? ROWS*(DEPTH + 4) : DEPTH*(ROWS + 8), DEPTH*(COLS + 8)>
      Base;
  static constexpr int RUN = 2, PARTS = DOWN * ACROSS * 2, BESIDE = COLS / (8 * ACROSS);
  static_assert(ROWS / (16 * DOWN) * BESIDE * 32 == Base::GROUP, "a group has the tile");
  static_assert(Base::SHARE % 8 == 0, "a step takes 8 of the depth");
  REAL of[PARTS][RUN];
  int group, down, across, g, q;

  // Lanes that write entries next to one another in depth, or read 4 × 8 of them, meet
  // different banks.
  static __device__ __forceinline__ int at_A(int w, int d) {
    return LEFT == LINES ? w * (DEPTH + 4) + d : d * (ROWS + 8) + (w ^ (d >> 1 & 6));
  }
  static __device__ __forceinline__ int at_B(int w, int d) {
    return d * (COLS + 8) + (w ^ (d >> 1 & 6));
  }

  __device__ __forceinline__ Tensor() {
    const int warp = threadIdx.x % Base::GROUP / 32;
    group = threadIdx.x / Base::GROUP;
    down = warp / BESIDE * 16 * DOWN;
    across = warp % BESIDE * 8 * ACROSS;
    g = threadIdx.x % 32 / 4;
    q = threadIdx.x % 4;
#pragma unroll
    for (int part = 0; part < PARTS; part++) of[part][0] = of[part][1] = 0;
  }

  __device__ __forceinline__ void place(int part, int& row, int& col) const {
    row = down + part / 2 / ACROSS * 16 + part % 2 * 8 + g;
    col = across + part / 2 % ACROSS * 8 + 2 * q;
  }

  __device__ __forceinline__ void add(const REAL* A, const REAL* B) {
#pragma unroll
    for (int s = 0; s < Base::SHARE; s += 8) {
      const int d = group * Base::SHARE + s + q;
      Split<4> a[DOWN];
      Split<2> b[ACROSS];
#pragma unroll
      for (int i = 0; i < DOWN; i++)
#pragma unroll
        for (int n = 0; n < 4; n++)
          a[i].take(n, A[at_A(down + 16 * i + g + n % 2 * 8, d + n / 2 * 4)]);
#pragma unroll
      for (int j = 0; j < ACROSS; j++)
#pragma unroll
        for (int n = 0; n < 2; n++)
          b[j].take(n, B[at_B(across + 8 * j + g, d + n * 4)]);
#pragma unroll
      for (int i = 0; i < DOWN; i++)
#pragma unroll
        for (int j = 0; j < ACROSS; j++) {
          REAL c[2][2] = {};
          if (TERMS == 3) {
            multiply_add(c, a[i].small, b[j].large);
            multiply_add(c, a[i].large, b[j].small);
          }
          multiply_add(c, a[i].large, b[j].large);
#pragma unroll
          for (int n = 0; n < 4; n++)
            of[(i * ACROSS + j) * 2 + n / 2][n % 2] += c[n / 2][n % 2];
        }
    }
  }
};
