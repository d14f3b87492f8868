/// \file runtime.cu  The runtime of core/cuda.hpp.
#include "graft/kernel/cuda/launch.cuh"

#include <algorithm>

GRAFT_CUDA_BEGIN
namespace detail {

#ifndef GRAFT_CUDA_ARCHITECTURES
#define GRAFT_CUDA_ARCHITECTURES "emulated"
#endif

namespace {
/// What a thread holds: its stream, its temporary memory and its complaint. Memory of the device is left to the end of the
/// process where the driver is gone first: errors of giving it back are not heard.
struct Holdings {
  cudaStream_t stream = nullptr;
  bool made = false;
  void* rooms[static_cast<int>(Room::count)] = {};
  std::size_t bytes[static_cast<int>(Room::count)] = {};
  Complaint* complaint = nullptr;
  std::uint64_t launches = 0;
  Holdings() = default;
  Holdings(const Holdings&) = delete;
  Holdings& operator=(const Holdings&) = delete;
  ~Holdings() {
    for (void* memory : rooms) {
      if (memory != nullptr) cudaFree(memory);
    }
    if (complaint != nullptr) cudaFree(complaint);
    if (stream != nullptr) cudaStreamDestroy(stream);
  }
};
Holdings& holdings() {
  thread_local Holdings own;
  return own;
}

std::string megabytes(std::size_t bytes) { return std::to_string((bytes + (1u << 20) - 1) >> 20) + " MB"; }

[[noreturn]] void fail_with(const char* where, cudaError_t error) {
  if (error == cudaErrorNoKernelImageForDevice) {
    fail("cuda: this build holds no code for the GPU (", GRAFT_CUDA_ARCHITECTURES,
         "); build graft with CMAKE_CUDA_ARCHITECTURES set to the GPU's own.");
  }
  fail("cuda: ", where, " failed: ", cudaGetErrorString(error), " (error ", static_cast<int>(error),
       "); what was computed since the last synchronisation is lost, and compute-sanitizer tells which access was wrong.");
}
void check(const char* where, cudaError_t error) {
  if (error != cudaSuccess) fail_with(where, error);
}
int capability() {
  int major = 0, minor = 0;
  check("reading the GPU's version", cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0));
  check("reading the GPU's version", cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, 0));
  return 10 * major + minor;
}
[[noreturn]] void too_little(const char* what, std::size_t bytes, std::size_t left) {
  fail("cuda: ", what, " of ", megabytes(bytes), " needs more than the ", megabytes(left),
       " that the GPU has free; take a smaller batch or model, or end other programs on it.");
}
}  // namespace

void* room(Room use, std::size_t bytes) {
  Holdings& own = holdings();
  void*& memory = own.rooms[static_cast<int>(use)];
  std::size_t& held = own.bytes[static_cast<int>(use)];
  if (held >= bytes && memory != nullptr) return memory;
  stream();
  if (memory != nullptr) {  // a kernel may still use it
    check("waiting for the GPU", cudaStreamSynchronize(own.stream));
    cudaFree(memory);
    memory = nullptr;
    held = 0;
  }
  const std::size_t wanted = std::max<std::size_t>(bytes, 256);
  const cudaError_t error = cudaMalloc(&memory, wanted);
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    std::size_t left = 0, all = 0;
    cudaMemGetInfo(&left, &all);
    too_little("temporary memory", wanted, left);
  }
  check("taking temporary memory", error);
  held = wanted;
  return memory;
}

void launched(const char* kernel) {
  const cudaError_t error = cudaGetLastError();
  if (error != cudaSuccess) fail_with(kernel, error);
  ++holdings().launches;
}

void succeeded(const char* what, cudaError_t error) { check(what, error); }

Complaint* complaint() {
  Holdings& own = holdings();
  if (own.complaint == nullptr) {
    own.complaint = static_cast<Complaint*>(allocate(sizeof(Complaint)));
    *own.complaint = Complaint{};
  }
  return own.complaint;
}
}  // namespace detail

int device_count() noexcept {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess ? count : 0;
}

