// The convolutions of conv.cuh on tensor cores, for float.

#ifndef REAL
#define REAL float
#endif

#include "products.cuh"
#include "tensor.cuh"
#include "normalisation.cuh"
#include "conv.cuh"
#include "conv_launches.cuh"

// Few rows in a tile for few rows in all.
template <int TERMS>
struct Tiles {
  typedef Tensor<TERMS, 128, 16, 2, 2, 2, 32, LINES> Of128;
  typedef Tensor<TERMS, 32, 16, 2, 2, 8, 64, LINES> Of32;
  typedef Tensor<TERMS, 64, 64, 2, 4, 2, 16> Of64x64;
  typedef Tensor<TERMS, 32, 32, 2, 4, 8, 64> Of32x32;
};

CONV_BN_RELU(conv_bn_relu_tf32_128, Tiles<1>::Of128)
CONV_BN_RELU(conv_bn_relu_tf32_32, Tiles<1>::Of32)
CONV_BN_RELU(conv_bn_relu_3xtf32_128, Tiles<3>::Of128)
CONV_BN_RELU(conv_bn_relu_3xtf32_32, Tiles<3>::Of32)
CONV_BN_RELU_JVP(conv_bn_relu_jvp_tf32_128, Tiles<1>::Of128)
CONV_BN_RELU_JVP(conv_bn_relu_jvp_tf32_32, Tiles<1>::Of32)
CONV_BN_RELU_JVP(conv_bn_relu_jvp_3xtf32_128, Tiles<3>::Of128)
CONV_BN_RELU_JVP(conv_bn_relu_jvp_3xtf32_32, Tiles<3>::Of32)
CONV_VJP(conv_vjp_tf32_64x64, Tiles<1>::Of64x64)
CONV_VJP(conv_vjp_tf32_32x32, Tiles<1>::Of32x32)
CONV_VJP(conv_vjp_3xtf32_64x64, Tiles<3>::Of64x64)
CONV_VJP(conv_vjp_3xtf32_32x32, Tiles<3>::Of32x32)
CONV_VJP_DOT(conv_vjp_dot_tf32_64x64, Tiles<1>::Of64x64)
CONV_VJP_DOT(conv_vjp_dot_tf32_32x32, Tiles<1>::Of32x32)
CONV_VJP_DOT(conv_vjp_dot_3xtf32_64x64, Tiles<3>::Of64x64)
CONV_VJP_DOT(conv_vjp_dot_3xtf32_32x32, Tiles<3>::Of32x32)
