#pragma once
/// \file trace.hpp  GRAFT_TRACE=1 in the environment: every layer that runs is a line on the standard error, with its shapes,
/// what was fused into it, the kernel chosen and why others were not, and its time; so is every MMD and CORAL.
#include "graft/config.hpp"
#include "graft/core/layer.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

GRAFT_BEGIN
namespace detail {

/// Whether the environment asks for it; looked up once.
inline bool traced() {
  static const bool on = [] {
    const char* value = std::getenv("GRAFT_TRACE");
    const bool asked = value != nullptr && *value != '\0' && std::string(value) != "0";
    if (asked) std::fprintf(stderr, "graft: compiled for %s\n", isa_name);
    return asked;
  }();
  return on;
}
/// Milliseconds since some moment; 0 when nothing is traced.
inline double trace_clock() {
  if (!traced()) return 0.0;
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
inline std::string words(const Shape& s) {
  if (s.is_vector()) return std::to_string(s.c);
  return std::to_string(s.h) + "x" + std::to_string(s.w) + "x" + std::to_string(s.c);
}
/// One layer has run since `begin`.
GRAFT_COLD inline void trace_layer(const char* direction, int layer, const char* name, int n, const Shape& in, const Shape& out,
                                   const Epilogue& epilogue, const std::string& kernel, double begin) {
  const double ms = trace_clock() - begin;
  std::string fused;
  if (epilogue.act != Act::none) fused += " +activation";
  if (epilogue.pool) fused += " +pool";
  std::fprintf(stderr, "graft: %-8s %3d %s%s  %d x %s -> %s  %.3f ms%s%s\n", direction, layer, name, fused.c_str(), n,
               words(in).c_str(), words(out).c_str(), ms, kernel.empty() ? "" : "  ", kernel.c_str());
}

/// A loss between nx and ny rows of d numbers has run since `begin`; its time is that of loss and gradient.
GRAFT_COLD inline void trace_loss(const char* name, int nx, int ny, int d, const std::string& kernel, double begin) {
  std::fprintf(stderr, "graft: loss         %s  %d + %d x %d  %.3f ms  %s\n", name, nx, ny, d, trace_clock() - begin,
               kernel.c_str());
}

}  // namespace detail
GRAFT_END
