// Losses of tasks, the inner problem, and equation (5) of docs/mathematics.md:
//
//   phi = argmin L(phi) + 1/2 (phi - theta).Lambda (phi - theta)
//   g   = Lambda (H + Lambda)^-1 grad Q(phi),   H the Hessian of L at phi
//
// dF/dlam of equation (7) there, and the gradient through K steps.
#pragma once

#include "algebra.hpp"
#include "network.hpp"

struct Task {
  Examples support, query;
};

struct Problem {
  Network net;
  Vector theta, lam;  // lam for each parameter
  std::vector<Task> tasks;
};

inline double value(const Network& net, const Vector& phi, const Examples& examples) {
  Vector z_bar;
  return criterion(net, forward(net, phi, examples).x.back(), examples, z_bar);
}

template <class T>
Row<T> gradient(const Network& net, const Row<T>& phi, const Examples& examples) {
  const Trace<T> trace = forward(net, phi, examples);
  Row<T> z_bar;
  criterion(net, trace.x.back(), examples, z_bar);
  return backward(net, phi, trace, z_bar);
}

inline Row<Dual> along(const Vector& phi, const Vector& v) {
  Row<Dual> point;
  for (std::size_t i = 0; i < phi.size(); ++i) point.emplace_back(phi[i], v[i]);
  return point;
}

inline Vector eps_part(const Row<Dual>& a) {
  Vector b;
  for (const Dual& x : a) b.push_back(x.b);
  return b;
}

inline Vector hvp(const Network& net, const Vector& phi, const Vector& v,
                  const Examples& examples) {
  return eps_part(gradient(net, along(phi, v), examples));
}

// J^T H_z J v: the loss is differentiated along J v, the network is not.
inline Vector gnvp(const Network& net, const Vector& phi, const Vector& v,
                   const Examples& examples) {
  Row<Dual> z_bar;
  criterion(net, forward(net, along(phi, v), examples).x.back(), examples, z_bar);
  return backward(net, phi, forward(net, phi, examples), eps_part(z_bar));
}

// H + Lambda, by columns.
inline Vector operator_at(const Problem& p, const Vector& phi, const Examples& support) {
  const std::size_t P = phi.size();
  Vector A(P * P);
  for (std::size_t j = 0; j < P; ++j) {
    Vector unit(P, 0.0);
    unit[j] = 1;
    const Vector column = hvp(p.net, phi, unit, support);
    for (std::size_t i = 0; i < P; ++i) A[i * P + j] = column[i] + (i == j ? p.lam[j] : 0);
  }
  return A;
}

// Lambda (phi - theta).
inline Vector pull(const Problem& p, const Vector& phi) {
  Vector a = sum(phi, -1, p.theta);
  for (std::size_t i = 0; i < a.size(); ++i) a[i] *= p.lam[i];
  return a;
}

inline double objective(const Problem& p, const Vector& phi, const Examples& support) {
  return value(p.net, phi, support) + dot(pull(p, phi), sum(phi, -1, p.theta)) / 2;
}

// The minimum of the inner problem downhill of theta: Newton's method, damped by mu
// until the matrix is positive definite and the objective does not rise.
inline Vector minimum(const Problem& p, const Examples& support) {
  const std::size_t P = p.theta.size();
  Vector phi = p.theta, last = phi;
  double least = INFINITY;
  for (int k = 0; k < 200; ++k) {
    const Vector slope = sum(gradient(p.net, phi, support), 1, pull(p, phi));
    if (norm(slope) < least) {
      least = norm(slope);
      last = phi;
    } else if (least < 1e-9) {
      break;  // rounding: it falls no further
    }
    const Vector A = operator_at(p, phi, support);
    const double here = objective(p, phi, support);
    for (double mu = 0; mu < 1e9; mu = mu ? 4 * mu : 1e-3) {
      Vector damped = A;
      for (std::size_t i = 0; i < P; ++i) damped[i * P + i] += mu;
      if (!cholesky(damped, P)) continue;
      const Vector next = sum(phi, -1, solve_factored(damped, slope));
      if (objective(p, next, support) > here + 1e-12 * std::fabs(here)) continue;
      phi = next;
      break;
    }
  }
  return last;
}

