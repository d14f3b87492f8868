#include "pictures.hpp"

#include <graft/train/atomic_file.hpp>
#include <graft/train/picture.hpp>
#include <graft/train/scatter.hpp>

namespace example {

void write_pictures(const Outcome& outcome, const Pair& pair, const std::filesystem::path& out, const std::string& method) {
  if (!outcome.translated.pixels.empty()) graft::write_png(out / (method + "_translated.png"), outcome.translated);
  const Cloud &before = outcome.before, &after = outcome.after;
  if (before.labels.size() < 2) return;
  const std::size_t n = before.labels.size();
  graft::atomic_write(out / (method + "_features.svg"),
                      graft::scatter_plot(method + ": " + pair.source_name + " and " + pair.target_name,
                                          {{"before, principal components", graft::pca(before.numbers, n)},
                                           {"after, principal components", graft::pca(after.numbers, n)},
                                           {"before, t-SNE", graft::tsne(before.numbers, n)},
                                           {"after, t-SNE", graft::tsne(after.numbers, n)}},
                                          after.labels, after.domains, pair.classes));
}

}  // namespace example
