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
#include <cstdio>
#include <map>
#include <numeric>

#include "hdf5_files.hpp"
#include "meta_gradient.hpp"

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

using Answers = std::map<std::string, h5::Array>;

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

Answers answers_to(const std::string& level, const Problem& p, hid_t group, hid_t inputs) {
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
    return {{"unrolled_grad", {flat, unrolled_gradient(p, h5::read_text(group, "unrolled"))}}};
  const std::string outer = h5::read_text(group, "outer");
  return {{"theta", {flat, outer_steps(p, outer, level == "L6" ? 1 : 10)}}};
}

void answer_case(hid_t from, hid_t to, const std::string& name) {
  const hid_t group = h5::open_group(from, "cases/" + name);
  const hid_t inputs = h5::open_group(group, "inputs");
  const hid_t levels = h5::open_group(group, "levels");
  const bool system = h5::has(inputs, "A");
  const std::string loss = h5::read_text(group, "loss");
  const auto net = parsed(h5::read_text(group, "network"), loss);
  if (system || net) {
    for (const std::string& level : h5::names(levels)) {
      const hid_t place = h5::make_group(to, "answers/" + name + "/" + level);
      try {
        const Answers found = system ? solved_system(inputs)
                                     : answers_to(level, problem_of(group, inputs, *net),
                                                  group, inputs);
        for (const auto& [answer, a] : found) h5::write(place, answer, a.data, a.shape);
      } catch (const Refused& reason) {
        h5::write_text(place, "warned", reason.what());
      }
      H5Gclose(place);
    }
  } else {
    std::printf("%s: not attempted\n", name.c_str());
  }
  for (hid_t id : {levels, inputs, group}) H5Gclose(id);
}

int main(int count, char** arguments) try {
  if (count != 3) {
    std::fprintf(stderr, "usage: %s inputs.h5 answers.h5\n", arguments[0]);
    return 2;
  }
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);  // errors come as exceptions
  const hid_t from = h5::good(H5Fopen(arguments[1], H5F_ACC_RDONLY, H5P_DEFAULT),
                              "open the inputs");
  if (h5::read_text(from, "schema") != "imaml_ref/conformance-inputs")
    throw std::runtime_error("these are no inputs of the suite");
  const hid_t to = h5::good(H5Fcreate(arguments[2], H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT),
                            "write the answers");
  h5::write_text(to, "schema", "imaml_ref/conformance-answers");
  const long long version = 1;
  h5::write_attribute(to, "schema_version", H5T_NATIVE_LLONG, &version);
  h5::write_text(to, "suite_version", h5::read_text(from, "suite_version"));
  const hid_t cases = h5::open_group(from, "cases");
  for (const std::string& name : h5::names(cases)) answer_case(from, to, name);
  H5Gclose(cases);
  H5Fclose(to);
  H5Fclose(from);
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
