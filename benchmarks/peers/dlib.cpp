// dlib's side of W1/lenet. Its matrix products are a BLAS'; the library's compiled half (pooling, im2col) is the
// distribution's. The pool comes before the ReLU, which gives the same numbers from a quarter of them.
#include <dlib/dnn.h>
#include <dlib/revision.h>

#include <array>
#include <string>

#include "../works/serve.hpp"
#include "lenet.hpp"

namespace {

template <long filters, class Below>
using Convolution = dlib::add_layer<dlib::con_<filters, 5, 5, 1, 1, 0, 0>, Below>;
template <class Below>
using Pool = dlib::add_layer<dlib::max_pool_<2, 2, 2, 2, 0, 0>, Below>;
template <long filters, class Below>
using Stage = dlib::relu<Pool<Convolution<filters, Below>>>;
using Image = std::array<dlib::matrix<float>, 3>;
using Extractor = Stage<48, Stage<32, dlib::input<Image>>>;
using Network = dlib::loss_multiclass_log<dlib::fc<10, dlib::relu<dlib::fc<100, dlib::relu<dlib::fc<100, Extractor>>>>>>;

class Lenet final : public works::Work {
  Network net_;
  std::vector<dlib::sgd> solvers_{net_.num_computational_layers, dlib::sgd(0.0f, lenet::momentum)};
  dlib::resizable_tensor images_;
  std::vector<unsigned long> labels_;
  double loss_ = 0, rate_ = static_cast<double>(lenet::learning_rate);

  template <std::size_t layer>
  void set(const std::vector<float>& kernel) {
    dlib::tensor& all = dlib::layer<layer>(net_).layer_details().get_layer_params();
    if (all.size() <= kernel.size()) throw dlib::error("dlib: a layer has fewer parameters than its kernel");
    float* at = all.host();
    std::fill(std::copy(kernel.begin(), kernel.end(), at), at + all.size(), 0.0f);  // the bias stands last
  }

 public:
  Lenet() {
    const std::vector<float> pixels = lenet::images();
    std::vector<Image> images(lenet::batch);
    for (std::size_t i = 0; i < images.size(); ++i) {
      for (std::size_t c = 0; c < 3; ++c) images[i][c] = dlib::mat(pixels.data() + (i * 3 + c) * 28 * 28, 28, 28);
      labels_.push_back(static_cast<unsigned long>(lenet::label(static_cast<int>(i))));
    }
    net_.to_tensor(images.begin(), images.end(), images_);
    net_.forward(images_);  // makes the parameters
    set<11>(lenet::convolution(3, 32, 10));
    set<8>(lenet::convolution(32, 48, 12));
    set<5>(lenet::dense(768, 100, 20));
    set<3>(lenet::dense(100, 100, 22));
    set<1>(lenet::dense(100, 10, 24));
  }
  void step() override {
    loss_ = net_.compute_parameter_gradients(images_, labels_.begin());
    net_.update_parameters(solvers_, rate_);
  }
  std::vector<double> numbers() override {
    std::vector<double> all;
    rate_ = static_cast<double>(lenet::checked_rate);
    for (int i = 0; i < lenet::checked_steps; ++i) {
      step();
      all.push_back(loss_ - std::log(10.0));
    }
    rate_ = static_cast<double>(lenet::learning_rate);
    return all;
  }
};

}  // namespace

int main() {
  works::Makers makers;
  makers["W1/lenet"] = [] { return std::make_unique<Lenet>(); };
  works::serve(std::to_string(DLIB_MAJOR_VERSION) + "." + std::to_string(DLIB_MINOR_VERSION), makers);
}
