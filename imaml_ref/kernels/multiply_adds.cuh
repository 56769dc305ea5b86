// Tiles by multiply-adds: a thread has DOWN × ACROSS entries.

template <int ROWS, int COLS, int DOWN, int ACROSS, int GROUPS, int DEPTH, int PAD = 4>
struct MultiplyAdds
    : Sizes<ROWS, COLS, GROUPS, DEPTH, DEPTH*(ROWS + PAD), DEPTH*(COLS + PAD)> {
  typedef Sizes<ROWS, COLS, GROUPS, DEPTH, DEPTH*(ROWS + PAD), DEPTH*(COLS + PAD)> Base;
  static constexpr int RUN = 4, BESIDE = ACROSS / RUN, PARTS = DOWN * BESIDE;
  static_assert(ROWS / DOWN * (COLS / ACROSS) == Base::GROUP, "a group has the tile");
  REAL of[PARTS][RUN];
  int group, down, across;

  // Columns, a little longer than needed: entries written at a time, in a column or in a
  // row, meet different banks.  Or exactly as long: what is written is then four rows in
  // each of eight times four columns, and the four of a column change places.
  static __device__ __forceinline__ int at_A(int w, int d) {
    return PAD > 0 ? d * (ROWS + PAD) + w : d * ROWS + (w ^ (d & 28));
  }
  static __device__ __forceinline__ int at_B(int w, int d) { return d * (COLS + PAD) + w; }

  __device__ __forceinline__ MultiplyAdds() {
    const int thread = threadIdx.x % Base::GROUP;
    group = threadIdx.x / Base::GROUP;
    down = thread / (COLS / ACROSS) * DOWN;
    across = thread % (COLS / ACROSS) * ACROSS;
#pragma unroll
    for (int part = 0; part < PARTS; part++)
#pragma unroll
      for (int j = 0; j < RUN; j++) of[part][j] = 0;
  }

  __device__ __forceinline__ void place(int part, int& row, int& col) const {
    row = down + part / BESIDE, col = across + part % BESIDE * RUN;
  }

  __device__ __forceinline__ void add(const REAL* A, const REAL* B) {
#pragma unroll
    for (int s = 0; s < Base::SHARE; s++) {
      const int d = group * Base::SHARE + s;
      REAL a[DOWN], b[ACROSS];
#pragma unroll
      for (int i = 0; i < DOWN; i++) a[i] = A[at_A(down + i / 4 * 4, d) + i % 4];
#pragma unroll
      for (int j = 0; j < ACROSS; j++) b[j] = B[at_B(across, d) + j];
#pragma unroll
      for (int i = 0; i < DOWN; i++)
#pragma unroll
        for (int j = 0; j < ACROSS; j++) of[i * BESIDE + j / RUN][j % RUN] += a[i] * b[j];
    }
  }
};
