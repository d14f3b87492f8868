#pragma once
/// \file model.hpp  A net with its numbers: one flat, 64-byte aligned buffer of parameters, one of gradients, one of running
/// statistics, cut into named segments: "0/w", "0/b", "1/gamma" (the layer's place among those that have arrays, then the
/// array's name) or, where layers have names (core/named.hpp), "conv1/w", "layer1.0/bn1/gamma".
#include "graft/config.hpp"
#include "graft/core/buffer.hpp"
#include "graft/core/error.hpp"
#include "graft/core/initialise.hpp"
#include "graft/core/model_options.hpp"
#include "graft/core/net.hpp"
#include "graft/core/parameters.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

GRAFT_BEGIN

/// What every model has, whatever its net: numbers of type T, cut into named segments.
template <class T>
class ModelBase {
 public:
  std::string name;
  std::uint64_t seed;
  int domain = 0;  ///< whose running statistics predict() uses: 0 the source's (or the only ones), 1 the target's

  /// The optimiser's view: values, gradients and segments of the trained parameters.
  Parameters<T> parameters() {
    forget_packed();
    return {name, values_.data(), gradients_.data(), values_.size(), &segments_, device_};
  }
  /// What runs it where that is not the Cpu, and else null.
  [[nodiscard]] const Accelerator<T>* device() const { return device_; }

  // The numbers, for the host: on a device each of these waits until it is done with them, and a reference that was kept
  // across a step sees it halfway.

  [[nodiscard]] const std::vector<Segment>& segments() const { return segments_; }
  [[nodiscard]] const std::vector<Segment>& statistic_segments() const { return statistic_segments_; }
  [[nodiscard]] Buffer<T>& values() {
    forget_packed();
    return here(values_);
  }
  [[nodiscard]] const Buffer<T>& values() const { return here(values_); }
  [[nodiscard]] Buffer<T>& gradients() { return here(gradients_); }
  /// The running statistics that inference uses: those of `domain`.
  [[nodiscard]] Buffer<T>& statistics() { return statistics_of(domain); }
  [[nodiscard]] const Buffer<T>& statistics() const {
    return here(domain == 1 && has_target_statistics() ? target_ : statistics_);
  }
  /// The running statistics of the source (0), which are the only ones unless domains are kept apart (DomainNorm), or of the
  /// target (1), which begin as a copy of them.
  [[nodiscard]] Buffer<T>& statistics_of(int which) { return here(raw_statistics(which)); }
  [[nodiscard]] bool has_target_statistics() const { return target_.size() > 0; }

  /// First number of the named array ("0/w", "1/running_mean"). Throws Error with the names there are.
  GRAFT_COLD T* array(const std::string& segment) {
    for (const Segment& s : segments_) {
      if (s.name == segment) return values().data() + s.offset;
    }
    for (const Segment& s : statistic_segments_) {
      if (s.name == segment) return statistics().data() + s.offset;
    }
    std::string names;
    for (const Segment& s : segments_) names += " " + s.name;
    for (const Segment& s : statistic_segments_) names += " " + s.name;
    fail("model '", name, "' has no array '", segment, "'; it has", names, ".");
  }

  /// Whether the optimiser may change the parameters whose segment name matches `pattern` (`*` stands for any text). The layers
  /// before the first that is trained keep no activations and have no backward pass, unless a gradient of the net's input is
  /// wanted; frozen layers further on get no gradients of their own. Throws Error when nothing matches.
  GRAFT_COLD void set_trainable(bool trainable, const std::string& pattern = "*") {
    bool found = false;
    for (Segment& s : segments_) {
      if (!matches(pattern, s.name)) continue;
      set_trainable(s, trainable);
      found = true;
    }
    if (!found && !(segments_.empty() && pattern == "*")) {
      std::string names;
      for (const Segment& s : segments_) names += " " + s.name;
      fail("model '", name, "': no parameter matches '", pattern, "'; it has", names, ".");
    }
  }
  /// The same for layers [begin, end), counted from 0, as written, activations and pools included. Throws Error when there are
  /// no such layers.
  void set_trainable_layers(bool trainable, int begin, int end) {
    check_layers(begin, end);
    for (Segment& s : segments_) {
      if (s.layer >= begin && s.layer < end) set_trainable(s, trainable);
    }
  }

  /// A second switch, apart from the weights: whether BatchNorm layers whose statistics match `pattern` use their running
  /// values in training too and leave them untouched.
  void set_statistics_fixed(bool fixed, const std::string& pattern = "*") {
    for (std::size_t i = 0; i < statistic_segments_.size(); ++i) {
      if (matches(pattern, statistic_segments_[i].name)) fixed_statistics_[i] = fixed ? 1 : 0;
    }
  }
  /// The same for layers [begin, end), as set_trainable_layers().
  void set_statistics_fixed_layers(bool fixed, int begin, int end) {
    check_layers(begin, end);
    for (std::size_t i = 0; i < statistic_segments_.size(); ++i) {
      const Segment& s = statistic_segments_[i];
      if (s.layer >= begin && s.layer < end) fixed_statistics_[i] = fixed ? 1 : 0;
    }
  }

