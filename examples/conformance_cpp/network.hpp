// A chain of linear layers and activations, its loss, and their derivatives by hand.
//
//   forward     z = f(phi, x),  ell(z, y)
//   backward    z_bar -> phi_bar, layer by layer
//
// Both are templates over the kind of number. With Dual numbers a + b eps, eps^2 = 0, the
// same lines give the derivative along a direction: the gradient of phi + v eps is
// grad + (H v) eps, exactly (Pearlmutter, 1994).
#pragma once

#include <cmath>
#include <optional>
#include <string>
#include <vector>

template <class T>
using Row = std::vector<T>;

struct Dual {
  double a = 0, b = 0;
  Dual(double a = 0, double b = 0) : a(a), b(b) {}
};
inline Dual operator+(Dual x, Dual y) { return {x.a + y.a, x.b + y.b}; }
inline Dual operator-(Dual x, Dual y) { return {x.a - y.a, x.b - y.b}; }
inline Dual operator*(Dual x, Dual y) { return {x.a * y.a, x.a * y.b + x.b * y.a}; }
inline Dual operator/(Dual x, Dual y) {
  return {x.a / y.a, (x.b - x.a / y.a * y.b) / y.a};
}
inline Dual exp(Dual x) { return {std::exp(x.a), std::exp(x.a) * x.b}; }
inline Dual log(Dual x) { return {std::log(x.a), x.b / x.a}; }
inline double real(double x) { return x; }
inline double real(Dual x) { return x.a; }
using std::exp;
using std::log;

struct Layer {
  std::string type;
  int in = 0, out = 0;   // of a linear layer
  double alpha = 1;      // of an ELU
  std::size_t start = 0; // of the kernel (in, out) in the flat vector; the bias follows
};

struct Network {
  std::vector<Layer> layers;
  std::string loss;
  std::size_t size = 0;  // P
  int inputs = 0;
};

struct Examples {
  int count = 0;
  Row<double> x, y;  // y: classes, or targets in rows
};

// What stands behind "key": in a JSON text as plain as ours; empty if it is absent.
inline std::string field(const std::string& json, const std::string& key) {
  const std::string mark = "\"" + key + "\": ";
  const auto at = json.find(mark);
  if (at == std::string::npos) return "";
  const auto from = json.find_first_not_of('"', at + mark.size());
  return json.substr(from, json.find_first_of(",}\"", from) - from);
}

// Nothing where a layer is of a kind that this program does not know.
inline std::optional<Network> parsed(const std::string& json, const std::string& loss) {
  Network net;
  net.loss = loss;
  auto from = json.find("\"layers\"");
  while ((from = json.find('{', from)) != std::string::npos) {
    const auto to = json.find('}', from);
    const std::string entry = json.substr(from, to - from + 1);
    Layer layer;
    layer.type = field(entry, "type");
    if (layer.type == "Linear") {
      layer.in = std::stoi(field(entry, "in_features"));
      layer.out = std::stoi(field(entry, "out_features"));
      layer.start = net.size;
      net.size += std::size_t(layer.in + 1) * layer.out;
      if (!net.inputs) net.inputs = layer.in;
    } else if (layer.type == "ELU") {
      layer.alpha = std::stod(field(entry, "alpha"));
    } else if (layer.type != "Tanh" && layer.type != "Softplus" && layer.type != "ReLU") {
      return std::nullopt;
    }
    net.layers.push_back(layer);
    from = to;
  }
  return net;
}

// y = f(x) and its slope s = f'(x).
template <class T>
void activation(const Layer& layer, T x, T& y, T& s) {
  const T one(1);
  if (layer.type == "Tanh") {
    const T e = exp(T(-2) * x);
    y = (one - e) / (one + e);
    s = one - y * y;
  } else if (layer.type == "Softplus") {
    const T e = exp(T(0) - x);
    y = x + log(one + e);
    s = one / (one + e);
  } else if (real(x) > 0) {
    y = x;
    s = one;
  } else if (layer.type == "ELU") {
    s = T(layer.alpha) * exp(x);
    y = s - T(layer.alpha);
  } else {  // ReLU
    y = T(0);
    s = T(0);
  }
}

