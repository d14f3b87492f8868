#pragma once
#include "backbone.hpp"

namespace example {

Runner mobilenet_quarter(const Pair& pair, const std::filesystem::path& weights);
Runner mobilenet_whole(const Pair& pair, const std::filesystem::path& weights);
/// On Cuda.
Runner mobilenet_quarter_cuda(const Pair& pair, const std::filesystem::path& weights);
Runner mobilenet_whole_cuda(const Pair& pair, const std::filesystem::path& weights);
/// Which of them a file of weights is for, by its arrays.
std::string mobilenet_in(const std::filesystem::path& weights);

}  // namespace example
