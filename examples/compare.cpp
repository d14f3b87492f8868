// Several methods and seeds on one pair of domains: a table and a plot.
#include "two_domains/session.hpp"
#include "two_domains/table.hpp"

#include <cstdio>
#include <graft/train/atomic_file.hpp>

int main(int argc, char** argv) {
  using namespace example;
  if (asks_for_lists(argc, argv)) return print_lists(), 0;
  TwoDomains given;
  std::string methods = "source_only,ddc,dann", seeds = "0-2";
  About about = two_domains_about(
      "compare", "Runs a list of methods with a list of seeds on one pair of domains and prints a table of their accuracies.",
      given);
  about.methods.clear();
  std::erase_if(about.flags, [](const auto& flag) { return flag.name == "--alone"; });
  about.extras.push_back({"--methods", "a list with commas, or all (default " + methods + "); list tells them", &methods});
  about.extras.push_back({"--seeds", "a list with commas and ranges (default " + seeds + "), in place of --seed", &seeds});
  return example::run(argc, argv, about, [&](Session& session) {
    const std::vector<std::string> names = method_names(methods);
    const std::vector<std::uint64_t> numbers = seed_numbers(seeds);
    Ready ready = prepare(session, given);
    Comparison table{ready.pair.source_name, ready.pair.target_name, ready.backbone, ready.settings.epochs,
                     ready.settings.batch};
    for (const std::uint64_t seed : numbers) {
      for (const std::string& method : names) {
        const std::string name = method + "_seed" + std::to_string(seed);
        Settings settings = ready.settings;
        settings.method = method;
        settings.title = method + " seed " + std::to_string(seed);
        settings.seed = seed;
        settings.checkpoint = session.checkpoint(name);
        settings.resume = session.options.resume;
        Outcome outcome;
        try {
          outcome = ready.run(settings);
        } catch (const graft::Diverged& why) {
          std::fprintf(stderr, "%s: this run ends here, the others go on: %s\n", settings.title.c_str(), why.what());
          table.add_diverged(method, seed);
          continue;
        } catch (const OtherNets& missing) {
          if (methods != "all") throw;
          std::printf("left out: %s\n", missing.what());
          continue;
        }
        graft::atomic_write(session.options.out / (name + "_history.csv"), outcome.history.csv());
        table.add(method, seed, outcome.history);
        graft::atomic_write(session.options.out / "table.md", table.markdown());
        graft::atomic_write(session.options.out / "table.json", table.json());
        graft::atomic_write(session.options.out / "table.svg", table.plot());
      }
    }
    std::printf("\n%s\ntable.md, table.json, table.svg, histories and checkpoints are in %s\n", table.markdown().c_str(),
                session.options.out.string().c_str());
  });
}
