// LeNet on MNIST: the smallest program that trains a network.
#include <graft/graft.hpp>

#include "face/face.hpp"

using namespace graft;

struct Body : Net<Image<28, 28, 1>,                                         //
                  Conv2D<6, 5, Conv{.padding = same}>, ReLU, MaxPool2D<2>,  //
                  Conv2D<16, 5>, ReLU, MaxPool2D<2>, Flatten> {};
struct Head : Net<Body::output, Dense<120>, ReLU, Dense<84>, ReLU, Dense<10>> {};

template <class Device>
void train(example::Session& session) {
  const example::Domains digits = session.domains();
  Model<Body, Device> body{{.seed = session.options.seed}};
  Model<Head, Device> head{{.seed = session.options.seed + 1}};
  const FitOptions fit{.epochs = session.options.epochs,
                       .batch = session.options.batch,
                       .seed = session.options.seed,
                       .source_test = digits.source_test,
                       .checkpoint = session.checkpoint("lenet"),
                       .resume = session.options.resume};
  const History history = SourceOnly{body, head}.fit(digits.source, digits.source.without_labels(), fit, ProgressBar("lenet"));
  session.report("lenet", history, score(digits.source_test, fit.normalize, body, head));
}

int main(int argc, char** argv) {
  const example::About about{.name = "lenet_mnist",
                             .text = "LeNet-5 (LeCun et al. 1998, with ReLU and max-pooling) on MNIST.",
                             .usual = {"lenet"},
                             .epochs = 10,
                             .two_domains = false,
                             .cuda = true};
  return example::run(argc, argv, about, [](example::Session& session) {
    example::on_cpu_or_cuda(session.options.device, [&]<class Device>(Device) { train<Device>(session); });
  });
}
