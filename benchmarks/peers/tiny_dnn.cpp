// tiny-dnn's side of W1/lenet, with its AVX kernels. The pool comes before the ReLU, which gives the same
// numbers from a quarter of them.
#define CNN_USE_AVX  // its TBB asks for an interface that TBB no longer has, so its threads are those of the standard library
#include <tiny_dnn/tiny_dnn.h>

#include "../works/serve.hpp"
#include "lenet.hpp"

namespace {

using tiny_dnn::max_pooling_layer;
using tiny_dnn::tensor_t;
using tiny_dnn::vec_t;
template <class Activation>
using Dense = tiny_dnn::fully_connected_layer<Activation>;
using Convolution = tiny_dnn::convolutional_layer<>;
using tiny_dnn::activation::relu;
using tiny_dnn::activation::softmax;

/// Keeps its velocities from one call of fit() to the next.
struct Momentum : tiny_dnn::momentum {
  void reset() override {}
};

class Lenet final : public works::Work {
  tiny_dnn::network<tiny_dnn::sequential> net_;
  Momentum optimizer_;
  std::vector<tensor_t> images_, labels_;

  void set(std::size_t layer, const std::vector<float>& kernel) {
    const auto arrays = net_[layer]->weights();
    if (arrays.size() != 2 || arrays[0]->size() != kernel.size()) {
      throw tiny_dnn::nn_error("a layer's kernel has another size than expected");
    }
    std::copy(kernel.begin(), kernel.end(), arrays[0]->begin());
    std::fill(arrays[1]->begin(), arrays[1]->end(), 0.0f);
  }

 public:
  Lenet() {
    net_ << Convolution(28, 28, 5, 3, 32) << max_pooling_layer<relu>(24, 24, 32, 2) << Convolution(12, 12, 5, 32, 48)
         << max_pooling_layer<relu>(8, 8, 48, 2) << Dense<relu>(768, 100) << Dense<relu>(100, 100) << Dense<softmax>(100, 10);
    net_.init_weight();
    set(0, lenet::convolution(3, 32, 10));
    set(2, lenet::convolution(32, 48, 12));
    set(4, lenet::dense(768, 100, 20));
    set(5, lenet::dense(100, 100, 22));
    set(6, lenet::dense(100, 10, 24));
    optimizer_.alpha = lenet::learning_rate;
    optimizer_.mu = lenet::momentum;
    const std::vector<float> pixels = lenet::images();
    for (int i = 0; i < lenet::batch; ++i) {
      const float* first = pixels.data() + i * 3 * 28 * 28;
      images_.push_back({vec_t(first, first + 3 * 28 * 28)});
      vec_t target(10, 0.0f);
      target[static_cast<std::size_t>(lenet::label(i))] = 1.0f;
      labels_.push_back({target});
    }
  }
  void step() override { net_.fit<tiny_dnn::cross_entropy_multiclass>(optimizer_, images_, labels_, lenet::batch, 1); }
  std::vector<double> numbers() override {
    std::vector<double> all;
    optimizer_.alpha = lenet::checked_rate;
    for (int i = 0; i < lenet::checked_steps; ++i) {
      const std::vector<tensor_t> shares = net_.predict(images_);
      double loss = 0;
      for (int s = 0; s < lenet::batch; ++s) {
        const vec_t& share = shares[static_cast<std::size_t>(s)][0];
        loss -= std::log(static_cast<double>(share[static_cast<std::size_t>(lenet::label(s))])) / lenet::batch;
      }
      all.push_back(loss - std::log(10.0));
      step();
    }
    optimizer_.alpha = lenet::learning_rate;
    return all;
  }
};

}  // namespace

int main() {
  works::Makers makers;
  makers["W1/lenet"] = [] { return std::make_unique<Lenet>(); };
  works::serve("1.0.0a3", makers);
}
