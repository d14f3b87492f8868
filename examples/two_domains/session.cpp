#include "session.hpp"

#include <graft/data/symmetries.hpp>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>

namespace example {

namespace {

/// A number from an option's text. Throws Error when it is none from `least` to `most`.
double number(const char* option, const std::string& text, double least, double most) {
  double value = 0.0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc{} || read.ptr != text.data() + text.size() || !(value >= least && value <= most))
    graft::fail(option, " is '", text, "'; give a number from ", least, " to ", most, ".");
  return value;
}

/// MNIST and MNIST-M, or drawn digits, as dann_mnist has them.
Pair digits(Session& session) {
  Domains d = session.domains();
  std::vector<std::string> names;
  for (int c = 0; c < 10; ++c) names.push_back(std::to_string(c));
  return {d.source,        d.source_test,  d.target.without_labels(), d.target_test, std::move(names),
          d.source.name(), d.target.name()};
}

}  // namespace

About two_domains_about(const std::string& name, const std::string& text, TwoDomains& given) {
  About about{.name = name, .text = text};
  about.batch = about.epochs = 0;  // prepare() decides
  about.batch_default = "128 from 20000 images on, else 32";
  about.epochs_default = "30; behind a frozen trunk 100";
  for (const MethodInfo& m : method_list()) about.methods.push_back(m.name);
  about.methods.push_back("list");
  about.usual = {"source_only", "dann"};
  about.any_folders = about.cuda = true;
  about.extras = {
      {"--backbone", "nets to train (default: by the images' size, or by --weights); --method list tells them",
       &given.backbone},
      {"--weights", "safetensors file of a pretrained MobileNetV1, 0.25 or 1.0", &given.weights},
      {"--lambda", "weight of the method's adapting loss (default: its own)", &given.lambda},
      {"--begin",
       "part of the run, 0 to 1, before which that loss has no weight, of methods whose weight is constant or grows (default "
       "0; 0.1 of ddc, dan, jan, dsan, cmd and sliced_wasserstein where the whole net learns: what has not learnt yet they "
       "make "
       "alike)",
       &given.begin},
      {"--weight-decay",
       "of kernels, where body and label head learn by SGD (default 0; ADDA and the three-optimiser variant do not)",
       &given.weight_decay},
      {"--test-share", "part of each class that is kept for testing, of a folder without a test part (default 0.3)",
       &given.test_share},
      {"--split-seed", "of that choice (default 0)", &given.split_seed},
      {"--stop-on",
       "end a run when this validator has not improved for --patience epochs: target_entropy, target_snd, target_dev (none "
       "sees labels of the target) or source_accuracy",
       &given.stop_on},
      {"--patience", "of --stop-on (default 5)", &given.patience}};
  about.flags = {{"--symmetries",
                  "learn from the mirror images and quarter turns of every training image, too: for images without an upright "
                  "(from the air, of cells); 8 times the steps an epoch",
                  &given.symmetries},
                 {"--alone", "do not run source_only first", &given.alone},
                 {"--through-bandwidth",
                  "MMD's gradient goes through its bandwidth too (ddc, dan, jan, dsan), so that it never shrinks the features",
                  &given.through_bandwidth}};
  return about;
}

bool asks_for_lists(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--method=list" || word == "--methods=list") return true;
    if ((word == "--method" || word == "--methods") && i + 1 < argc && std::strcmp(argv[i + 1], "list") == 0) return true;
  }
  return false;
}

Ready prepare(Session& session, const TwoDomains& given) {
  const Options& o = session.options;
  Ready ready;
  ready.settings.seed = o.seed;
  if (!given.lambda.empty()) ready.settings.lambda = number("--lambda", given.lambda, 0.0, 1e6);
  if (!given.begin.empty()) ready.settings.begin = number("--begin", given.begin, 0.0, 1.0);
  ready.settings.weight_decay = number("--weight-decay", given.weight_decay, 0.0, 1e3);
  ready.settings.through_bandwidth = given.through_bandwidth;
  ready.settings.stop_on = given.stop_on;
  ready.settings.patience = static_cast<int>(number("--patience", given.patience, 1.0, 1e5));
  if (!given.stop_on.empty() && given.stop_on != "target_entropy" && given.stop_on != "target_snd" &&
      given.stop_on != "target_dev" && given.stop_on != "source_accuracy")
    graft::fail("--stop-on is '", given.stop_on, "'; give target_entropy, target_snd, target_dev or source_accuracy.");
  PairOptions options{.test_share = number("--test-share", given.test_share, 0.01, 0.99),
                      .split_seed = static_cast<std::uint64_t>(number("--split-seed", given.split_seed, 0.0, 1e15))};
  const Backbone* nets = given.backbone.empty() ? nullptr : &backbone(given.backbone);
  const bool folders = o.data.empty() && (!o.source.empty() || !o.target.empty());
  if (folders) {
    if (o.source.empty() || o.target.empty()) graft::fail("give both --source and --target, or neither.");
    const Folder source = look_into(o.source), target = look_into(o.target);
    if (nets == nullptr) nets = &usual_backbone(source, target, given.weights);
    options.height = nets->height, options.width = nets->width;
    if (!nets->pretrained || !given.weights.empty()) ready.pair = read_pair(source, target, options);
  } else {
    if (nets == nullptr) nets = &backbone("ganin2015");
    if (nets->height != 28) graft::fail("--backbone ", nets->name, " reads folders; give --source and --target.");
    ready.pair = digits(session);
  }
  if (nets->pretrained && given.weights.empty())
    graft::fail("--backbone ", nets->name, " needs --weights FILE, a safetensors file of its pretrained weights.");
  if (static_cast<int>(ready.pair.classes.size()) > most_classes)
    graft::fail("the domains share ", ready.pair.classes.size(), " classes; this program is compiled for at most ",
                most_classes, " (examples/two_domains).");
  session.name_domains(ready.pair.source_name, ready.pair.target_name);
  if (given.symmetries) {
    ready.pair.source = graft::data::symmetries(ready.pair.source);
    ready.pair.target = graft::data::symmetries(ready.pair.target);
  }
  const std::size_t longer = std::max(ready.pair.source.size(), ready.pair.target.size());
  if (session.options.epochs == 0) session.options.epochs = nets->pretrained ? 100 : 30;
  ready.settings.epochs = session.options.epochs;
  ready.settings.batch = o.batch > 0 ? o.batch : longer >= 20000 ? 128 : 32;
  ready.backbone = nets->name;
  std::printf("source %s: %zu images to train, %zu to test; target %s: %zu and %zu; %s, batch %d, %d epochs\n",
              ready.pair.source_name.c_str(), ready.pair.source.size(), ready.pair.source_test.size(),
              ready.pair.target_name.c_str(), ready.pair.target.size(), ready.pair.target_test.size(), nets->name.c_str(),
              ready.settings.batch, ready.settings.epochs);
  ready.run = (o.device == "cuda" ? nets->prepare_on_cuda : nets->prepare)(ready.pair, given.weights);
  return ready;
}

}  // namespace example
