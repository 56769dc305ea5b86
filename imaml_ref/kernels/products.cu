// The products of bmm.cuh by multiply-adds.

#ifndef REAL
#define REAL float
#endif

#include "products.cuh"
#include "multiply_adds.cuh"
#include "bmm.cuh"

typedef MultiplyAdds<64, 64, 8, 8, 4, 16> Tile64x64;
typedef MultiplyAdds<32, 32, 8, 4, 8, 32> Tile32x32;
typedef MultiplyAdds<32, 16, 4, 4, 8, 32> Tile32x16;
typedef MultiplyAdds<16, 16, 2, 4, 8, 64> Tile16x16;

BMM(bmm_64x64, Tile64x64)
BMM(bmm_32x32, Tile32x32)
BMM(bmm_32x16, Tile32x16)
BMM(bmm_16x16, Tile16x16)
BMM_PAIR(bmm_pair_64x64, Tile64x64)
BMM_PAIR(bmm_pair_32x32, Tile32x32)
BMM_PAIR(bmm_pair_32x16, Tile32x16)
BMM_PAIR(bmm_pair_16x16, Tile16x16)
