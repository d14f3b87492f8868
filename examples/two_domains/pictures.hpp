#pragma once
#include "backbone.hpp"

namespace example {

/// METHOD_translated.png, of a method that translates images (rows: source, translated; target, translated), and
/// METHOD_features.svg in `out`: the features of both domains' test parts before and after, as principal components and t-SNE.
void write_pictures(const Outcome& outcome, const Pair& pair, const std::filesystem::path& out, const std::string& method);

}  // namespace example