template <class T>
struct Trace {
  std::vector<Row<T>> x;  // what went into each layer; the last is z
  std::vector<Row<T>> s;  // slopes of each activation
};

template <class T>
Trace<T> forward(const Network& net, const Row<T>& phi, const Examples& examples) {
  Trace<T> trace;
  trace.x.emplace_back(examples.x.begin(), examples.x.end());
  for (const Layer& layer : net.layers) {
    const Row<T>& x = trace.x.back();
    Row<T> y, s;
    if (layer.type == "Linear") {
      y.assign(std::size_t(examples.count) * layer.out, T(0));
      const T* W = &phi[layer.start];
      const T* bias = W + layer.in * layer.out;
      for (int n = 0; n < examples.count; ++n)
        for (int o = 0; o < layer.out; ++o) {
          T sum = bias[o];
          for (int i = 0; i < layer.in; ++i)
            sum = sum + x[n * layer.in + i] * W[i * layer.out + o];
          y[n * layer.out + o] = sum;
        }
    } else {
      y.resize(x.size());
      s.resize(x.size());
      for (std::size_t i = 0; i < x.size(); ++i) activation(layer, x[i], y[i], s[i]);
    }
    trace.s.push_back(s);
    trace.x.push_back(y);
  }
  return trace;
}

template <class T>
Row<T> backward(const Network& net, const Row<T>& phi, const Trace<T>& trace, Row<T> y_bar) {
  Row<T> phi_bar(phi.size(), T(0));
  for (int l = int(net.layers.size()) - 1; l >= 0; --l) {
    const Layer& layer = net.layers[l];
    const Row<T>& x = trace.x[l];
    Row<T> x_bar(x.size(), T(0));
    if (layer.type == "Linear") {
      T* W_bar = &phi_bar[layer.start];
      T* bias_bar = W_bar + layer.in * layer.out;
      for (std::size_t n = 0; n < x.size() / layer.in; ++n)
        for (int o = 0; o < layer.out; ++o) {
          const T bar = y_bar[n * layer.out + o];
          bias_bar[o] = bias_bar[o] + bar;
          for (int i = 0; i < layer.in; ++i) {
            const std::size_t at = i * layer.out + o;
            W_bar[at] = W_bar[at] + x[n * layer.in + i] * bar;
            x_bar[n * layer.in + i] = x_bar[n * layer.in + i] + phi[layer.start + at] * bar;
          }
        }
    } else {
      for (std::size_t i = 0; i < x.size(); ++i) x_bar[i] = trace.s[l][i] * y_bar[i];
    }
    y_bar = x_bar;
  }
  return phi_bar;
}

// The loss, a mean over examples, and its gradient in z.
template <class T>
T criterion(const Network& net, const Row<T>& z, const Examples& examples, Row<T>& z_bar) {
  const int D = int(z.size()) / examples.count;
  const T share(1.0 / examples.count);
  T total(0);
  z_bar.assign(z.size(), T(0));
  for (int n = 0; n < examples.count; ++n) {
    const T* row = &z[n * D];
    if (net.loss == "squared-error") {
      for (int d = 0; d < D; ++d) {
        const T gap = row[d] - T(examples.y[n * D + d]);
        total = total + T(0.5) * gap * gap;
        z_bar[n * D + d] = share * gap;
      }
      continue;
    }
    const int label = int(examples.y[n]);
    T sum(0);
    for (int d = 0; d < D; ++d) sum = sum + exp(row[d]);
    total = total + log(sum) - row[label];
    for (int d = 0; d < D; ++d)
      z_bar[n * D + d] = share * (exp(row[d]) / sum - T(d == label ? 1 : 0));
  }
  return share * total;
}
