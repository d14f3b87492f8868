#pragma once
/// \file layer.hpp  What a layer is: an empty type whose static functions describe it as values (shape rule, parameters, what
/// its backward pass needs) and run it on raw pointers. Nothing here depends on a shape's type, so one instantiation serves
/// every place a layer stands in.
///
/// A layer L provides
///
///   static constexpr const char* name;
///   static constexpr Traits traits;
///   static constexpr Fit fit(Shape in);                               // the output shape, or why there is none
///   template <class V> static constexpr void visit(Shape in, V&& v);  // v(Weight) for every array, in order
///   template <class T, class D = Cpu>                                 // returns what backward needs
///   static void* forward(Run<T>&, const Place<T>&, const T* x, T* y);
///   template <class T, class D = Cpu>
///   static void backward(Run<T>&, const Place<T>&, const T* x, const T* y, void* kept, T* dy, T* dx);
///
/// and, where it has more than one way to run, what GRAFT_TRACE says of the one taken and of the others:
///
///   template <class T>
///   static std::string describe(Shape in, int n, const Epilogue&, const Passes&);
///
/// D is the device, whose kernels it calls as kernel::f(D{}, ...). Without D a layer runs on the CPU, and on another device's
/// model in that memory, after a wait.
/// visit() is compiled once, with V = WeightVisitor&, and runs while compiling, too.
/// In backward, dy may be overwritten, dx (null: not wanted) is overwritten, and parameter gradients are added to.
#include "graft/config.hpp"
#include "graft/core/accelerator.hpp"
#include "graft/core/arena.hpp"
#include "graft/core/device.hpp"
#include "graft/core/shape.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

GRAFT_BEGIN

/// What numbers mean; a loss or a method accepts only the meaning it was derived for.
enum class Kind { features, logits, probabilities };

/// Why a layer does not fit its input.
enum class Reason {
  fits,
  needs_image,
  kernel_larger_than_input,
  bad_option,
  groups_do_not_divide_input,
  groups_do_not_divide_filters,
  pool_is_all_padding,
  residual_changes_shape,
  branches_differ_in_size
};

/// The shape rule's answer. `other` is the second shape of a mismatch (what a branch produced).
struct Fit {
  Reason reason = Reason::fits;
  Shape out{};
  Shape other{};
};

/// What the fold over a net needs to know of a layer, as values.
struct Traits {
  bool takes_activation = false;  ///< a following ReLU, ReLU6 or LeakyReLU is applied by this layer's kernel
  bool takes_pool = false;        ///< a following 2x2 max-pool too
  Act act = Act::none;            ///< this layer is an activation that others can take
  double alpha = 0.0;             ///< its slope below zero
  bool is_pool2 = false;          ///< this layer is a 2x2 max-pool that others can take
  bool is_free = false;           ///< changes the shape only, moves nothing
  bool in_place = false;          ///< may write its output over its input
  bool needs_input = false;       ///< backward reads x
  bool needs_output = false;      ///< backward reads y
  bool keeps_kind = false;        ///< the meaning of the output is that of the input
  Kind kind = Kind::features;     ///< otherwise, what the output means
};

/// What a stored number is for.
enum class Role { kernel, bias, scale, shift, running_mean, running_var };
constexpr bool is_statistic(Role role) { return role == Role::running_mean || role == Role::running_var; }

/// One named array of a layer: trained (kernel, bias, scale, shift) or a statistic.
struct Weight {
  const char* name = "";
  Role role = Role::kernel;
  std::array<int, 4> dims{1, 1, 1, 1};
  int rank = 1;
  double fan_in = 1;   ///< inputs of one output, for initialisers
  double fan_out = 1;  ///< outputs that one input reaches
  bool fixed = false;  ///< never trained, whatever is unfrozen
  [[nodiscard]] constexpr std::size_t count() const {
    std::size_t product = 1;
    for (int i = 0; i < rank; ++i) product *= static_cast<std::size_t>(dims[static_cast<std::size_t>(i)]);
    return product;
  }
};

/// Numbers of a layer's arrays.
struct Counts {
  std::size_t parameters = 0;  ///< trained numbers
  std::size_t statistics = 0;  ///< running statistics
  int statistic_arrays = 0;
  int arrays = 0;
};
/// Who is told of a layer's arrays. One type for all who ask, so that a layer's visit() is compiled once.
struct WeightVisitor {
  constexpr virtual void operator()(const Weight& weight) = 0;

 protected:
  constexpr WeightVisitor() = default;
  constexpr ~WeightVisitor() = default;
};

namespace detail {
struct CountWeights final : WeightVisitor {
  Counts counts{};
  constexpr void operator()(const Weight& weight) override {
    ++counts.arrays;
    if (is_statistic(weight.role)) {
      counts.statistics += weight.count();
      ++counts.statistic_arrays;
    } else {
      counts.parameters += weight.count();
    }
  }
};
}  // namespace detail

template <class L>
constexpr Counts counts_of(Shape in) {
  detail::CountWeights visitor;
  L::visit(in, static_cast<WeightVisitor&>(visitor));
  return visitor.counts;
}

/// What BatchNorm normalises by: the batch in training and the running statistics else (phase), or always the one or the other.
/// With `batch` the running statistics become the batch's: that is how they are counted anew on another domain.
enum class NormBy { phase, running, batch };

/// One run of a net over a batch: the same for all its layers.
template <class T>
struct Run {
  int n = 0;                        ///< samples
  bool training = false;            ///< batch statistics and dropout are on
  bool keep = false;                ///< a backward pass will follow
  bool parameter_gradients = true;  ///< backward adds to the parameters' gradients
  bool input_gradient = true;       ///< backward gives the gradient of the whole net's input
  std::uint64_t seed = 0;           ///< of dropout
  std::uint64_t step = 0;
  std::uint64_t place = 0;  ///< counts layers, so that each dropout draws a stream of its own
  NormBy norm = NormBy::phase;
  int domain = 0;             ///< whose running statistics are meant, where each domain has its own
  bool pack = false;          ///< at.packed is to be filled
  bool check_finite = false;  ///< a layer whose output is not finite is an Error that names it
  Arena* arena = nullptr;
  const Accelerator<T>* device = nullptr;  ///< null: the Cpu
};

/// Where a layer stands: its input and output shapes (the output after what it takes over), its slices of the model's buffers.
template <class T>
struct Place {
  Shape in{};
  Shape out{};
  Epilogue epilogue{};
  const T* weights = nullptr;
  T* packed = nullptr;     ///< weights as the layer's kernel reads them, at the same offsets, or null: Model::prepack()
  T* gradients = nullptr;  ///< null outside of a backward pass or when not wanted
  T* statistics = nullptr;
  const unsigned char* fixed_statistics =
      nullptr;  ///< one flag per statistic array: use the running values and do not touch them
};

GRAFT_END
