// The products of bmm.cuh on tensor cores, for float.

#ifndef REAL
#define REAL float
#endif

#include "products.cuh"
#include "tensor.cuh"
#include "bmm.cuh"

template <int TERMS>
struct Tiles {
  typedef Tensor<TERMS, 64, 64, 2, 4, 2, 16> Of64x64;
  typedef Tensor<TERMS, 32, 32, 2, 4, 8, 64> Of32x32;
  typedef Tensor<TERMS, 32, 16, 2, 2, 8, 64> Of32x16;
  typedef Tensor<TERMS, 16, 16, 1, 2, 8, 64> Of16x16;
};

BMM(bmm_tf32_64x64, Tiles<1>::Of64x64)
BMM(bmm_tf32_32x32, Tiles<1>::Of32x32)
BMM(bmm_tf32_32x16, Tiles<1>::Of32x16)
BMM(bmm_tf32_16x16, Tiles<1>::Of16x16)
BMM(bmm_3xtf32_64x64, Tiles<3>::Of64x64)
BMM(bmm_3xtf32_32x32, Tiles<3>::Of32x32)
BMM(bmm_3xtf32_32x16, Tiles<3>::Of32x16)
BMM(bmm_3xtf32_16x16, Tiles<3>::Of16x16)
BMM_PAIR(bmm_pair_tf32_64x64, Tiles<1>::Of64x64)
BMM_PAIR(bmm_pair_tf32_32x32, Tiles<1>::Of32x32)
BMM_PAIR(bmm_pair_tf32_32x16, Tiles<1>::Of32x16)
BMM_PAIR(bmm_pair_tf32_16x16, Tiles<1>::Of16x16)
BMM_PAIR(bmm_pair_3xtf32_64x64, Tiles<3>::Of64x64)
BMM_PAIR(bmm_pair_3xtf32_32x32, Tiles<3>::Of32x32)
BMM_PAIR(bmm_pair_3xtf32_32x16, Tiles<3>::Of32x16)
BMM_PAIR(bmm_pair_3xtf32_16x16, Tiles<3>::Of16x16)
