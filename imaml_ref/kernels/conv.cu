// The convolutions of conv.cuh by multiply-adds.

#ifndef REAL
#define REAL float
#endif

#include "products.cuh"
#include "multiply_adds.cuh"
#include "normalisation.cuh"
#include "conv.cuh"
#include "conv_launches.cuh"

// Few rows in a tile for few rows in all.
typedef MultiplyAdds<128, 16, 8, 8, 8, 128 / sizeof(REAL), 0> Tile128;
typedef MultiplyAdds<32, 16, 4, 4, 8, 32, 0> Tile32;
typedef MultiplyAdds<64, 64, 8, 8, 4, 16> Tile64x64;
typedef MultiplyAdds<32, 32, 8, 4, 8, 32> Tile32x32;

CONV_BN_RELU(conv_bn_relu_128, Tile128)
CONV_BN_RELU(conv_bn_relu_32, Tile32)
CONV_BN_RELU_JVP(conv_bn_relu_jvp_128, Tile128)
CONV_BN_RELU_JVP(conv_bn_relu_jvp_32, Tile32)
CONV_VJP(conv_vjp_64x64, Tile64x64)
CONV_VJP(conv_vjp_32x32, Tile32x32)
CONV_VJP_DOT(conv_vjp_dot_64x64, Tile64x64)
CONV_VJP_DOT(conv_vjp_dot_32x32, Tile32x32)
