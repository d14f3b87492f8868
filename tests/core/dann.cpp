// DANN as four lines of tape and as the method: the same bits; one thread, two or three: the same bits, in float and double.
#include <graft/graft.hpp>

#include "catch.hpp"
#include "support/allocations.hpp"

using namespace graft;

namespace {

struct Body : Net<Image<28, 28, 3>, Conv2D<4, 5>, ReLU, MaxPool2D<2>, Conv2D<6, 5>, ReLU, MaxPool2D<2>, Flatten> {};
struct Labels : Net<Body::output, Dense<16>, ReLU, Dense<10>> {};
struct Domains : Net<Body::output, Dense<16>, ReLU, Dense<2>> {};

/// A small DANN over batches of its own.
template <class T>
struct Small {
  Model<Body, Cpu, T> body{{.name = "body", .seed = 1}};
  Model<Labels, Cpu, T> labels{{.name = "labels", .seed = 2}};
  Model<Domains, Cpu, T> domains{{.name = "domains", .seed = 3}};
  data::PairedLoader<T> loader{data::synthetic_digits(60, 1, data::Domain::source),
                               data::synthetic_digits(45, 2, data::Domain::target).without_labels(),
                               Body::input,
                               {.source_batch = 16, .target_batch = 8}};
  Sgd<T> optimizer{{.learning_rate = 0.02, .momentum = 0.9}, body, labels, domains};
  Tape<T> tape;

  void step(double lambda) {
    const auto batch = loader.next();
    const auto f = tape(body, batch);
    const auto label = cross_entropy(tape(labels, f.source()), batch.class_labels());
    const auto domain = cross_entropy(tape(domains, reverse_gradient(f, lambda)), batch.domain_labels());
    optimizer.step(backward(label + domain));
  }
  [[nodiscard]] std::vector<T> weights() const {
    std::vector<T> all(body.values().begin(), body.values().end());
    all.insert(all.end(), labels.values().begin(), labels.values().end());
    all.insert(all.end(), domains.values().begin(), domains.values().end());
    return all;
  }
};

}  // namespace

TEMPLATE_TEST_CASE("DANN steps of unequal domains give the same bits on 1, 2 and 3 threads", "[core]", float, double) {
  const int before = threads();
  std::vector<TestType> first;
  for (const int count : {1, 2, 3}) {
    set_threads(count);
    Small<TestType> small;
    const auto start = small.weights();
    for (int i = 0; i < 12; ++i) small.step(0.7);
    if (first.empty()) first = small.weights();
    CHECK(small.weights() == first);
    CHECK(small.weights() != start);
  }
  set_threads(before);
}

TEST_CASE("the method's loss is the four lines", "[core]") {
  Small<float> lines, method;
  Dann dann{method.body, method.labels, method.domains};
  Means means;
  for (const double progress : {0.0, 0.3, 0.9}) {
    lines.step(DannLambda{}(progress));
    method.optimizer.step(backward(dann.loss(method.tape, method.loader.next(), progress, means)));
  }
  CHECK(lines.weights() == method.weights());
}

TEST_CASE("without reading ahead, two passes of DANN allocate nothing after the first step", "[core]") {
  Small<float> small;
  data::PairedLoader<float> loader(data::synthetic_digits(60, 1, data::Domain::source),
                                   data::synthetic_digits(45, 2, data::Domain::target).without_labels(), Body::input,
                                   {.source_batch = 16, .target_batch = 8, .prefetch = false});
  std::size_t after_first = 0;
  for (int i = 0; i < 9; ++i) {
    const auto batch = loader.next();
    const auto f = small.tape(small.body, batch);
    const auto label = cross_entropy(small.tape(small.labels, f.source()), batch.class_labels());
    const auto domain = cross_entropy(small.tape(small.domains, reverse_gradient(f, 0.1)), batch.domain_labels());
    small.optimizer.step(backward(label + domain));
    if (i == 0) after_first = support::allocations();
  }
  CHECK(support::allocations() == after_first);
}

TEST_CASE("lambda acts on the body alone", "[core]") {
  Small<float> none, full;
  none.step(0.0);
  full.step(1.0);
  const auto same = [](auto& a, auto& b) { return std::equal(a.values().begin(), a.values().end(), b.values().begin()); };
  CHECK(same(none.labels, full.labels));
  CHECK(same(none.domains, full.domains));
  CHECK_FALSE(same(none.body, full.body));
}
