// Vectors, conjugate gradients and Cholesky's factorisation, refusing what is indefinite.
#pragma once

#include "conformance.hpp"

#include <cmath>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

using Vector = std::vector<double>;

using conformance::Refused;

inline double dot(const Vector& a, const Vector& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

inline double norm(const Vector& a) { return std::sqrt(dot(a, a)); }

// a + s b
inline Vector sum(const Vector& a, double s, const Vector& b) {
  Vector c(a);
  for (std::size_t i = 0; i < a.size(); ++i) c[i] += s * b[i];
  return c;
}

// The tolerance is relative to b: a tiny right-hand side is a right-hand side.
inline Vector conjugate_gradients(const std::function<Vector(const Vector&)>& product,
                                  const Vector& b) {
  Vector x(b.size(), 0.0), r(b), p(b);
  for (std::size_t k = 0; k < 10 * b.size() && norm(r) > 1e-16 * norm(b); ++k) {
    const Vector Ap = product(p);
    const double curvature = dot(p, Ap), before = dot(r, r);
    if (!(curvature > 0))
      throw Refused("negative curvature: p.Ap = " + std::to_string(curvature));
    x = sum(x, before / curvature, p);
    r = sum(r, -before / curvature, Ap);
    p = sum(r, dot(r, r) / before, p);
  }
  return x;
}

// A = L L^T, row by row in the lower half of A; false if A is not positive definite.
inline bool cholesky(Vector& A, std::size_t n) {
  for (std::size_t j = 0; j < n; ++j)
    for (std::size_t i = j; i < n; ++i) {
      double rest = A[i * n + j];
      for (std::size_t k = 0; k < j; ++k) rest -= A[i * n + k] * A[j * n + k];
      if (i == j && !(rest > 0)) return false;
      A[i * n + j] = i == j ? std::sqrt(rest) : rest / A[j * n + j];
    }
  return true;
}

inline Vector solve_factored(const Vector& L, Vector x) {
  const std::size_t n = x.size();
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < i; ++k) x[i] -= L[i * n + k] * x[k];
    x[i] /= L[i * n + i];
  }
  for (std::size_t i = n; i-- > 0;) {
    for (std::size_t k = i + 1; k < n; ++k) x[i] -= L[k * n + i] * x[k];
    x[i] /= L[i * n + i];
  }
  return x;
}
