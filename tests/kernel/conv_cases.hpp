#pragma once
/// \file conv_cases.hpp  Convolutions of every stride, padding, dilation, group and tail, and their plain loop in double.
#include "graft/core/device.hpp"
#include "kernel/reference.hpp"

#include <cstdint>
#include <limits>
#include <vector>

namespace conv_cases {
using namespace graft;

struct Case {
  const char* name;
  ConvExtents e;
  Epilogue epilogue{};
  bool bias = true;
};

/// n, h, w, c, oc, kernel, stride, dilation, top, left, bottom, right, groups
inline ConvExtents extents(int n, int h, int w, int c, int oc, int kh, int kw, int sh = 1, int sw = 1, int dh = 1, int dw = 1,
                           int top = 0, int left = 0, int bottom = 0, int right = 0, int groups = 1) {
  const int oh = (h + top + bottom - (kh - 1) * dh - 1) / sh + 1;
  const int ow = (w + left + right - (kw - 1) * dw - 1) / sw + 1;
  return {n, h, w, c, oh, ow, oc, kh, kw, sh, sw, dh, dw, top, left, groups};
}

inline constexpr Epilogue none{};
inline constexpr Epilogue relu{Act::relu};
inline constexpr Epilogue relu6{Act::relu6};
inline constexpr Epilogue leaky{Act::leaky_relu, 0.2};
inline constexpr Epilogue relu_pool{Act::relu, 0.0, true};
inline constexpr Epilogue none_pool{Act::none, 0.0, true};
inline constexpr Epilogue relu6_pool{Act::relu6, 0.0, true};
inline constexpr Epilogue leaky_pool{Act::leaky_relu, 0.3, true};
inline constexpr Epilogue falling_pool{Act::leaky_relu, -0.5, true};

inline const std::vector<Case>& cases() {
  static const std::vector<Case> all{
      {"one pixel", extents(1, 1, 1, 1, 1, 1, 1)},
      {"W1 first layer, small", extents(2, 28, 28, 3, 32, 5, 5), relu_pool},
      {"W1 second layer, small", extents(2, 12, 12, 32, 48, 5, 5), relu_pool},
      {"many samples", extents(35, 6, 6, 4, 16, 3, 3), relu_pool},
      {"many samples, no pool", extents(35, 6, 6, 4, 16, 3, 3), relu},
      {"many samples, no pool, groups 2", extents(50, 5, 5, 6, 32, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 2), none},
      {"1x1", extents(5, 7, 7, 64, 33, 1, 1), relu},
      {"1x1 stride 2", extents(2, 9, 9, 16, 20, 1, 1, 2, 2), relu},
      {"1x1, one sample, no bias", extents(1, 13, 11, 5, 7, 1, 1), none, false},
      {"1x1 with padding", extents(2, 4, 5, 3, 6, 1, 1, 1, 1, 1, 1, 1, 2, 1, 2), relu},
      {"3x3 same", extents(2, 7, 7, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1), relu},
      {"3x3 same, one sample", extents(1, 18, 18, 16, 24, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1), relu},
      {"3x3 same stride 2, odd remainder below", extents(2, 8, 8, 12, 18, 3, 3, 2, 2, 1, 1, 0, 0, 1, 1), relu6},
      {"3x3 stride 2 padded", extents(2, 15, 14, 32, 16, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1), relu},
      {"7x7 stride 2 on colour", extents(2, 13, 15, 3, 64, 7, 7, 2, 2, 1, 1, 3, 3, 3, 3), relu},
      {"11x11 stride 4 on colour", extents(2, 27, 23, 3, 40, 11, 11, 4, 4, 1, 1, 2, 2, 2, 2), relu},
      {"rectangles everywhere", extents(2, 11, 8, 5, 9, 2, 3, 1, 2, 1, 1, 0, 2, 1, 0), leaky},
      {"1x7", extents(2, 9, 9, 17, 19, 1, 7, 1, 1, 1, 1, 0, 3, 0, 3), relu},
      {"7x1", extents(2, 9, 9, 17, 19, 7, 1, 1, 1, 1, 1, 3, 0, 3, 0), relu},
      {"dilation 2", extents(2, 12, 12, 8, 16, 3, 3, 1, 1, 2, 2, 2, 2, 2, 2), relu},
      {"dilation 3 x 2, stride 2 x 3", extents(2, 17, 16, 3, 5, 3, 3, 2, 3, 3, 2, 3, 1, 2, 2), none},
      {"stride larger than kernel", extents(2, 11, 11, 4, 6, 2, 2, 3, 3), relu},
      {"padding larger than kernel", extents(1, 3, 3, 2, 3, 2, 2, 1, 1, 1, 1, 4, 3, 3, 4), none},
      {"stride beyond the image, in the padding", extents(2, 3, 1, 2, 3, 1, 1, 1, 10, 1, 1, 0, 5), none},
      {"the same of many channels", extents(2, 3, 1, 20, 3, 1, 1, 1, 10, 1, 1, 0, 5), relu},
      {"groups 2", extents(2, 8, 8, 6, 10, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 2), relu},
      {"groups 4, stride 2", extents(3, 9, 9, 64, 64, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 4), relu},
      {"every channel its own group, two outputs each", extents(2, 6, 7, 5, 10, 3, 3, 1, 1, 2, 2, 2, 2, 2, 2, 5), leaky},
      {"groups and pool", extents(2, 9, 8, 6, 8, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 2), relu_pool},
      {"pool drops the odd row and column", extents(2, 9, 11, 3, 20, 3, 3), relu_pool},
      {"pool of a padded image", extents(1, 10, 10, 32, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1), none_pool},
      {"pool, relu6", extents(2, 8, 8, 3, 5, 3, 3), relu6_pool, false},
      {"pool, leaky", extents(17, 8, 9, 3, 17, 3, 3), leaky_pool},
      {"pool, negative slope: not monotone", extents(2, 8, 9, 3, 17, 3, 3), falling_pool},
      {"pool of one sample", extents(1, 20, 20, 3, 48, 5, 5), relu_pool},
      {"pool of nothing", extents(2, 3, 3, 2, 4, 3, 3), relu_pool},
      {"long sums", extents(1, 4, 5, 300, 50, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1), relu},
      {"1x1, sums of more than one block of steps", extents(1, 5, 6, 900, 64, 1, 1), relu},
      {"more than one panel, tail", extents(1, 5, 6, 100, 131, 3, 3), relu},
      {"odd everything", extents(19, 5, 3, 7, 13, 3, 2, 1, 1, 1, 1, 1, 1, 0, 0), leaky, false},
      {"several panels of many samples", extents(17, 5, 6, 20, 70, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1), relu},
      {"several panels of many samples under a pool", extents(18, 6, 8, 3, 100, 5, 5), relu_pool},
      {"1x1 of many samples", extents(19, 4, 5, 40, 130, 1, 1), none},
      {"groups of several panels", extents(16, 5, 5, 8, 120, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 2), leaky},
      {"groups of 1x1", extents(4, 6, 6, 32, 32, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 2), none},
      {"groups of 1x1, one sample of one row", extents(1, 1, 70, 16, 32, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 2), relu},
      {"one sample of one row", extents(1, 1, 70, 8, 24, 1, 3, 1, 1, 1, 1, 0, 1, 0, 1), relu},
      {"one sample of one row, stride 2", extents(1, 1, 70, 8, 24, 1, 3, 1, 2), relu},
      {"edges", extents(2, 14, 15, 32, 48, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1), relu},
      {"edges, no ReLU, two panels", extents(1, 13, 16, 16, 80, 5, 5, 1, 1, 1, 1, 2, 2, 2, 2), none},
      {"edges, another activation", extents(2, 9, 20, 20, 24, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1), leaky},
      {"edges under a pool", extents(2, 12, 12, 16, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1), relu_pool},
      {"edges, many blocks of steps", extents(1, 4, 9, 400, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1), relu},
      {"edges, narrow panel of many blocks", extents(1, 3, 10, 300, 10, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1), none},
      {"edges, stride 2 on colour", extents(1, 20, 33, 3, 64, 7, 7, 2, 2, 1, 1, 3, 3, 3, 3), relu},
      {"edges, stride 2, padded below and to the right", extents(2, 10, 16, 16, 24, 3, 3, 2, 2, 1, 1, 0, 0, 1, 1), relu},
      {"edges, even kernel", extents(2, 8, 20, 16, 20, 2, 4, 1, 1, 1, 1, 0, 1, 1, 2), relu},
      {"edges, odd channels", extents(2, 9, 12, 35, 18, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1), relu},
      {"edges that see nothing", extents(2, 5, 30, 16, 16, 1, 1, 1, 1, 1, 1, 2, 2, 1, 1), relu},
      {"edges of one row", extents(1, 1, 70, 16, 24, 1, 3, 1, 1, 1, 1, 0, 1, 0, 1), relu},
      {"gradient across samples", extents(200, 4, 5, 20, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1), relu},
      {"gradient across samples, several panels", extents(70, 4, 4, 130, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1), leaky},
      {"gradient across samples, many blocks of steps", extents(70, 3, 4, 64, 400, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1), none},
      {"gradient across samples, from a pool", extents(200, 8, 8, 16, 16, 5, 5), relu_pool},
      {"dilated down", extents(2, 15, 9, 17, 20, 3, 1, 1, 1, 3, 1, 3, 0, 3, 0), relu},
      {"wide row", extents(1, 3, 100, 2, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1), relu},
  };
  return all;
}

inline double activated(const Epilogue& e, double x) {
  if (e.act == Act::relu) return x > 0 ? x : 0;
  if (e.act == Act::relu6) return x > 0 ? (x < 6 ? x : 6) : 0;
  if (e.act == Act::leaky_relu) return x > 0 ? x : e.alpha * x;
  return x;
}
inline double derivative(const Epilogue& e, double y) {
  if (e.act == Act::relu) return y > 0 ? 1 : 0;
  if (e.act == Act::relu6) return y > 0 && y < 6 ? 1 : 0;
  if (e.act == Act::leaky_relu) return y > 0 ? 1 : e.alpha;
  return 1;
}

inline std::size_t size(int a, int b, int c = 1, int d = 1) {
  return static_cast<std::size_t>(a) * static_cast<std::size_t>(b) * static_cast<std::size_t>(c) * static_cast<std::size_t>(d);
}
inline std::size_t input_size(const ConvExtents& e) { return size(e.n, e.h, e.w, e.c); }
inline std::size_t weight_size(const ConvExtents& e) { return size(e.kh, e.kw, e.c / e.groups, e.oc); }
inline std::size_t output_size(const ConvExtents& e, bool pool) {
  return pool ? size(e.n, e.oh / 2, e.ow / 2, e.oc) : size(e.n, e.oh, e.ow, e.oc);
}

/// Calls f(input index, weight index, output index) for every product of the convolution.
template <class F>
void each_product(const ConvExtents& e, F&& f) {
  const int cg = e.c / e.groups, og = e.oc / e.groups;
  for (int s = 0; s < e.n; ++s)
    for (int r = 0; r < e.oh; ++r)
      for (int q = 0; q < e.ow; ++q)
        for (int ky = 0; ky < e.kh; ++ky)
          for (int kx = 0; kx < e.kw; ++kx) {
            const int iy = r * e.sh + ky * e.dh - e.top, ix = q * e.sw + kx * e.dw - e.left;
            if (iy < 0 || iy >= e.h || ix < 0 || ix >= e.w) continue;
            for (int c = 0; c < cg; ++c)
              for (int o = 0; o < e.oc; ++o) {
                const int g = o / og;
                f(size(1, 1) * static_cast<std::size_t>(((s * e.h + iy) * e.w + ix) * e.c + g * cg + c),
                  static_cast<std::size_t>(((ky * e.kw + kx) * cg + c) * e.oc + o),
                  static_cast<std::size_t>(((s * e.oh + r) * e.ow + q) * e.oc + o));
              }
          }
}

struct PlainLoop {
  std::vector<double> y, dz, dx, dw, db;  ///< dz: the gradient of the convolution's own output
  std::vector<std::uint8_t> argmax;
};

/// stored(y): what an output is kept as.
template <class T, class Stored>
PlainLoop plain_loop(const Case& k, const std::vector<T>& x, const std::vector<T>& w, const std::vector<T>& b,
                     const std::vector<T>& dy, Stored&& stored) {
  const ConvExtents& e = k.e;
  const std::size_t oc = static_cast<std::size_t>(e.oc);
  std::vector<double> z(output_size(e, false));
  for (std::size_t i = 0; i < z.size(); ++i) z[i] = k.bias ? static_cast<double>(b[i % oc]) : 0.0;
  each_product(
      e, [&](std::size_t i, std::size_t j, std::size_t o) { z[o] += static_cast<double>(x[i]) * static_cast<double>(w[j]); });
  PlainLoop out;
  std::vector<double>& dz = out.dz;
  dz.resize(z.size());
  out.y.resize(output_size(e, k.epilogue.pool));
  out.argmax.resize(out.y.size());
  if (k.epilogue.pool) {
    std::size_t at = 0;
    for (int s = 0; s < e.n; ++s)
      for (int r = 0; r < e.oh / 2; ++r)
        for (int q = 0; q < e.ow / 2; ++q)
          for (std::size_t o = 0; o < oc; ++o, ++at) {
            double best = -std::numeric_limits<double>::infinity();
            std::size_t from = 0;
            for (int i = 0; i < 4; ++i) {
              const std::size_t here = static_cast<std::size_t>((s * e.oh + 2 * r + i / 2) * e.ow + 2 * q + i % 2) * oc + o;
              const double value = activated(k.epilogue, z[here]);
              if (value > best) best = value, from = here, out.argmax[at] = static_cast<std::uint8_t>(i);
            }
            out.y[at] = best;
            dz[from] += static_cast<double>(dy[at]) * derivative(k.epilogue, stored(best));
          }
  } else {
    for (std::size_t i = 0; i < z.size(); ++i) {
      out.y[i] = activated(k.epilogue, z[i]);
      dz[i] = static_cast<double>(dy[i]) * derivative(k.epilogue, stored(out.y[i]));
    }
  }
  out.dx.resize(x.size());
  out.dw.assign(w.size(), 1.0);  // gradients are added to what is there
  out.db.assign(oc, 2.0);
  each_product(e, [&](std::size_t i, std::size_t j, std::size_t o) {
    out.dx[i] += dz[o] * static_cast<double>(w[j]);
    out.dw[j] += dz[o] * static_cast<double>(x[i]);
  });
  for (std::size_t i = 0; i < dz.size(); ++i) out.db[i % oc] += dz[i];
  return out;
}

}  // namespace conv_cases