std::string why_not() {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaErrorInsufficientDriver) {
    cudaGetLastError();
    return "cuda: there is no NVIDIA driver here, or it is older than the CUDA that graft was built with; install a newer one, "
           "or run on the CPU.";
  }
  if (error == cudaErrorNoDevice || (error == cudaSuccess && count == 0)) {
    cudaGetLastError();
    return "cuda: the driver offers no GPU; look at nvidia-smi and CUDA_VISIBLE_DEVICES, or run on the CPU.";
  }
  if (error != cudaSuccess) {
    cudaGetLastError();
    return std::string("cuda: the GPU cannot be used: ") + cudaGetErrorString(error) + "; run on the CPU.";
  }
  const int version = detail::capability();
  if (version < 75) {
    return "cuda: the GPU has compute capability " + std::to_string(version / 10) + "." + std::to_string(version % 10) +
           ", but the kernels need 7.5 (Turing) or newer; run on the CPU.";
  }
  return "";
}

void require_device() {
  const std::string reason = why_not();
  if (!reason.empty()) throw Error(reason);
}

DeviceInfo device_info() {
  require_device();
  DeviceInfo info;
  info.capability = detail::capability();
#if defined(__CUDACC__)
  cudaDeviceProp properties;
  detail::check("reading the GPU's name", cudaGetDeviceProperties(&properties, 0));
  info.name = properties.name;
#else
  info.name = "emulated on the processor";
#endif
  detail::check("reading the GPU's memory", cudaMemGetInfo(&info.free_memory, &info.total_memory));
  return info;
}

const char* architectures() noexcept { return GRAFT_CUDA_ARCHITECTURES; }

void* allocate(std::size_t bytes) {
  if (bytes == 0) return nullptr;
  stream();
  std::size_t left = 0, all = 0;
  detail::check("reading the GPU's memory", cudaMemGetInfo(&left, &all));
  if (bytes > left) detail::too_little("an array", bytes, left);
  void* memory = nullptr;
  const cudaError_t error = cudaMallocManaged(&memory, bytes);
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    detail::too_little("an array", bytes, left);
  }
  detail::check("taking managed memory", error);
#if defined(__CUDACC__)
#if CUDART_VERSION >= 13000
  cudaMemLocation place{};
  place.type = cudaMemLocationTypeDevice;
  place.id = 0;
  cudaMemAdvise(memory, bytes, cudaMemAdviseSetPreferredLocation, place);
#else
  cudaMemAdvise(memory, bytes, cudaMemAdviseSetPreferredLocation, 0);
#endif
  cudaGetLastError();  // only advice: systems without page faults of the GPU refuse it
#endif
  return memory;
}

void release(void* memory) noexcept {
  if (memory == nullptr) return;
  cudaFree(memory);  // waits for the device
  cudaGetLastError();
}

void prefetch([[maybe_unused]] const void* memory, [[maybe_unused]] std::size_t bytes, [[maybe_unused]] bool to_device) {
#if defined(__CUDACC__)
  if (memory == nullptr || bytes == 0) return;
  const cudaStream_t on = static_cast<cudaStream_t>(stream());
#if CUDART_VERSION >= 13000
  cudaMemLocation place{};
  place.type = to_device ? cudaMemLocationTypeDevice : cudaMemLocationTypeHost;
  place.id = 0;
  cudaMemPrefetchAsync(memory, bytes, place, 0, on);
#else
  cudaMemPrefetchAsync(memory, bytes, to_device ? 0 : cudaCpuDeviceId, on);
#endif
  cudaGetLastError();
#endif
}

void synchronize() {
  detail::Holdings& own = detail::holdings();
  if (!own.made) return;  // nothing was launched
  detail::check("a kernel", cudaStreamSynchronize(own.stream));
  if (own.complaint != nullptr && own.complaint->row != detail::Complaint{}.row) {
    const detail::Complaint told = *own.complaint;
    *own.complaint = detail::Complaint{};
    fail("cross_entropy: the label of row ", told.row, " is ", told.label, " but the head has ", told.classes,
         " classes, 0 to ", told.classes - 1, ".");
  }
}

void* stream() {
  detail::Holdings& own = detail::holdings();
  if (!own.made) {
    require_device();
    detail::check("making a stream", cudaStreamCreateWithFlags(&own.stream, cudaStreamNonBlocking));
    own.made = true;
  }
  return own.stream;
}

std::uint64_t launches() noexcept { return detail::holdings().launches; }

GRAFT_CUDA_END
