// Answer the conformance suite from C++: linear models and MLPs, all levels.
//
//   imaml-ref conformance export inputs.h5
//   g++ -O2 -std=c++17 answer.cpp -o answer $(pkg-config --cflags --libs hdf5)
//   ./answer inputs.h5 answers.h5
//   imaml-ref conformance check answers.h5
//
// Needs the C library of HDF5 (Debian: libhdf5-dev). Of networks with other layers it
// says nothing: they count as not attempted. Where there is no trustworthy answer, it
// writes why, as the attribute `warned`.
//
// What is about the files is in conformance.hpp; what is about the suite, in `mine`.
#include <numeric>

#include "conformance.hpp"
#include "meta_gradient.hpp"

using conformance::Answers;
using conformance::Question;

Examples examples_of(hid_t inputs, const std::string& which, std::size_t t) {
  const h5::Array x = h5::read(inputs, which + "_x"), y = h5::read(inputs, which + "_y");
  return {int(x.shape[1]), x.at(t), y.at(t)};
}

void add_tasks(Problem& p, hid_t place) {
  const std::size_t T = h5::read(place, "support_x").shape[0];
  for (std::size_t t = 0; t < T; ++t)
    p.tasks.push_back({examples_of(place, "support", t), examples_of(place, "query", t)});
}

// Tasks of unequal size come in groups, in the order of the rows of phi and solution.
Problem problem_of(hid_t group, hid_t inputs, const Network& net) {
  Problem p{net, h5::read(inputs, "theta").data, h5::read(inputs, "lam").data, {}};
  if (p.lam.size() == 1) p.lam.assign(p.theta.size(), p.lam[0]);
  for (int i = 0; h5::has(group, "groups") && h5::has(group, "groups/" + std::to_string(i)); ++i) {
    const hid_t place = h5::open_group(group, "groups/" + std::to_string(i));
    add_tasks(p, place);
    H5Gclose(place);
  }
  if (p.tasks.empty()) add_tasks(p, inputs);
  return p;
}

Answers solved_system(hid_t inputs) {
  const Vector A = h5::read(inputs, "A").data, b = h5::read(inputs, "b").data;
  const std::size_t n = b.size();
  const Vector x = conjugate_gradients([&](const Vector& p) {
    Vector y(n, 0.0);
    for (std::size_t i = 0; i < n * n; ++i) y[i / n] += A[i] * p[i % n];
    return y;
  }, b);
  return {{"x", {{n}, x}}};
}

// One row (P,) for each task, or one number.
template <class F>
h5::Array each(const Problem& p, hid_t inputs, bool rows, F f) {
  const h5::Array phi = h5::read(inputs, "phi"), v = h5::read(inputs, "v");
  h5::Array found{{p.tasks.size()}, {}};
  if (rows) found.shape.push_back(p.theta.size());
  for (std::size_t t = 0; t < p.tasks.size(); ++t)
    for (double a : f(phi.at(t), v.at(t), p.tasks[t].support)) found.data.push_back(a);
  return found;
}

// The meta-gradient and dF/dlam, one number or one for each parameter.
Answers with_both(const Problem& p, const std::vector<Vector>& phi, hid_t inputs) {
  const h5::Array lam = h5::read(inputs, "lam");
  Vector slope = lam_gradient(p, phi);
  if (lam.shape.empty()) slope = {std::accumulate(slope.begin(), slope.end(), 0.0)};
  return {{"meta_grad", {{p.theta.size()}, meta_gradient(p, phi)}},
          {"lam_grad", {lam.shape, slope}}};
}

Answers answers_to(const Question& q, const Problem& p) {
  const std::string& level = q.level;
  const hid_t inputs = q.inputs;
  using V = const Vector&;
  using E = const Examples&;
  const std::vector<hsize_t> flat{p.theta.size()};
  if (level == "L1")
    return {{"loss", each(p, inputs, false, [&](V phi, V, E on) {
               return Vector{value(p.net, phi, on)};
             })},
            {"grad", each(p, inputs, true, [&](V phi, V, E on) {
               return gradient(p.net, phi, on);
             })}};
  if (level == "L2")
    return {{"hvp", each(p, inputs, true, [&](V phi, V v, E on) {
               return hvp(p.net, phi, v, on);
             })},
            {"gnvp", each(p, inputs, true, [&](V phi, V v, E on) {
               return gnvp(p.net, phi, v, on);
             })}};
  if (level == "L4") {
    const h5::Array solution = h5::read(inputs, "solution");
    std::vector<Vector> given;
    for (std::size_t t = 0; t < p.tasks.size(); ++t) given.push_back(solution.at(t));
    return with_both(p, given, inputs);
  }
  if (level == "L5") {
    const std::vector<Vector> phi = minima(p);
    Answers found = with_both(p, phi, inputs);
    h5::Array& inner = found["inner"] = {{p.tasks.size(), p.theta.size()}, {}};
    for (const Vector& row : phi) inner.data.insert(inner.data.end(), row.begin(), row.end());
    return found;
  }
  if (level == "U")
    return {{"unrolled_grad", {flat, unrolled_gradient(p, q.unrolled)}}};
  return {{"theta", {flat, outer_steps(p, q.outer, level == "L6" ? 1 : 10)}}};
}

Answers mine(const Question& q) {
  if (q.has("A")) return solved_system(q.inputs);
  const auto net = parsed(q.network, q.loss);
  if (!net) throw conformance::NotAttempted();
  return answers_to(q, problem_of(q.group, q.inputs, *net));
}

int main(int count, char** files) { return conformance::run(count, files, mine); }
