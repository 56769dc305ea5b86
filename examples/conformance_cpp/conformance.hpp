// The two files, so that a program needs a few lines of its own:
//
//   conformance::Answers mine(const conformance::Question& q) {
//     if (q.level == "L3") return {{"x", my_solve(q["A"], q["b"])}};
//     throw conformance::NotAttempted();
//   }
//   int main(int n, char** files) { return conformance::run(n, files, mine); }
//
// Where there is no trustworthy answer, throw conformance::Refused with the reason. Any
// other exception is a crash: it is written down as such, and fails.
#pragma once

#include <cstdio>
#include <functional>
#include <map>

#include "hdf5_files.hpp"

namespace conformance {

struct Refused : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct NotAttempted {};

using Answers = std::map<std::string, h5::Array>;

struct Question {
  std::string name, level, network, loss, outer, unrolled;  // the last two and network: JSON
  hid_t group, inputs;  // of the case: tasks of unequal size are in the group

  // An input by its name, such as theta, support_x, A.
  h5::Array operator[](const std::string& input) const { return h5::read(inputs, input); }
  bool has(const std::string& input) const { return h5::has(inputs, input); }
};

using Program = std::function<Answers(const Question&)>;

inline void answer(const Question& question, hid_t to, const Program& program) {
  const std::string path = "answers/" + question.name + "/" + question.level;
  std::string word, why;
  Answers found;
  try {
    found = program(question);
  } catch (const NotAttempted&) {
    return;
  } catch (const Refused& reason) {
    word = "warned", why = reason.what();
  } catch (const std::exception& error) {
    word = "failed", why = error.what();
  }
  const hid_t place = h5::make_group(to, path);
  for (const auto& [name, a] : found) h5::write(place, name, a.data, a.shape);
  if (!word.empty()) h5::write_text(place, word, why);
  H5Gclose(place);
}

inline void answer_all(hid_t from, hid_t to, const Program& program) {
  const hid_t cases = h5::open_group(from, "cases");
  for (const std::string& name : h5::names(cases)) {
    const hid_t group = h5::open_group(cases, name), levels = h5::open_group(group, "levels");
    const hid_t inputs = h5::open_group(group, "inputs");
    const auto text = [&](const char* about) { return h5::read_text(group, about); };
    for (const std::string& level : h5::names(levels))
      answer({name, level, text("network"), text("loss"), text("outer"), text("unrolled"), group,
              inputs}, to, program);
    for (hid_t id : {inputs, levels, group}) H5Gclose(id);
  }
  H5Gclose(cases);
}

inline int run(int count, char** arguments, const Program& program) try {
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
  h5::write_text(to, "suite_version", h5::read_text(from, "suite_version"));
  const long long version = 1;
  h5::write_attribute(to, "schema_version", H5T_NATIVE_LLONG, &version);
  answer_all(from, to, program);
  H5Fclose(to);
  H5Fclose(from);
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}

}  // namespace conformance
