// bmm and bmm_pair of products.cuh by multiply-adds: a thread has DOWN × ACROSS entries.

#ifndef REAL
#define REAL float
#endif

#include "products.cuh"

template <int ROWS, int COLS, int DOWN, int ACROSS, int GROUPS, int DEPTH>
struct Tile : Sizes<ROWS, COLS, GROUPS, DEPTH, 4> {
  typedef Sizes<ROWS, COLS, GROUPS, DEPTH, 4> Base;
  static constexpr int RUN = 4, BESIDE = ACROSS / RUN, PARTS = DOWN * BESIDE;
  static_assert(ROWS / DOWN * (COLS / ACROSS) == Base::GROUP, "a group has the tile");
  REAL of[PARTS][RUN];
  int group, down, across;

  static __device__ __forceinline__ int at(int w, int d, int width) {
    return d * width + w;
  }

  __device__ __forceinline__ Tile() {
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
      const REAL* a = A + at(down, group * Base::SHARE + s, Base::A_WIDTH);
      const REAL* b = B + at(across, group * Base::SHARE + s, Base::B_WIDTH);
      REAL a_kept[DOWN], b_kept[ACROSS];
#pragma unroll
      for (int i = 0; i < DOWN; i++) a_kept[i] = a[i];
#pragma unroll
      for (int j = 0; j < ACROSS; j++) b_kept[j] = b[j];
#pragma unroll
      for (int i = 0; i < DOWN; i++)
#pragma unroll
        for (int j = 0; j < ACROSS; j++)
          of[i * BESIDE + j / RUN][j % RUN] += a_kept[i] * b_kept[j];
    }
  }
};

typedef Tile<64, 64, 8, 8, 4, 16> Tile64x64;
typedef Tile<32, 32, 8, 4, 8, 32> Tile32x32;
typedef Tile<32, 16, 4, 4, 8, 32> Tile32x16;
typedef Tile<16, 16, 2, 4, 8, 64> Tile16x16;

BMM(bmm_64x64, Tile64x64)
BMM(bmm_32x32, Tile32x32)
BMM(bmm_32x16, Tile32x16)
BMM(bmm_16x16, Tile16x16)
BMM_PAIR(bmm_pair_64x64, Tile64x64)
BMM_PAIR(bmm_pair_32x32, Tile32x32)
BMM_PAIR(bmm_pair_32x16, Tile32x16)
BMM_PAIR(bmm_pair_16x16, Tile16x16)
