#pragma once
// What adapt and compare share: their options, and a session made ready to run methods.
#include "../face/face.hpp"
#include "backbone.hpp"

namespace example {

/// The options that only programs of two domains have.
struct TwoDomains {
  std::string backbone, weights, lambda, begin, weight_decay = "0", test_share = "0.3", split_seed = "0", stop_on,
                                                patience = "5";
  bool alone = false, through_bandwidth = false, symmetries = false;
};

/// What such a program says of itself; its own options are written to `given`.
About two_domains_about(const std::string& name, const std::string& text, TwoDomains& given);
/// Whether the command line says --method list or --methods list.
bool asks_for_lists(int argc, char** argv);

struct Ready {
  Pair pair;
  Runner run;
  std::string backbone;
  Settings settings;  ///< epochs, batch, seed, and what changes methods
};
/// Reads the data, chooses a backbone, and has it prepared.
Ready prepare(Session& session, const TwoDomains& given);

}  // namespace example
