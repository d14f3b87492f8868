#pragma once
/// \file callbacks.hpp  What can listen to a run: a progress bar, logs, plots, or any function.
#include "graft/config.hpp"
#include "graft/train/monitor.hpp"
#include "graft/train/plot.hpp"
#include "graft/train/tensorboard.hpp"
#include "graft/train/trainer.hpp"

#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <string>
#include <utility>

#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#endif

GRAFT_BEGIN

/// A bar with rate and time left on a terminal, and one line an epoch; in a pipe the lines alone.
class ProgressBar {
 public:
  explicit ProgressBar(std::string title = "") : title_(std::move(title)) {}

  void on_begin(const RunInfo& run) {
#if defined(__unix__) || defined(__APPLE__)
    terminal_ = isatty(fileno(stdout)) != 0;
#endif
    start_ = last_ = std::chrono::steady_clock::now();
    if (run.first_epoch > 0)
      std::printf("%s: %d of %d epochs done, going on\n", title_.empty() ? "run" : title_.c_str(), run.first_epoch, run.epochs);
  }
  void on_step(const StepInfo& info) {
    if (!terminal_) return;
    const auto now = std::chrono::steady_clock::now();
    const bool final_step = info.step + 1 == info.run->steps_per_epoch;
    if (!final_step && now - last_ < std::chrono::milliseconds(200)) return;
    last_ = now;
    const double elapsed = std::chrono::duration<double>(now - start_).count();
    const double done = static_cast<double>(info.epoch - info.run->first_epoch) * info.run->steps_per_epoch + info.step + 1;
    const double all = static_cast<double>(info.run->epochs - info.run->first_epoch) * info.run->steps_per_epoch;
    const int filled = 24 * (info.step + 1) / info.run->steps_per_epoch;
    char bar[25];
    for (int i = 0; i < 24; ++i) bar[i] = i < filled ? '=' : ' ';
    bar[24] = 0;
    const double left = elapsed * (all - done) / done;
    std::printf("\r\033[K%s epoch %d/%d [%s] %.0f images/s, %s left", title_.c_str(), info.epoch + 1, info.run->epochs, bar,
                done * info.run->images_per_step / elapsed, clock(left).c_str());
    std::fflush(stdout);
  }
  void on_epoch(const EpochInfo& info) {
    if (terminal_) std::printf("\r\033[K");
    if (!title_.empty()) std::printf("%s ", title_.c_str());
    std::printf("epoch %d/%d", info.epoch + 1, info.run->epochs);
    for (const auto& [name, value] : info.row->values()) {
      if (name == "epoch" || std::isnan(value)) continue;  // a loss of another part of the run
      if (name == "seconds")
        std::printf("  %.1f s", value);
      else if (name == "images_per_second")
        std::printf("  %.0f images/s", value);
      else
        std::printf("  %s %.4g", name.c_str(), value);
    }
    std::printf("\n");
    std::fflush(stdout);
  }

 private:
  static std::string clock(double seconds) {
    char text[32];
    const int s = static_cast<int>(seconds + 0.5);
    if (s >= 3600)
      std::snprintf(text, sizeof text, "%d:%02d:%02d", s / 3600, s / 60 % 60, s % 60);
    else
      std::snprintf(text, sizeof text, "%d:%02d", s / 60, s % 60);
    return text;
  }
  std::string title_;
  bool terminal_ = false;
  std::chrono::steady_clock::time_point start_{};
  std::chrono::steady_clock::time_point last_{};
};

/// Writes the history to `path` after every epoch, as comma-separated values.
struct CsvLog {
  std::filesystem::path path;
  void on_epoch(const EpochInfo& info) const { atomic_write(path, info.history->csv()); }
};

/// The same as a JSON list.
struct JsonLog {
  std::filesystem::path path;
  void on_epoch(const EpochInfo& info) const { atomic_write(path, info.history->json()); }
};

/// Draws the history's curves into `folder` when the run ends: accuracy.svg, loss.svg, learning_rate.svg, lambda.svg, those
/// that have numbers.
struct Plots {
  std::filesystem::path folder;
  std::string prefix = "";
  void on_end(const History& history) const { write_history_plots(history, folder, prefix); }
};

/// Calls a function with each EpochInfo: `on_each_epoch([](const EpochInfo& info) { ... })`.
template <class F>
struct EpochFunction {
  F function;
  void on_epoch(const EpochInfo& info) { function(info); }
};
template <class F>
EpochFunction<F> on_each_epoch(F function) {
  return {std::move(function)};
}

GRAFT_END
