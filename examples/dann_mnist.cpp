// DANN (Ganin et al. 2016): a network trained on white digits learns to read digits on photographs without seeing one of their
// labels.
#include <graft/graft.hpp>

#include "face/face.hpp"

using namespace graft;

struct Features : Net<Image<28, 28, 3>,                   //
                      Conv2D<32, 5>, ReLU, MaxPool2D<2>,  //
                      Conv2D<48, 5>, ReLU, MaxPool2D<2>, Flatten> {};
struct Labels : Net<Features::output, Dense<100>, ReLU, Dense<100>, ReLU, Dense<10>> {};
struct Domains : Net<Features::output, Dense<100>, ReLU, Dense<2>> {};

template <class Device>
void train(example::Session& session) {
  const example::Domains digits = session.domains();
  const auto unlabelled = digits.target.without_labels();
  const auto normalize = data::Normalize::mean_of(3, digits.source, unlabelled);
  for (const std::string& method : session.methods()) {
    const auto draw = [&](std::uint64_t part) {
      return ModelOptions{.seed = session.options.seed + part, .initialiser = Initialiser::torch_uniform};
    };
    Model<Features, Device> features{draw(0)};
    Model<Labels, Device> labels{draw(1)};
    Model<Domains, Device> domains{draw(2)};
    const FitOptions fit{.epochs = session.options.epochs,
                         .batch = session.options.batch,
                         .seed = session.options.seed,
                         .normalize = normalize,
                         .source_test = digits.source_test,
                         .target_test = digits.target_test,
                         .checkpoint = session.checkpoint(method),
                         .resume = session.options.resume};
    const auto& taught = method == "target_only" ? digits.target : digits.source;
    const History history = method == "dann"
                                ? Dann{features, labels, domains, {.lambda = {.high = session.options.lambda}}}.fit(
                                      taught, unlabelled, fit, ProgressBar(method))
                                : SourceOnly{features, labels}.fit(taught, unlabelled, fit, ProgressBar(method));
    session.report(method, history, score(digits.target_test, normalize, features, labels));
  }
}

int main(int argc, char** argv) {
  const example::About about{
      .name = "dann_mnist",
      .text = "Domain-adversarial training from MNIST to MNIST-M, with the network and schedules of Ganin et al. 2016.",
      .methods = {"source_only", "dann", "target_only"},
      .usual = {"source_only", "dann"},
      .adversarial = true,
      .cuda = true,
      .bf16 = true};
  return example::run(argc, argv, about, [](example::Session& session) {
    const example::Options& o = session.options;
    example::on_device(o.device, o.precision, [&]<class Device>(Device) { train<Device>(session); });
  });
}
