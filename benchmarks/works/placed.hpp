#pragma once
// Rows where a model's device has them, and the waiting that a device needs which works while the program goes on.
#include <graft/core/tape.hpp>

#include <type_traits>

#include "numbers.hpp"

namespace works {

/// A work on the models of one device, which may be another than the processor: then its rows lie there, and losses are asked
/// for in numbers() only, as each answer waits for the device.
template <class Device>
class OnDevice : public Work {
 protected:
  static constexpr bool elsewhere = !std::is_base_of_v<graft::Cpu, Device> && !std::is_same_v<Device, graft::Bf16<graft::Cpu>>;
  const graft::Accelerator<float>* device_ = nullptr;
  graft::Buffer<float> there_;
  bool asks_ = !elsewhere;

  /// Where the model's device reads `rows`: once for a work.
  template <class M>
  const float* placed(M& model, const Numbers& rows) {
    if constexpr (elsewhere) {
      device_ = model.device();
      there_ = graft::Buffer<float>(rows.size(), device_);
      device_->upload(rows.size() * sizeof(float), rows.data(), there_.data());
      return there_.data();
    }
    return rows.data();
  }
  void finish() override {
    if constexpr (elsewhere) device_->synchronise();
  }
};

}  // namespace works
