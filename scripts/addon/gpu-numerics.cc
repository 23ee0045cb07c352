// How TensorFlow computes on a GPU (gpu-switches.h): whether f32 may be multiplied in TF32, as TensorFlow does unless told
// otherwise, and whether every operation must give the same bits each time. libtensorflow_framework must be loaded
// already. And what the GPUs are, by the driver's own word, which needs no TensorFlow.
#include <dlfcn.h>
#include <node_api.h>

#include <string>

#include "gpu-switches.h"

namespace {

/** The function of that name; null with an error in JavaScript if there is none. */
template <typename F>
F* find(napi_env env, const char* name) {
  void* core = dlopen("libtensorflow_framework.so.2", RTLD_LAZY | RTLD_NOLOAD);
  F* function = core == nullptr ? nullptr : reinterpret_cast<F*>(dlsym(core, name));
  if (function == nullptr) napi_throw_error(env, nullptr, "libtensorflow_framework is not loaded, or lacks a switch");
  return function;
}

bool first_argument(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument;
  bool on = false;
  napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr);
  if (count == 1) napi_get_value_bool(env, argument, &on);
  return on;
}

/** tf32(): whether f32 may be multiplied in TF32. */
napi_value tf32(napi_env env, napi_callback_info) {
  napi_value result = nullptr;
  if (auto* enabled = find<bool()>(env, gpu_switches::kTf32)) napi_get_boolean(env, enabled(), &result);
  return result;
}

/** setTf32(on), setDeterminism(on): for the whole process, and for what is compiled from then on. */
template <const char* name>
napi_value set(napi_env env, napi_callback_info info) {
  if (auto* enable = find<void(bool)>(env, name)) enable(first_argument(env, info));
  return nullptr;
}

using Int = int*;
constexpr int kCapabilityMajor = 75;  // CUdevice_attribute
constexpr int kCapabilityMinor = 76;

/** gpus(): of each its name and compute capability, as in "NVIDIA H100 80GB HBM3 9.0"; none without a driver. */
napi_value gpus(napi_env env, napi_callback_info) {
  napi_value result;
  napi_create_array(env, &result);
  void* driver = dlopen("libcuda.so.1", RTLD_LAZY);
  if (driver == nullptr) return result;
  const auto init = reinterpret_cast<int (*)(unsigned)>(dlsym(driver, "cuInit"));
  const auto count = reinterpret_cast<int (*)(Int)>(dlsym(driver, "cuDeviceGetCount"));
  const auto get = reinterpret_cast<int (*)(Int, int)>(dlsym(driver, "cuDeviceGet"));
  const auto name = reinterpret_cast<int (*)(char*, int, int)>(dlsym(driver, "cuDeviceGetName"));
  const auto attribute = reinterpret_cast<int (*)(Int, int, int)>(dlsym(driver, "cuDeviceGetAttribute"));
  if (!init || !count || !get || !name || !attribute || init(0) != 0) return result;
  int devices = 0;
  if (count(&devices) != 0) return result;
  for (int i = 0; i < devices; i++) {
    int device = 0, major = 0, minor = 0;
    char text[256] = "";
    if (get(&device, i) != 0 || name(text, sizeof text, device) != 0) continue;
    if (attribute(&major, kCapabilityMajor, device) != 0 || attribute(&minor, kCapabilityMinor, device) != 0) continue;
    const std::string line = std::string(text) + " " + std::to_string(major) + "." + std::to_string(minor);
    napi_value value;
    napi_create_string_utf8(env, line.c_str(), line.size(), &value);
    napi_set_element(env, result, i, value);
  }
  return result;
}

}  // namespace

extern "C" NAPI_MODULE_EXPORT napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  const napi_property_descriptor all[] = {
      {"tf32", nullptr, tf32, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"setTf32", nullptr, set<gpu_switches::kSetTf32>, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"gpus", nullptr, gpus, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"setDeterminism", nullptr, set<gpu_switches::kSetDeterminism>, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
  };
  napi_define_properties(env, exports, sizeof all / sizeof all[0], all);
  return exports;
}

extern "C" NAPI_MODULE_EXPORT int32_t node_api_module_get_api_version_v1() { return 8; }
