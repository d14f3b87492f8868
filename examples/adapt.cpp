// Any method, on any two folders: a labelled source, a target whose labels only score.
#include "face/face.hpp"
#include "two_domains/pictures.hpp"
#include "two_domains/session.hpp"

int main(int argc, char** argv) {
  using namespace example;
  if (asks_for_lists(argc, argv)) return print_lists(), 0;
  TwoDomains given;
  example::About about = two_domains_about("adapt",
                                           "Adapts a network from a labelled source to a target without labels, by any method. "
                                           "Folders hold MNIST-like IDX files, or a folder of images for each class.",
                                           given);
  return example::run(argc, argv, about, [&](Session& session) {
    Ready ready = prepare(session, given);
    std::vector<std::string> methods{session.options.method.empty() ? "dann" : session.options.method};
    if (methods.front() != "source_only" && !given.alone) methods.insert(methods.begin(), "source_only");
    for (const std::string& method : methods) {
      Settings settings = ready.settings;
      settings.method = settings.title = method;
      settings.checkpoint = session.checkpoint(method);
      settings.resume = session.options.resume;
      settings.features = true;
      settings.deployed = session.options.out / method;
      const Outcome outcome = ready.run(settings);
      session.report(method, outcome.history, outcome.target_test, ready.pair.classes);
      write_pictures(outcome, ready.pair, session.options.out, method);
    }
  });
}