  /// Draws all weights afresh. Throws Error when two arrays of the net have one name.
  GRAFT_COLD void reset(const ModelOptions& options) {
    forget_packed();
    here(values_);
    segments_.clear();
    statistic_segments_.clear();
    struct Add final : NameVisitor {
      Add(ModelBase& m, const ModelOptions& o) : model(m), options(o) {}
      void operator()(const std::string& path, const Weight& weight) override {
        model.add_array(path, weight, options, position++, offsets[is_statistic(weight.role) ? 1 : 0]);
      }
      ModelBase& model;
      const ModelOptions& options;
      std::size_t offsets[2] = {0, 0};
      int position = 0;  // of the array in the net
    };
    Add add(*this, options);
    detail::visit_names(net_.layers, net_.input, "", add);
    refuse_equal_names();
  }

  // ---- for the tape -------------------------------------------------------------------------------------------------------
  [[nodiscard]] const std::string& label() const { return name; }
  /// Whether any parameter is to be trained.
  [[nodiscard]] bool trains() const {
    return std::any_of(segments_.begin(), segments_.end(), [](const Segment& s) { return s.trainable; });
  }
  /// The first layer from `first` on that has something to train, if that is all that `run` is for; else `first`.
  [[nodiscard]] int kept_from(const Run<T>& run, int first) const {
    if (run.input_gradient || !run.parameter_gradients) return first;
    for (const Segment& s : segments_) {
      if (s.trainable && s.layer >= first) return s.layer;
    }
    return first;
  }
  /// A flag for each layer: it has nothing to train.
  [[nodiscard]] const unsigned char* frozen_layers() {
    std::fill(frozen_.begin(), frozen_.end(), static_cast<unsigned char>(1));
    for (const Segment& s : segments_) {
      if (s.trainable) frozen_[static_cast<std::size_t>(s.layer)] = 0;
    }
    return frozen_.data();
  }
  /// Numbers from outside, where the model can read them until the arena gives them back.
  const T* brought(Arena& arena, const T* x, std::size_t count) const {
    if (device_ == nullptr || device_->holds(x)) return x;
    T* there = arena.take<T>(count);
    device_->upload(count * sizeof(T), x, there);
    return there;
  }
  /// The model's numbers, copied to the host.
  void fetch(const T* x, std::size_t count, T* y) const {
    device_ != nullptr ? device_->fetch(count * sizeof(T), x, y) : static_cast<void>(std::memcpy(y, x, count * sizeof(T)));
  }
  /// Where the net's first layer finds its numbers. `packed`: what prepack() made, too.
  Place<T> place(bool with_gradients, int whose = 0, bool packed = false) {
    Place<T> place;
    place.weights = values_.data();
    place.packed = packed ? packed_.data() : nullptr;
    place.gradients = with_gradients ? gradients_.data() : nullptr;
    place.statistics = raw_statistics(whose).data();
    place.fixed_statistics = fixed_statistics_.data();
    return place;
  }

 protected:
  ModelBase(ModelOptions options, const detail::NetFacts& net, const Accelerator<T>* device = nullptr)
      : name(std::move(options.name)),
        seed(options.seed),
        net_(net),
        device_(device),
        values_(net.parameters[net.layers.count], device),
        gradients_(net.parameters[net.layers.count], device),
        statistics_(net.statistics[net.layers.count], device),
        fixed_statistics_(static_cast<std::size_t>(net.statistic_arrays)),
        frozen_(static_cast<std::size_t>(net.layers.count) + 1) {
    reset(options);
  }
  ~ModelBase() = default;
  ModelBase(const ModelBase&) = default;
  ModelBase(ModelBase&&) = default;
  ModelBase& operator=(const ModelBase&) = default;
  ModelBase& operator=(ModelBase&&) = default;

  void forget_packed() {
    if (!packed_.empty()) packed_ = Buffer<T>();
  }
  Buffer<T> packed_;  // weights as kernels read them, or empty

