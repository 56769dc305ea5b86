// What a tensor core computes, written out: the twin of two instructions.

#pragma once

static float __uint_as_float(unsigned bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

// The nearest number of 11 significant bits, of two the one away from zero.
static unsigned tf32(float x) {
  unsigned bits;
  memcpy(&bits, &x, sizeof bits);
  return (bits + 0x1000u) & ~0x1fffu;
}

// Rounded towards zero, the worst that a tensor core may do.
static float towards_zero(double x) {
  const float near = x;
  return std::fabs(near) > std::fabs(x) ? std::nextafter(near, 0.0f) : near;
}

// C += A B for 16 × 8 of A and 8 × 8 of B, whose entries are spread over a warp.
static void multiply_add(float (&c)[2][2], const unsigned (&a)[4], const unsigned (&b)[2]) {
  fibers::Fiber* me = fibers::running;
  memcpy(me->a, a, sizeof a), memcpy(me->b, b, sizeof b);
  fibers::leave(fibers::AT_WARP);
  const unsigned first = fibers::place() / 32 * 32, g = fibers::place() % 32 / 4;
  for (unsigned i = 0; i < 2; i++)
    for (unsigned j = 0; j < 2; j++) {
      const unsigned col = fibers::place() % 4 * 2 + j;
      double sum = c[i][j];
      for (unsigned k = 0; k < 8; k++) {
        const float left = __uint_as_float(fibers::pool[first + 4 * g + k % 4]->a[i + k / 4 * 2]);
        const float right = __uint_as_float(fibers::pool[first + 4 * col + k % 4]->b[k / 4]);
        sum += (double)left * right;
      }
      c[i][j] = towards_zero(sum);
    }
  fibers::leave(fibers::AT_WARP);
}
