// What keeps a method honest: the audit of its gradients, the guard against numbers that are not finite, BatchNorm's ways with
// two domains, batches of unequal sizes, several optimisers in one checkpoint.
#include <graft/transfer/adabn.hpp>
#include <graft/transfer/audit.hpp>
#include <graft/transfer/curriculum.hpp>
#include <graft/transfer/dann.hpp>
#include <graft/transfer/dann_three_adam.hpp>

#include "catch.hpp"
#include "io/scratch.hpp"
#include "toy.hpp"

namespace test_guards {
using namespace graft;
using Catch::Matchers::ContainsSubstring;

namespace {
struct Domains : Net<toy::Body::output, Dense<8>, ReLU, Dense<2>> {};
struct Logit : Net<toy::Body::output, Dense<8, false>, BatchNorm<>, LeakyReLU<0.3>, Dense<1>> {};
struct NormBody : Net<Vector<2>, BatchNorm<>, Dense<8>, ReLU> {};
struct NormLabels : Net<NormBody::output, Dense<2>> {};

struct Nets {
  Model<toy::Body> features{{.seed = 1}};
  Model<toy::Labels> labels{{.seed = 2}};
  Model<Domains> domains{{.seed = 3}};
};

/// The body's running mean and variance of the two inputs after `steps` steps of source-and-target training.
struct Statistics {
  std::vector<float> source, target;
};
Statistics after(DomainNorm norm, int epochs) {
  const toy::Problem problem = toy::moved();
  Model<NormBody> features{{.seed = 1}};
  Model<NormLabels> labels{{.seed = 2}};
  Model<Net<NormBody::output, Dense<2>>> domains{{.seed = 3}};
  FitOptions options = problem.options(epochs);
  options.batch_norm = norm;
  Dann{features, labels, domains}.fit(problem.source, problem.target.without_labels(), options);
  const auto numbers = [&](int domain) {
    const auto& s = features.statistics_of(domain);
    return std::vector<float>(s.begin(), s.end());
  };
  const bool own = features.has_target_statistics();
  CHECK(own == (norm == DomainNorm::per_domain || norm == DomainNorm::adabn));
  CHECK(features.domain == (own ? 1 : 0));
  return {numbers(0), numbers(1)};
}
}  // namespace

TEST_CASE("the audit tells which loss reaches which model with which factor", "[transfer]") {
  const toy::Problem problem = toy::moved();
  Nets nets;
  Dann dann{nets.features, nets.labels, nets.domains, {.lambda = {.gamma = 1.0}}};
  const double lambda = DannLambda{.gamma = 1.0}(0.5);
  const Audit audit = graft::audit(dann, problem.source, problem.target.without_labels(), problem.options());
  REQUIRE(audit.rows.size() == 6);
  CHECK(audit.at("label_loss", "features").factor == Approx(1.0));
  CHECK(audit.at("label_loss", "labels").factor == Approx(1.0));
  CHECK_FALSE(audit.at("label_loss", "domains").reached);
  CHECK(audit.at("domain_loss", "features").factor == Approx(-lambda).epsilon(1e-5));
  CHECK_FALSE(audit.at("domain_loss", "labels").reached);
  CHECK(audit.at("domain_loss", "domains").factor == Approx(1.0));
  CHECK_THAT(audit.table(), ContainsSubstring("domain_loss") && ContainsSubstring("-0.2449") && ContainsSubstring("+1"));
  CHECK(std::all_of(nets.features.gradients().begin(), nets.features.gradients().end(), [](float g) { return g == 0.0f; }));
  CHECK_THROWS_AS(audit.at("loss", "features"), Error);

  // at progress 0 lambda is 0: the domain loss must not reach the body at all
  const Audit begin = graft::audit(dann, problem.source, problem.target.without_labels(), problem.options(), 0.0);
  CHECK_FALSE(begin.at("domain_loss", "features").reached);
  CHECK(begin.at("domain_loss", "domains").factor == Approx(1.0));
}

TEST_CASE("the audit of three optimisers: the body and the domain head want opposite things", "[transfer]") {
  const toy::Problem problem = toy::moved();
  Nets nets;
  Model<Logit> domains{{.seed = 3}};
  DannThreeAdam method{nets.features, nets.labels, domains, {.mu = 0.8}};
  const Audit audit = graft::audit(method, problem.source, problem.target.without_labels(), problem.options());
  const double lambda = DannLambda{}(0.5);
  CHECK(audit.at("label_loss", "features").factor == Approx(0.8));
  CHECK_FALSE(audit.at("domain_loss", "features").reached);
  CHECK(audit.at("domain_loss", "domains").factor == Approx(0.8));
  CHECK(audit.at("swapped_loss", "features").factor == Approx(0.8 * lambda));
  CHECK_FALSE(audit.at("swapped_loss", "domains").reached);
}

TEST_CASE("the guard names the layer, or the weights, and the step", "[transfer]") {
  const toy::Problem problem = toy::moved();
  const auto fit = [&](Nets& nets, double rate) {
    Dann{nets.features, nets.labels, nets.domains, {.rate = {.mu0 = rate}}}.fit(problem.source, problem.target.without_labels(),
                                                                                problem.options(2));
  };
  {
    Nets nets;  // finite weights whose products are not: the second Dense is layer 2
    std::fill_n(nets.features.array("1/w"), 16 * 8, 1e38f);
    CHECK_THROWS_WITH(fit(nets, 0.01),
                      ContainsSubstring("step 0") && ContainsSubstring("'features'") && ContainsSubstring("layer 2 (Dense"));
  }
  {
    Nets nets;
    nets.labels.array("0/b")[1] = std::nanf("");
    CHECK_THROWS_WITH(fit(nets, 0.01), ContainsSubstring("step 0") && ContainsSubstring("'labels/0/b'"));
  }
  {
    Nets nets;
    CHECK_THROWS_WITH(fit(nets, 1e39),
                      ContainsSubstring("step 1") && ContainsSubstring("'features/0/w'") && ContainsSubstring("learning rate"));
  }
}

TEST_CASE("BatchNorm with two domains: joint, separate, per domain, frozen, adabn", "[transfer]") {
  // toy::moved: the source's first number has mean 0 and the target's 1.6; variances 1.06 and 0.68
  const Statistics joint = after(DomainNorm::joint, 40), separate = after(DomainNorm::separate, 40);
  CHECK(joint.source[0] == Approx(0.8).margin(0.05));
  CHECK(joint.source[2] == Approx(0.87 + 0.64).margin(0.1));  // within and between
  CHECK(separate.source[0] == Approx(0.8).margin(0.05));
  CHECK(separate.source[2] == Approx(0.87).margin(0.1));  // within alone
  const Statistics apart = after(DomainNorm::per_domain, 40), counted = after(DomainNorm::adabn, 1);
  CHECK(apart.source[0] == Approx(0.0).margin(0.05));
  CHECK(apart.target[0] == Approx(1.6).margin(0.05));
  const Statistics frozen = after(DomainNorm::frozen, 1);
  CHECK(frozen.source == std::vector<float>{0, 0, 1, 1});
  // adabn: exact, over the whole target, after one epoch
  const toy::Problem problem = toy::moved();
  double sum = 0.0, squares = 0.0;
  for (std::size_t i = 0; i < problem.target.size(); ++i) {
    const double x = (problem.target.pixels(i)[0] / 255.0 - 0.5) / 0.125;
    sum += x;
    squares += x * x;
  }
  const double mean = sum / 512.0;
  CHECK(counted.target[0] == Approx(mean).epsilon(1e-4));
  CHECK(counted.target[2] == Approx(squares / 512.0 - mean * mean).epsilon(1e-4));
}

TEST_CASE("a net without BatchNorm does the same under every policy", "[transfer]") {
  const toy::Problem problem = toy::spurious();
  std::vector<std::vector<float>> ends;
  for (const DomainNorm norm : {DomainNorm::joint, DomainNorm::separate, DomainNorm::adabn}) {
    Nets nets;
    FitOptions options = problem.options(2);
    options.batch_norm = norm;
    Dann{nets.features, nets.labels, nets.domains}.fit(problem.source, problem.target.without_labels(), options);
    ends.emplace_back(nets.features.values().begin(), nets.features.values().end());
  }
  CHECK(ends[0] == ends[1]);
  CHECK(ends[0] == ends[2]);
}

TEST_CASE("domains may have batches of different sizes, and weigh the same", "[transfer]") {
  const toy::Problem problem = toy::spurious();
  Nets nets;
  FitOptions options = problem.options(3);
  options.batch = 48;
  options.target_batch = 16;
  const History history =
      Dann{nets.features, nets.labels, nets.domains}.fit(problem.source, problem.target.without_labels(), options);
  CHECK(history.last("epoch") == 3.0);
  // a domain head that gives logit a to source and -b to target: the mean of both domains' losses, whatever their numbers
  Tape<float> tape;
  Dann dann{nets.features, nets.labels, nets.domains};
  std::fill(nets.domains.values().begin(), nets.domains.values().end(), 0.0f);
  nets.domains.array("1/b")[0] = 2.0f;  // says "source" of everything
  data::PairedLoader<float> loader(problem.source, problem.target.without_labels(), Vector<2>,
                                   {.source_batch = 48, .target_batch = 16, .normalize = problem.normalize});
  Means means;
  dann.loss(tape, loader.next(), 0.0, means);
  for (const auto& entry : means.entries()) {
    if (entry.name == "domain_loss")
      CHECK(entry.last == Approx(0.5 * (std::log1p(std::exp(-2.0)) + std::log1p(std::exp(2.0)))).epsilon(1e-5));
  }
}

TEST_CASE("methods take features in the place of images, to the same bits", "[transfer]") {
  const toy::Problem problem = toy::nudged(1.0);
  const auto features_of = [&](const data::Labelled& set) {
    std::vector<float> numbers(set.size() * 2);
    for (std::size_t i = 0; i < set.size(); ++i)
      problem.normalize.write(set.pixels(i), set.shape(), Vector<2>, numbers.data() + 2 * i);
    return data::Features<float>(set.name(), Vector<2>, std::move(numbers), set.labels(), 2);
  };
  std::vector<float> ends[2];
  double accuracy[2];
  for (const bool images : {true, false}) {
    Nets nets;
    Curriculum method{nets.features, nets.labels};
    const auto of_images = [&] { return method.fit(problem.source, problem.target.without_labels(), problem.options(5)); };
    const auto of_features = [&] {
      return method.fit(features_of(problem.source), features_of(problem.target).without_labels(),
                        {.epochs = 5, .batch = 32, .target_test = features_of(problem.target_test)});
    };
    accuracy[images] = (images ? of_images() : of_features()).last("target_accuracy");
    ends[images].assign(nets.features.values().begin(), nets.features.values().end());
  }
  CHECK(ends[0] == ends[1]);
  CHECK(accuracy[0] == accuracy[1]);
  Model<Net<Vector<3>, Dense<2>>> wide;
  Model<Net<Vector<2>, Dense<2>>> head;
  SourceOnly method{wide, head};
  const auto few = features_of(problem.source);
  CHECK_THROWS_WITH(method.fit(few, few.without_labels(), {.epochs = 1}), ContainsSubstring("2 numbers but the net takes 3"));
}

TEST_CASE("a run of three optimisers and two domains' statistics that was stopped goes on to the same weights", "[transfer]") {
  const toy::Problem problem = toy::moved();
  const Scratch scratch;
  const auto run = [&](bool stop) {
    Nets nets;
    Model<Logit> domains{{.seed = 3}};
    FitOptions options = problem.options(4);
    options.batch_norm = DomainNorm::per_domain;
    options.checkpoint = scratch / (stop ? "a" : "b");
    DannThreeAdam method{nets.features, nets.labels, domains};
    const auto target = problem.target.without_labels();
    if (stop) {
      struct Stop {
        void on_epoch(const EpochInfo& info) {
          if (info.epoch == 1) throw 1;
        }
      };
      options.target_test.reset();
      CHECK_THROWS_AS(method.fit(problem.source, target, options, Stop{}), int);
      Nets fresh;
      Model<Logit> head{{.seed = 9}};
      options.resume = true;
      DannThreeAdam again{fresh.features, fresh.labels, head};
      again.fit(problem.source, target, options);
      return std::vector<float>(head.values().begin(), head.values().end());
    }
    options.target_test.reset();
    method.fit(problem.source, target, options);
    return std::vector<float>(domains.values().begin(), domains.values().end());
  };
  const auto whole = run(false);
  Model<Logit> untrained{{.seed = 3}};
  CHECK_FALSE(std::equal(whole.begin(), whole.end(), untrained.values().begin()));
  CHECK(whole == run(true));
}

TEST_CASE("validators look at the unlabelled target after each epoch and change nothing", "[transfer]") {
  const toy::Problem problem = toy::nudged(0.5);
  const auto run = [&](int look) {
    Model<toy::Body> features{{.seed = 1}};
    Model<toy::Labels> labels{{.seed = 2}};
    FitOptions options = problem.options(4);
    options.validate_on = look;
    options.source_test = problem.source;
    return SourceOnly{features, labels}.fit(problem.source, problem.target.without_labels(), options);
  };
  const History plain = run(0), looked = run(100);
  CHECK(std::isnan(plain.last("target_snd")));
  CHECK(looked.last("target_snd") > 0.0);
  CHECK(looked.last("target_dev") > 0.0);
  CHECK(looked.last("a_distance") >= 0.0);
  CHECK(looked.last("target_entropy") > 0.0);
  CHECK(looked.last("target_entropy") < std::log(2.0));
  for (std::size_t i = 0; i < 4; ++i) CHECK(plain.rows()[i].get("loss") == looked.rows()[i].get("loss"));
}

}  // namespace test_guards
