/// \file runtime.cu  The runtime of core/cuda.hpp.
#include "graft/kernel/cuda/launch.cuh"
#include "graft/kernel/cuda/libraries.cuh"
#include "graft/kernel/cuda/replay.cuh"
#include "graft/kernel/cuda/vectors.hpp"

#include <algorithm>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <utility>

GRAFT_CUDA_BEGIN
namespace detail {

#ifndef GRAFT_CUDA_ARCHITECTURES
#define GRAFT_CUDA_ARCHITECTURES "emulated"
#endif

namespace {
/// Launches that are kept before they are played without being asked for.
constexpr std::size_t most_kept = 4096;
/// Bytes from the host beyond which they are not staged, but copied by the driver at once.
constexpr std::size_t most_staged = std::size_t{16} << 20;

/// GRAFT_CUDA_GRAPHS=0: every kernel is launched at once, as a debugger or sanitizer wants it.
bool graphs_wanted() {
  static const bool are = wanted("GRAFT_CUDA_GRAPHS");
  return are;
}

/// What a thread holds: its stream, what is asked for, its temporary memory and its complaint. Memory of the device is left to
/// the end of the process where the driver is gone first: errors of giving it back are not heard.
struct Holdings {
  cudaStream_t stream = nullptr;
  bool made = false;
  void* rooms[static_cast<int>(Room::count)] = {};
  std::size_t bytes[static_cast<int>(Room::count)] = {};
  Complaint* complaint = nullptr;
  std::uint64_t launches = 0;
  Sequence asked;
  Player player;
  Staging staging;
  Replays replays;
  std::exception_ptr failure;  ///< of a place that may not throw
  Holdings() = default;
  Holdings(const Holdings&) = delete;
  Holdings& operator=(const Holdings&) = delete;
  ~Holdings();
};
/// Outlives the thread's Holdings: memory may be given back after them.
thread_local bool holdings_are_gone = false;

Holdings::~Holdings() {
  if (made) cudaStreamSynchronize(stream);
  for (void* memory : rooms) {
    if (memory != nullptr) cudaFree(memory);
  }
  if (complaint != nullptr) cudaFree(complaint);
  if (stream != nullptr) cudaStreamDestroy(stream);
  holdings_are_gone = true;
}
Holdings& holdings() {
  thread_local Holdings own;
  return own;
}

/// All memory that allocate() gave, by where it begins. It outlives all threads.
struct Given {
  std::mutex mutex;
  std::map<const char*, std::size_t> bytes;
};
Given& given() {
  static auto* const all = new Given;
  return *all;
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
cudaStream_t own_stream() {
  Holdings& own = holdings();
  if (!own.made) {
    require_device();
    check("making a stream", cudaStreamCreateWithFlags(&own.stream, cudaStreamNonBlocking));
    own.made = true;
  }
  return own.stream;
}
/// Plays what was asked for. What fails is forgotten, not tried again.
void play() {
  Holdings& own = holdings();
  if (own.asked.empty()) return;
  struct Forget {
    Sequence& asked;
    ~Forget() { asked.clear(); }
  } forget{own.asked};
  own.player.play(own.asked, own.stream, own.replays);
  own.staging.turn(own.stream);
}
}  // namespace

void* room(Room use, std::size_t bytes) {
  Holdings& own = holdings();
  void*& memory = own.rooms[static_cast<int>(use)];
  std::size_t& held = own.bytes[static_cast<int>(use)];
  if (held >= bytes && memory != nullptr) return memory;
  own_stream();
  if (memory != nullptr) {  // a kernel may still use it
    play();
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

void expect(const char* what, cudaError_t error) { check(what, error); }

void ask(const Launch& launch, const void* const* arguments, const std::size_t* sizes) {
  own_stream();
  Holdings& own = holdings();
  own.asked.add(launch, arguments, sizes);
  ++own.launches;
  if (!graphs_wanted() || own.asked.size() >= most_kept) play();
}

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

void require_tensor_cores(const char* precision) {
  require_device();
  const int version = detail::capability();
  if (version >= 80) return;
  fail("cuda: ", precision, " needs a GPU of compute capability 8.0 (Ampere) or newer, but this one has ", version / 10, ".",
       version % 10, "; use Model<Net, Cuda>.");
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
  detail::own_stream();
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
  detail::Given& given = detail::given();
  const std::lock_guard lock(given.mutex);
  given.bytes[static_cast<const char*>(memory)] = bytes;
  return memory;
}

bool holds(const void* at) noexcept {
  detail::Given& given = detail::given();
  const std::lock_guard lock(given.mutex);
  const char* const place = static_cast<const char*>(at);
  auto next = given.bytes.upper_bound(place);
  if (next == given.bytes.begin()) return false;
  --next;
  return std::less<>{}(place, next->first + next->second);
}

void release(void* memory) noexcept {
  if (memory == nullptr) return;
  {
    detail::Given& given = detail::given();
    const std::lock_guard lock(given.mutex);
    given.bytes.erase(static_cast<const char*>(memory));
  }
  if (!detail::holdings_are_gone) {
    try {
      detail::play();  // what was asked for may use it
    } catch (...) {
      detail::holdings().failure = std::current_exception();
    }
  }
  cudaFree(memory);  // waits for the device
  cudaGetLastError();
}

void prefetch([[maybe_unused]] const void* memory, [[maybe_unused]] std::size_t bytes, [[maybe_unused]] bool to_device) {
#if defined(__CUDACC__)
  if (memory == nullptr || bytes == 0) return;
  const cudaStream_t on = detail::own_stream();
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

void submit() {
  if (detail::holdings().made) detail::play();
}

void synchronize() {
  detail::Holdings& own = detail::holdings();
  if (!own.made) return;  // nothing was asked for
  if (own.failure) std::rethrow_exception(std::exchange(own.failure, nullptr));
  detail::play();
  detail::check("a kernel", cudaStreamSynchronize(own.stream));
  if (own.complaint != nullptr && own.complaint->row != detail::Complaint{}.row) {
    const detail::Complaint told = *own.complaint;
    *own.complaint = detail::Complaint{};
    fail("cross_entropy: the label of row ", told.row, " is ", told.label, " but the head has ", told.classes,
         " classes, 0 to ", told.classes - 1, ".");
  }
}

void* stream() {
  const cudaStream_t own = detail::own_stream();
  submit();
  return own;
}

std::uint64_t launches() noexcept { return detail::holdings().launches; }
Replays replays() noexcept { return detail::holdings().replays; }

void upload(Cuda, std::size_t bytes, const void* from, void* to) {
  if (bytes == 0) return;
  const cudaStream_t on = detail::own_stream();
  if (bytes <= detail::most_staged) return copy(Cuda{}, bytes, detail::holdings().staging.keep(bytes, from), to);
  submit();
  detail::check("copying to the GPU", cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, on));
}
void fetch(Cuda, std::size_t bytes, const void* from, void* to) {
  if (bytes != 0) {
    const cudaStream_t on = detail::own_stream();
    submit();
    detail::check("copying from the GPU", cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, on));
  }
  synchronize();
}

GRAFT_CUDA_END