// (H + Lambda)^-1 grad Q, at a phi that must be a minimum.
inline Vector solved(const Problem& p, const Task& task, const Vector& phi) {
  const Vector away = pull(p, phi);
  const Vector residual = sum(gradient(p.net, phi, task.support), 1, away);
  if (norm(residual) > 1e-6 * norm(away)) throw Refused("phi is not stationary");
  Vector A = operator_at(p, phi, task.support);
  if (!cholesky(A, phi.size())) throw Refused("H + Lambda is not positive definite");
  return solve_factored(A, gradient(p.net, phi, task.query));
}

inline std::vector<Vector> minima(const Problem& p) {
  std::vector<Vector> phi;
  for (const Task& task : p.tasks) phi.push_back(minimum(p, task.support));
  return phi;
}

// The mean over tasks of g, at the phi of each.
inline Vector meta_gradient(const Problem& p, const std::vector<Vector>& phi) {
  Vector g(p.theta.size(), 0.0);
  for (std::size_t t = 0; t < p.tasks.size(); ++t)
    g = sum(g, 1.0 / p.tasks.size(), solved(p, p.tasks[t], phi[t]));
  for (std::size_t i = 0; i < g.size(); ++i) g[i] *= p.lam[i];
  return g;
}

// The mean over tasks of -x_j (phi - theta)_j, for each parameter.
inline Vector lam_gradient(const Problem& p, const std::vector<Vector>& phi) {
  Vector mean(p.theta.size(), 0.0);
  for (std::size_t t = 0; t < p.tasks.size(); ++t) {
    const Vector x = solved(p, p.tasks[t], phi[t]);
    for (std::size_t i = 0; i < x.size(); ++i)
      mean[i] -= x[i] * (phi[t][i] - p.theta[i]) / p.tasks.size();
  }
  return mean;
}

// Of the mean of Q(phi_K), through K steps of gradient descent on L from theta.
inline Vector unrolled_gradient(const Problem& p, const std::string& unrolled) {
  const int K = std::stoi(field(unrolled, "steps"));
  const double step = std::stod(field(unrolled, "step_size"));
  Vector mean(p.theta.size(), 0.0);
  for (const Task& task : p.tasks) {
    std::vector<Vector> phi{p.theta};
    for (int k = 0; k < K; ++k)
      phi.push_back(sum(phi[k], -step, gradient(p.net, phi[k], task.support)));
    Vector v = gradient(p.net, phi[K], task.query);
    for (int k = K - 1; k >= 0; --k) v = sum(v, -step, hvp(p.net, phi[k], v, task.support));
    mean = sum(mean, 1.0 / p.tasks.size(), v);
  }
  return mean;
}

// theta after some steps of the optimiser that the case names.
inline Vector outer_steps(Problem p, const std::string& outer, int count) {
  const auto number = [&](const char* key) { return std::stod(field(outer, key)); };
  const bool adam = field(outer, "optimizer") == "adam";
  Vector m(p.theta.size(), 0.0), s(p.theta.size(), 0.0);
  for (int k = 1; k <= count; ++k) {
    const Vector g = meta_gradient(p, minima(p));
    for (std::size_t i = 0; i < g.size(); ++i) {
      double step = g[i];
      if (adam) {
        const double beta1 = number("beta1"), beta2 = number("beta2");
        m[i] = beta1 * m[i] + (1 - beta1) * g[i];
        s[i] = beta2 * s[i] + (1 - beta2) * g[i] * g[i];
        const double spread = std::sqrt(s[i] / (1 - std::pow(beta2, k)));
        step = m[i] / (1 - std::pow(beta1, k)) / (spread + number("eps"));
      }
      p.theta[i] -= number("step_size") * step;
    }
  }
  return p.theta;
}
