#include "face.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <graft/core/parallel.hpp>
#include <graft/train/atomic_file.hpp>
#include <graft/train/plot.hpp>
#include <nlohmann/json.hpp>
#include <sstream>

namespace example {

namespace fs = std::filesystem;
using graft::fail;

namespace {

/// The folder with MNIST's files: `data` itself or its subfolder "mnist".
fs::path mnist_folder(const fs::path& data) { return fs::is_directory(data / "mnist") ? data / "mnist" : data; }

/// The photographs of BSDS500's training part below `data`.
fs::path photograph_folder(const fs::path& data) {
  for (const char* place : {"bsds500/train", "BSDS500/data/images/train", "bsds500"}) {
    if (fs::is_directory(data / place)) return data / place;
  }
  fail("'", data.string(), "' has no folder bsds500/train with photographs for MNIST-M; put some JPEG files there.");
}

/// Refuses early what would fail late: an output folder that cannot be written.
void check_writable(const fs::path& out) {
  graft::make_folder(out);
  graft::atomic_write(out / ".writable", "");
  fs::remove(out / ".writable");
}

}  // namespace

Session::Session(Options given, About about) : options(std::move(given)), about_(std::move(about)) {
  if (options.threads > 0) graft::set_threads(options.threads);
  const bool synthetic = options.data.empty() && options.source.empty() && options.target.empty();
  if (options.epochs == 0) options.epochs = synthetic ? about_.synthetic_epochs : about_.epochs;
  if (options.batch == 0) options.batch = synthetic ? about_.synthetic_batch : about_.batch;
  if (options.lambda < 0.0) options.lambda = synthetic ? about_.synthetic_lambda : about_.lambda;
  if (options.out.empty()) options.out = fs::path("runs") / about_.name;
  check_device(options.device, about_.cuda);
  if (options.precision == "tf32" && options.device == "cpu")
    fail("--precision tf32 is for --device cuda; the CPU has f32, winograd and bf16.");
  if (options.precision == "winograd" && options.device != "cpu")
    fail("--precision winograd is for --device cpu; a GPU has f32, tf32 and bf16.");
  check_writable(options.out);
#if defined(__x86_64__) && defined(__GNUC__)
  if (std::string(graft::isa_name) == "simd128" && __builtin_cpu_supports("avx2")) {
    std::fprintf(
        stderr,
        "note: compiled for SSE2 although this machine has AVX2 or better; add -march=native for several times the speed.\n");
  }
#endif
}

Domains Session::domains() {
  using graft::data::Domain;
  using graft::data::Split;
  const auto& [data, source, target] = std::tie(options.data, options.source, options.target);
  Domains d;
  if (!data.empty()) {
    const fs::path digits = mnist_folder(data);
    d.source = graft::data::mnist(digits, Split::train);
    d.source_test = graft::data::mnist(digits, Split::test);
    if (about_.two_domains) {
      const auto photographs = graft::data::photographs(photograph_folder(data), 28);
      d.target = graft::data::mnist_m(d.source, photographs, {.seed = 1});
      d.target_test = graft::data::mnist_m(d.source_test, photographs, {.seed = 2});
    }
  } else if (!source.empty() || !target.empty()) {
    if (source.empty() || (about_.two_domains && target.empty())) fail("give both --source and --target, or neither.");
    d.source = graft::data::mnist(source, Split::train);
    d.source_test = graft::data::mnist(source, Split::test);
    if (about_.two_domains) {
      d.target = graft::data::mnist(target, Split::train);
      d.target_test = graft::data::mnist(target, Split::test);
    }
  } else {
    std::printf("no --data given: drawing synthetic digits\n");
    d.source = graft::data::synthetic_digits(6000, 1, Domain::source);
    d.source_test = graft::data::synthetic_digits(2000, 2, Domain::source);
    if (about_.two_domains) {
      d.target = graft::data::synthetic_digits(6000, 3, Domain::target);
      d.target_test = graft::data::synthetic_digits(2000, 4, Domain::target);
    }
  }
  source_name_ = d.source.name();
  target_name_ = about_.two_domains ? d.target.name() : d.source.name();
  return d;
}

std::vector<std::string> Session::methods() const {
  return options.method.empty() ? about_.usual : std::vector<std::string>{options.method};
}

fs::path Session::checkpoint(const std::string& method) const { return options.out / (method + ".checkpoint"); }

void Session::name_domains(std::string source, std::string target) {
  source_name_ = std::move(source);
  target_name_ = std::move(target);
}

void Session::report(const std::string& method, const graft::History& history, const graft::Confusion& test,
                     const std::vector<std::string>& classes) {
  graft::atomic_write(options.out / (method + "_history.csv"), history.csv());
  graft::atomic_write(options.out / (method + "_history.json"), history.json());
  graft::write_history_plots(history, options.out, method + "_");
  graft::atomic_write(options.out / (method + "_confusion.svg"),
                      graft::confusion_plot(test, method + ", test part of " + target_name_, classes));
  results_.push_back({method, history, test.per_class_accuracy()});
}

void Session::finish() {
  if (results_.empty()) return;
  using nlohmann::json;
  const auto number = [](double value) { return std::isfinite(value) ? json(value) : json(nullptr); };
  const auto& [method, history, accuracy_per_class] = results_.back();
  json metrics{{"method", method},
               {"source", source_name_},
               {"target", target_name_},
               {"seed", options.seed},
               {"epochs", options.epochs},
               {"device", options.device},
               {"precision", options.precision},
               {"threads", graft::threads()},
               {"source_accuracy", number(history.last("source_accuracy"))},
               {"target_accuracy", number(history.last("target_accuracy"))},
               {"test_accuracy_per_class", accuracy_per_class},
               {"seconds", number(history.sum("seconds"))},
               {"images_per_second", number(history.last("images_per_second"))}};
  for (const Result& other : results_) {
    if (other.method == "source_only" && method != other.method)
      metrics["target_accuracy_source_only"] = number(other.history.last("target_accuracy"));
  }
  graft::atomic_write(options.out / "metrics.json", metrics.dump(2) + "\n");
  std::printf("\n%-14s %16s %16s %9s\n", "method", "source accuracy", "target accuracy", "seconds");
  for (const auto& [name, h, per_class] : results_) {
    const double target = h.last("target_accuracy");
    std::printf("%-14s %16.4f %16s %9.1f\n", name.c_str(), h.last("source_accuracy"),
                std::isfinite(target) ? std::to_string(target).substr(0, 6).c_str() : "-", h.sum("seconds"));
  }
  std::printf("\nmetrics.json, histories, plots and checkpoints are in %s\n", options.out.string().c_str());
}

int run(int argc, char** argv, const About& about, const std::function<void(Session&)>& body) {
  CLI::App app{about.text, about.name};
  Options o;
  app.add_option("--data", o.data,
                 about.two_domains
                     ? "folder with mnist/ (IDX files) and bsds500/train/ (photographs); without it digits are drawn"
                     : "folder with MNIST's IDX files, or one with a subfolder mnist/; without it digits are drawn");
  const std::string files =
      about.any_folders ? "IDX files, named as MNIST's, or a folder of images for each class" : "IDX files, named as MNIST's";
  app.add_option("--source", o.source, "folder with the source's " + files);
  if (about.two_domains) app.add_option("--target", o.target, "the same of the target; its labels are used for scoring only");
  for (const Extra& extra : about.extras) app.add_option(extra.name, *extra.value, extra.text);
  for (const Flag& flag : about.flags) app.add_flag(flag.name, *flag.value, flag.text);
  const auto defaults = [](auto data, auto synthetic, const std::string& words = "") {
    std::ostringstream text;
    text << " (default ";
    if (words.empty())
      text << data;
    else
      text << words;
    text << "; synthetic digits " << synthetic << ")";
    return text.str();
  };
  app.add_option("--epochs", o.epochs,
                 "passes over the longer training set" + defaults(about.epochs, about.synthetic_epochs, about.epochs_default))
      ->check(CLI::Range(1, 100000));
  app.add_option("--batch", o.batch,
                 "images of each domain in a step" + defaults(about.batch, about.synthetic_batch, about.batch_default))
      ->check(CLI::Range(1, 65536));
  if (about.adversarial)
    app.add_option("--lambda", o.lambda,
                   "the weight of the adversary at the end of its schedule" + defaults(about.lambda, about.synthetic_lambda))
        ->check(CLI::Range(0.0, 100.0));
  app.add_option("--seed", o.seed, "of weights and order (default 0)");
  app.add_option("--threads", o.threads, "threads (default: all cores); results do not depend on it")
      ->check(CLI::Range(1, 4096));
  app.add_option("--device", o.device, "cpu or cuda (default cpu)")->check(CLI::IsMember({"cpu", "cuda"}));
  if (about.bf16)
    app.add_option(
           "--precision", o.precision,
           "of products: f32, winograd (f32, fewer of them, rounded more), bf16, or on a GPU f32, tf32, bf16 (default f32)")
        ->check(CLI::IsMember({"f32", "winograd", "tf32", "bf16"}));
  app.add_option("--out", o.out, "folder for results (default runs/" + about.name + ")");
  app.add_flag("--resume", o.resume, "go on from the checkpoints in --out");
  if (!about.methods.empty()) {
    std::string usual;
    for (const auto& m : about.usual) usual += (usual.empty() ? "" : ", then ") + m;
    app.add_option("--method", o.method, "one of the methods alone (default: " + usual + ")")
        ->check(CLI::IsMember(about.methods));
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  try {
    Session session(o, about);
    body(session);
    session.finish();
  } catch (const NoDevice& error) {
    std::fprintf(stderr, "%s: %s\n", about.name.c_str(), error.what());
    return 2;
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "%s: not enough memory; use smaller sets or a smaller --batch.\n", about.name.c_str());
    return 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", about.name.c_str(), error.what());
    return 1;
  }
  return 0;
}

}  // namespace example
