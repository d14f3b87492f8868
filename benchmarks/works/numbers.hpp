#pragma once
// What graft's works are made of: aligned arrays from streams, and the lists of works.
#include <graft/core/buffer.hpp>

#include "work.hpp"

namespace works {

void add_steps(Makers& makers);
void add_discrepancies(Makers& makers);
void add_convolutions(Makers& makers);
void add_inference(Makers& makers);
void add_finetuning(Makers& makers);
/// "ok", or why there is no GPU. Only where GRAFT_WITH_CUDA is defined.
std::string add_on_cuda(Makers& makers);

/// 64-byte aligned, as a model's own numbers are.
struct Numbers : graft::Buffer<float> {
  Numbers(std::size_t count, std::uint32_t stream, float scale = 1.0f) : graft::Buffer<float>(count) {
    for (std::size_t i = 0; i < count; ++i) data()[i] = scale * hashed(static_cast<std::uint32_t>(i), stream);
  }
};

}  // namespace works
