#include "photos.hpp"

#include "device.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <graft/core/parallel.hpp>
#include <graft/io/weights.hpp>
#include <graft/train/atomic_file.hpp>
#include <graft/train/picture.hpp>
#include <graft/train/plot.hpp>
#include <nlohmann/json.hpp>

namespace example {

namespace fs = std::filesystem;
using graft::fail;

PhotoSession::PhotoSession(PhotoOptions given, const PhotoAbout& about) : options(std::move(given)) {
  check_device(options.device, true);
  if (options.threads > 0) graft::set_threads(options.threads);
  if (options.out.empty()) options.out = fs::path("runs") / about.name;
  graft::make_folder(options.out);
  graft::atomic_write(options.out / ".writable", "");  // refuses early what would fail late
  fs::remove(options.out / ".writable");
}

bool PhotoSession::wants(const std::string& method, const std::vector<std::string>& usual) const {
  return options.method.empty() ? std::find(usual.begin(), usual.end(), method) != usual.end() : options.method == method;
}

fs::path PhotoSession::checkpoint(const std::string& method) const { return options.out / (method + ".checkpoint"); }

void PhotoSession::report(const std::string& method, const graft::History& history, const graft::Confusion& test,
                          const std::vector<std::string>& class_names) {
  graft::atomic_write(options.out / (method + "_history.csv"), history.csv());
  graft::atomic_write(options.out / (method + "_history.json"), history.json());
  graft::write_history_plots(history, options.out, method + "_");
  graft::atomic_write(options.out / (method + "_confusion.svg"),
                      graft::confusion_plot(test, method + ", images not trained on", class_names));
  results_.push_back({method, history, test.per_class_accuracy()});
}

void PhotoSession::picture(const std::string& method, const graft::data::Bitmap& image, const std::vector<float>& probabilities,
                           const std::vector<std::string>& class_names, int label) {
  graft::atomic_write(options.out / (method + "_prediction.svg"),
                      graft::prediction_picture(image, probabilities, class_names, {.top = 5, .label = label}));
}

void PhotoSession::finish(const std::string& source, const std::string& target) {
  if (results_.empty()) return;
  using nlohmann::json;
  const auto number = [](double value) { return std::isfinite(value) ? json(value) : json(nullptr); };
  const Result& last = results_.back();
  json metrics{{"method", last.method},
               {"source", source},
               {"target", target},
               {"seed", options.seed},
               {"epochs", options.epochs},
               {"device", options.device},
               {"threads", graft::threads()},
               {"source_accuracy", nullptr},
               {"target_accuracy", number(last.history.last("target_accuracy"))},
               {"target_accuracy_source_only", nullptr},
               {"test_accuracy_per_class", last.accuracy_per_class},
               {"seconds", number(last.history.sum("seconds"))},
               {"images_per_second", number(last.history.last("images_per_second"))}};
  std::printf("\n%-10s %16s %18s\n", "method", "test accuracy", "seconds of epochs");
  for (const Result& result : results_) {
    metrics["accuracy"][result.method] = number(result.history.last("target_accuracy"));
    std::printf("%-10s %16.4f %18.1f\n", result.method.c_str(), result.history.last("target_accuracy"),
                result.history.sum("seconds"));
  }
  graft::atomic_write(options.out / "metrics.json", metrics.dump(2) + "\n");
  std::printf("\nmetrics.json, histories, plots, pictures and checkpoints are in %s\n", options.out.string().c_str());
}

fs::path find_weights(const PhotoOptions& options, const std::string& name) {
  if (!options.weights.empty()) {
    if (!fs::is_regular_file(options.weights))
      fail("--weights: '", options.weights.string(), "' is not a file; give a file of pretrained weights.");
    return options.weights;
  }
  const char* folder = std::getenv("GRAFT_WEIGHTS_DIR");
  for (const fs::path& place : {fs::path(folder != nullptr ? folder : ""), options.data / ".." / "weights",
                                options.data / ".." / ".." / "weights", fs::path("weights")}) {
    const fs::path file = (place / name).lexically_normal();
    std::error_code ignored;
    if (!place.empty() && fs::is_regular_file(file, ignored)) {
      std::printf("weights: %s\n", file.string().c_str());
      return file;
    }
  }
  return {};
}

int first_filters(const fs::path& weights) {
  const auto look = [](const auto& file) {
    for (const auto& [name, sign] : {std::pair{"conv1/kernel", 1}, std::pair{"conv2d/kernel", -1}}) {
      const auto found = file.tensors().find(name);
      if (found != file.tensors().end() && found->second.shape.size() == 4)
        return sign * static_cast<int>(std::min<std::size_t>(found->second.shape[3], 4096));
    }
    return 0;
  };
  const std::string start(graft::io::MappedFile(weights, "file of weights").bytes().substr(0, 4));
#ifdef GRAFT_WITH_HDF5
  if (start == "\x89HDF") return look(graft::io::KerasFile(weights));
#endif
  return start.substr(0, 2) == "PK" ? look(graft::io::Npz(weights)) : look(graft::io::TensorFile(weights));
}

std::vector<float> softmax(const float* logits, int count) {
  const float largest = *std::max_element(logits, logits + count);
  std::vector<float> p(logits, logits + count);
  double sum = 0.0;
  for (float& v : p) sum += static_cast<double>(v = std::exp(v - largest));
  for (float& v : p) v = static_cast<float>(static_cast<double>(v) / sum);
  return p;
}

int run(int argc, char** argv, const PhotoAbout& about, const std::function<void(PhotoSession&)>& body) {
  CLI::App app{about.text, about.name};
  PhotoOptions o;
  if (!about.data.empty()) app.add_option("--data", o.data, about.data)->required(about.needs_data);
  app.add_option("--weights", o.weights, "pretrained weights: safetensors, or .h5 and .npz where built with their libraries");
  if (about.trains) {
    app.add_option("--epochs", o.epochs, "passes over the training images (default 10)")->check(CLI::Range(1, 100000));
    app.add_option("--batch", o.batch, "images in a step (default 32)")->check(CLI::Range(1, 65536));
    app.add_option("--seed", o.seed, "of the split, the weights and the order (default 0)");
    app.add_flag("--resume", o.resume, "go on from the checkpoints in --out");
  }
  app.add_option("--threads", o.threads, "threads (default: all cores); results do not depend on it")
      ->check(CLI::Range(1, 4096));
  app.add_option("--device", o.device, "cpu or cuda (default cpu)")->check(CLI::IsMember({"cpu", "cuda"}));
  app.add_option("--out", o.out, "folder for results (default runs/" + about.name + ")");
  if (!about.methods.empty())
    app.add_option("--method", o.method, "one of the methods alone (default: " + about.usual + ")")
        ->check(CLI::IsMember(about.methods));
  for (const Extra& extra : about.extra) {
    std::visit(
        [&](auto* to) {
          using To = std::remove_pointer_t<decltype(to)>;
          if constexpr (std::is_same_v<To, bool>) {
            app.add_flag(extra.name, *to, extra.text);
          } else {
            CLI::Option* option = app.add_option(extra.name, *to, extra.text);
            if constexpr (std::is_arithmetic_v<To>) option->check(CLI::Range(extra.low, extra.high));
            if (extra.name[0] != '-') option->required();
          }
        },
        extra.to);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);  // whole lines, also into a pipe
  try {
    PhotoSession session(o, about);
    body(session);
  } catch (const NoDevice& error) {
    std::fprintf(stderr, "%s: %s\n", about.name.c_str(), error.what());
    return 2;
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "%s: not enough memory; use fewer images or a smaller --batch.\n", about.name.c_str());
    return 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", about.name.c_str(), error.what());
    return 1;
  }
  return 0;
}

}  // namespace example