 private:
  GRAFT_COLD void add_array(const std::string& path, const Weight& weight, const ModelOptions& options, int position,
                            std::size_t& offset) {
    const bool statistic = is_statistic(weight.role);
    Segment segment;
    segment.name = path;
    segment.offset = offset;
    segment.count = weight.count();
    segment.dims = weight.dims;
    segment.rank = weight.rank;
    segment.decay = weight.role == Role::kernel;
    const std::size_t* begins = statistic ? net_.statistics : net_.parameters;
    while (begins[segment.layer + 1] <= segment.offset) ++segment.layer;
    segment.fixed = weight.fixed;
    segment.trainable = segment.layer >= net_.first_trained && !segment.fixed;
    offset += segment.count;
    initialise(weight, options.initialiser, options.constant, options.bias,
               Random(options.seed, mix(0x6d6f64656c, static_cast<std::uint64_t>(position))),
               (statistic ? statistics_.data() : values_.data()) + segment.offset);
    (statistic ? statistic_segments_ : segments_).push_back(std::move(segment));
  }
  GRAFT_COLD void refuse_equal_names() const {
    std::vector<std::string_view> names;
    for (const Segment& s : segments_) names.push_back(s.name);
    for (const Segment& s : statistic_segments_) names.push_back(s.name);
    std::sort(names.begin(), names.end());
    const auto twice = std::adjacent_find(names.begin(), names.end());
    if (twice == names.end()) return;
    fail("model '", name, "': two arrays of this net are called '", *twice,
         "'; give the layers Named<...> different names within one level.");
  }
  /// Optimisers pass over layers that are frozen as a whole, so what such a layer had gathered goes when it is frozen.
  void set_trainable(Segment& segment, bool trainable) {
    const bool before = segment.trainable;
    segment.trainable = trainable && segment.layer >= net_.first_trained && !segment.fixed;
    if (!before || segment.trainable) return;
    for (const Segment& s : segments_) {
      if (s.layer == segment.layer && !s.trainable) std::fill_n(gradients().data() + s.offset, s.count, T{0});
    }
  }
  void check_layers(int begin, int end) const {
    if (begin < 0 || begin > end || end > net_.layers.count) {
      fail("model '", name, "' has ", net_.layers.count, " layers; layers ", begin, " to ", end, " were asked for.");
    }
  }
  /// A buffer once the device is done with it.
  template <class B>
  B& here(B& buffer) const {
    if (device_ != nullptr) device_->synchronise();
    return buffer;
  }
  [[nodiscard]] Buffer<T>& raw_statistics(int which) {
    if (which == 1 && !has_target_statistics()) target_ = statistics_;
    return which == 1 ? target_ : statistics_;
  }
  detail::NetFacts net_;
  const Accelerator<T>* device_;
  Buffer<T> values_;
  Buffer<T> gradients_;
  Buffer<T> statistics_;
  Buffer<T> target_;  // statistics of the target, where domains are kept apart
  Buffer<unsigned char> fixed_statistics_;
  std::vector<unsigned char> frozen_;
  std::vector<Segment> segments_;
  std::vector<Segment> statistic_segments_;
};

/// A network of type N with parameters of type T on `Device`, the only place where a user names the device.
template <class N, class Device = Cpu, class T = float>
class Model : public ModelBase<T> {
  static_assert(
      requires { AcceleratorOf<Device, T>::get(); },
      "graft: this program has no kernels for that device; for Model<Net, Cuda> #include <graft/cuda.hpp> and link "
      "graft::cuda; Bf16 is for Bf16<Cpu> and float, with that include Bf16<Cuda> and Tf32<Cuda> too; Winograd is for "
      "Winograd<Cpu>.");

 public:
  using Network = N;
  using Scalar = T;
  using RunsOn = Device;
  static constexpr Shape input = N::input;
  static constexpr Shape output = N::output;

  explicit Model(ModelOptions options = {})
      : ModelBase<T>(std::move(options), detail::facts_of<N>(), AcceleratorOf<Device, T>::get()), arena_(this->device()) {}

  /// Runs n samples (n x input) in inference mode into y (n x output). Cut the batch where memory is short.
  void predict(const T* x, int n, T* y) {
    arena_.reset();
    Run<T> run = inference(n);
    const T* result = forward(run, this->brought(arena_, x, static_cast<std::size_t>(n) * N::input.size()))->output;
    this->fetch(result, static_cast<std::size_t>(n) * N::output.size(), y);
  }

  /// Packs the weights of convolutions once, as their kernels read them, in place of on every predict(), which pays for few
  /// images and many weights; takes as much memory again. The packed weights are forgotten, and predict() packs as before, when
  /// values(), array() or parameters() of this model that is not const is called or a gradient goes through it; who holds on to
  /// a pointer to the values and writes through it must call this again. The same numbers to the bit. Only on Cpu and
  /// Winograd<Cpu>; elsewhere it does nothing.
  void prepack() {
    if constexpr (std::is_base_of_v<Cpu, Device>) {
      this->packed_ = Buffer<T>(this->values().size());
      const std::vector<T> x(N::input.size());
      arena_.reset();
      Run<T> run = inference(1);
      run.pack = true;
      forward(run, x.data());
    }
  }

  // ---- for the tape -------------------------------------------------------------------------------------------------------
  using Record = typename N::Layers::template Record<T, Device>;

  Record* forward(Run<T>& run, const T* x) {
    run.seed = this->seed;
    return N::Layers::template forward<N::first_trained, Device>(run, N::plan, this->place(false, run.domain, !run.keep), x,
                                                                 this->kept_from(run, N::first_trained));
  }
  void backward(Run<T>& run, Record& record, T* dy, T* dx) {
    this->forget_packed();
    N::Layers::template backward<N::first_trained, Device>(run, N::plan, this->place(run.parameter_gradients, run.domain),
                                                           record, dy, dx, this->frozen_layers());
  }

 private:
  Run<T> inference(int n) {
    Run<T> run;
    run.n = n;
    run.domain = this->domain;
    run.arena = &arena_;
    run.device = this->device();
    return run;
  }

  Arena arena_;
};

GRAFT_END
