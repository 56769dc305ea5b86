// Answer the conformance suite from C++: linear models and MLPs, levels L1 to L7.
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
#include "conformance.hpp"
#include "meta_gradient.hpp"

using conformance::Answers;
using conformance::Question;

Examples examples_of(hid_t inputs, const std::string& which, std::size_t t) {
  const h5::Array x = h5::read(inputs, which + "_x"), y = h5::read(inputs, which + "_y");
  return {int(x.shape[1]), x.at(t), y.at(t)};
}

Problem problem_of(hid_t inputs, const Network& net) {
  Problem p{net, h5::read(inputs, "theta").data, h5::read(inputs, "lam").data, {}};
  if (p.lam.size() == 1) p.lam.assign(p.theta.size(), p.lam[0]);
  const std::size_t T = h5::read(inputs, "support_x").shape[0];
  for (std::size_t t = 0; t < T; ++t)
    p.tasks.push_back({examples_of(inputs, "support", t), examples_of(inputs, "query", t)});
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

Answers answers_to(const std::string& level, const Problem& p, hid_t inputs,
                   const std::string& outer) {
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
    return {{"meta_grad", {flat, meta_gradient(p, &given)}}};
  }
  if (level == "L5") return {{"meta_grad", {flat, meta_gradient(p, nullptr)}}};
  return {{"theta", {flat, outer_steps(p, outer, level == "L6" ? 1 : 10)}}};
}

Answers mine(const Question& q) {
  if (q.has("A")) return solved_system(q.inputs);
  const auto net = parsed(q.network, q.loss);
  if (!net || q.level == "U" || !q.has("support_x")) throw conformance::NotAttempted();
  return answers_to(q.level, problem_of(q.inputs, *net), q.inputs, q.outer);
}

int main(int count, char** files) { return conformance::run(count, files, mine); }
