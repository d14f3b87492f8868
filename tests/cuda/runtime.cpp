// The runtime's errors, on an emulated device that has the fault.
#include "graft/kernel/cuda/losses.hpp"
#include "graft/kernel/cuda/vectors.hpp"
#include "cuda/device.hpp"
#include "cuda/emulated_api.hpp"

#include <thread>

namespace test_runtime {
using namespace graft;
using device::Array;
using device::read;

namespace {
/// The device with a fault, for as long as this lives.
struct Faulty {
  emulate::Device before = emulate::device;
  ~Faulty() { emulate::device = before; }
};
}  // namespace

TEST_CASE("cuda: without a driver or a device kernels say so, each in one sentence") {
  const Faulty scope;
  CHECK(cuda::why_not().empty());
  CHECK(cuda::device_count() == 1);
  emulate::device.count_error = cudaErrorInsufficientDriver;
  CHECK(cuda::why_not() ==
        "cuda: there is no NVIDIA driver here, or it is older than the CUDA that graft was built with; install a "
        "newer one, or run on the CPU.");
  CHECK(cuda::device_count() == 0);
  std::string said;
  std::thread([&] {  // a thread that has no stream yet
    try {
      cuda::allocate(16);
    } catch (const Error& error) {
      said = error.what();
    }
  })
      .join();
  CHECK(said == cuda::why_not());
  emulate::device.count_error = cudaSuccess;
  emulate::device.count = 0;
  CHECK(cuda::why_not() == "cuda: the driver offers no GPU; look at nvidia-smi and CUDA_VISIBLE_DEVICES, or run on the CPU.");
  CHECK_THROWS_WITH(cuda::require_device(), cuda::why_not());
  emulate::device.count = 1;
  emulate::device.major = 7;
  CHECK(cuda::why_not() ==
        "cuda: the GPU has compute capability 7.0, but the kernels need 7.5 (Turing) or newer; run on the CPU.");
}

TEST_CASE("cuda: a GPU without tensor cores for a precision says so") {
  const Faulty scope;
  emulate::device.minor = 0;
  emulate::device.major = 8;
  cuda::require_tensor_cores("Tf32");
  emulate::device.major = 7;
  emulate::device.minor = 5;
  CHECK_THROWS_WITH(cuda::require_tensor_cores("Tf32"),
                    "cuda: Tf32 needs a GPU of compute capability 8.0 (Ampere) or newer, but this one has 7.5; use "
                    "Model<Net, Cuda>.");
}

TEST_CASE("cuda: what the device is") {
  const cuda::DeviceInfo info = cuda::device_info();
  CHECK(info.capability == 90);
  CHECK(info.free_memory <= info.total_memory);
  CHECK(cuda::architectures() == std::string("emulated"));
}

TEST_CASE("cuda: memory is never taken beyond what is free") {
  CHECK(cuda::allocate(0) == nullptr);
  const Faulty scope;
  emulate::device.used = emulate::device.total - 1000;
  void* little = cuda::allocate(500);
  CHECK(reinterpret_cast<std::uintptr_t>(little) % 256 == 0);
  cuda::release(little);
  CHECK_THROWS_WITH(cuda::allocate(1001),
                    "cuda: an array of 1 MB needs more than the 1 MB that the GPU has free; take a smaller "
                    "batch or model, or end other programs on it.");
}

TEST_CASE("cuda: a kernel that fails is an error that names it, and the next one runs") {
  const Faulty scope;
  Array<float> x(8, 1.0f);
  emulate::device.fault = cudaErrorIllegalAddress;
  CHECK_THROWS_WITH(
      (cuda::scale_by(Cuda{}, 8, 2.0f, x.data()), cuda::submit()),
      "cuda: scale_by failed: an illegal memory access was encountered (error 700); what was computed since the last "
      "synchronisation is lost, and compute-sanitizer tells which access was wrong.");
  emulate::device.fault = cudaErrorNoKernelImageForDevice;
  CHECK_THROWS_WITH(
      (cuda::scale_by(Cuda{}, 8, 2.0f, x.data()), cuda::submit()),
      "cuda: this build holds no code for the GPU (emulated); build graft with CMAKE_CUDA_ARCHITECTURES set to the "
      "GPU's own.");
  emulate::device.fault = cudaErrorIllegalAddress;
  CHECK_THROWS_AS(cuda::synchronize(), Error);
  cuda::fill(Cuda{}, 8, 3.0f, x.data());
  CHECK(x.get() == std::vector<float>(8, 3.0f));
}

TEST_CASE("cuda: empty arrays launch nothing") {
  const std::uint64_t before = cuda::launches();
  float* none = nullptr;
  cuda::fill(Cuda{}, 0, 3.0f, none);
  cuda::copy(Cuda{}, 0, none, none);
  cuda::clear(Cuda{}, 0, none);
  CHECK(cuda::launches() == before);
}

}  // namespace test_runtime
