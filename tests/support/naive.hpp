#pragma once
/// \file naive.hpp  The definitions, as loops: one number at a time, in the order of the formula. They share nothing with the
/// kernels.
#include "graft/core/device.hpp"

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace naive {

using graft::ConvExtents;
using graft::PoolExtents;
using Numbers = std::vector<double>;

inline std::size_t index4(int a, int b, int c, int d, int nb, int nc, int nd) {
  return ((static_cast<std::size_t>(a) * static_cast<std::size_t>(nb) + static_cast<std::size_t>(b)) *
              static_cast<std::size_t>(nc) +
          static_cast<std::size_t>(c)) *
             static_cast<std::size_t>(nd) +
         static_cast<std::size_t>(d);
}

/// Calls f(input index, weight index, output index) for every product of a convolution (groups included).
template <class F>
void for_conv(const ConvExtents& e, F&& f) {
  const int cg = e.c / e.groups;
  const int og = e.oc / e.groups;
  for (int n = 0; n < e.n; ++n)
    for (int oy = 0; oy < e.oh; ++oy)
      for (int ox = 0; ox < e.ow; ++ox)
        for (int o = 0; o < e.oc; ++o)
          for (int ky = 0; ky < e.kh; ++ky)
            for (int kx = 0; kx < e.kw; ++kx) {
              const int iy = oy * e.sh + ky * e.dh - e.top;
              const int ix = ox * e.sw + kx * e.dw - e.left;
              if (iy < 0 || iy >= e.h || ix < 0 || ix >= e.w) continue;
              for (int i = 0; i < cg; ++i) {
                f(index4(n, iy, ix, o / og * cg + i, e.h, e.w, e.c), index4(ky, kx, i, o, e.kw, cg, e.oc),
                  index4(n, oy, ox, o, e.oh, e.ow, e.oc));
              }
            }
}

inline Numbers conv2d(const ConvExtents& e, const Numbers& x, const Numbers& w, const Numbers& b) {
  Numbers y(static_cast<std::size_t>(e.n) * static_cast<std::size_t>(e.oh) * static_cast<std::size_t>(e.ow) *
            static_cast<std::size_t>(e.oc));
  if (!b.empty()) {
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = b[i % b.size()];
  }
  for_conv(e, [&](std::size_t xi, std::size_t wi, std::size_t yi) { y[yi] += x[xi] * w[wi]; });
  return y;
}

/// Calls f(output index, input index) for every input that a pooling window sees.
template <class F>
void for_pool(const PoolExtents& e, F&& f) {
  for (int n = 0; n < e.n; ++n)
    for (int oy = 0; oy < e.oh; ++oy)
      for (int ox = 0; ox < e.ow; ++ox)
        for (int c = 0; c < e.c; ++c)
          for (int ky = 0; ky < e.kh; ++ky)
            for (int kx = 0; kx < e.kw; ++kx) {
              const int iy = oy * e.sh + ky - e.top;
              const int ix = ox * e.sw + kx - e.left;
              if (iy < 0 || iy >= e.h || ix < 0 || ix >= e.w) continue;
              f(index4(n, oy, ox, c, e.oh, e.ow, e.c), index4(n, iy, ix, c, e.h, e.w, e.c));
            }
}

inline std::size_t pooled(const PoolExtents& e) {
  return static_cast<std::size_t>(e.n) * static_cast<std::size_t>(e.oh) * static_cast<std::size_t>(e.ow) *
         static_cast<std::size_t>(e.c);
}
inline Numbers max_pool(const PoolExtents& e, const Numbers& x) {
  Numbers y(pooled(e), -std::numeric_limits<double>::infinity());
  for_pool(e, [&](std::size_t o, std::size_t i) { y[o] = std::max(y[o], x[i]); });
  return y;
}
inline Numbers avg_pool(const PoolExtents& e, const Numbers& x) {
  Numbers y(pooled(e));
  Numbers seen(pooled(e));
  for_pool(e, [&](std::size_t o, std::size_t i) {
    y[o] += x[i];
    seen[o] += 1;
  });
  for (std::size_t i = 0; i < y.size(); ++i) y[i] /= seen[i];
  return y;
}

inline Numbers dense(int n, int in, int out, const Numbers& x, const Numbers& w, const Numbers& b) {
  Numbers y(static_cast<std::size_t>(n) * static_cast<std::size_t>(out));
  for (int i = 0; i < n; ++i)
    for (int o = 0; o < out; ++o) {
      double sum = b.empty() ? 0.0 : b[static_cast<std::size_t>(o)];
      for (int k = 0; k < in; ++k) sum += x[static_cast<std::size_t>(i * in + k)] * w[static_cast<std::size_t>(k * out + o)];
      y[static_cast<std::size_t>(i * out + o)] = sum;
    }
  return y;
}

/// Batch normalisation of rows x c with the batch's own mean and biased variance.
inline Numbers batch_norm(std::size_t rows, std::size_t c, const Numbers& x, const Numbers& gamma, const Numbers& beta,
                          double epsilon) {
  Numbers y(x.size());
  for (std::size_t k = 0; k < c; ++k) {
    double mean = 0, variance = 0;
    for (std::size_t r = 0; r < rows; ++r) mean += x[r * c + k];
    mean /= static_cast<double>(rows);
    for (std::size_t r = 0; r < rows; ++r) variance += (x[r * c + k] - mean) * (x[r * c + k] - mean);
    variance /= static_cast<double>(rows);
    for (std::size_t r = 0; r < rows; ++r)
      y[r * c + k] = gamma[k] * (x[r * c + k] - mean) / std::sqrt(variance + epsilon) + beta[k];
  }
  return y;
}

}  // namespace naive
