// Loads TensorFlow's core library without its notices. While it initialises itself it logs two lines through Abseil,
// which heeds no environment variable at that point and writes to stderr: so stderr goes to memory for that moment, and
// what is more than a notice is passed on. Afterwards TF_CPP_MIN_LOG_LEVEL is handed to Abseil, which asks for it in C++
// alone. Loaded before the addon; see docs/adr/002-engine.md.
#include <dlfcn.h>
#include <node_api.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace {

// void absl::SetMinLogLevel(absl::LogSeverityAtLeast), of the Abseil in TensorFlow 2.21
constexpr char kSetMinLogLevel[] = "_ZN4absl12lts_2025081414SetMinLogLevelENS0_18LogSeverityAtLeastE";

bool is_notice(const std::string& line) {
  return line.rfind("I0000 ", 0) == 0 || line.rfind("WARNING: All log messages before absl::InitializeLog()", 0) == 0;
}

void pass_on(int memory) {
  std::string text;
  char buffer[4096];
  lseek(memory, 0, SEEK_SET);
  for (ssize_t n; (n = read(memory, buffer, sizeof buffer)) > 0;) text.append(buffer, n);
  for (size_t start = 0; start < text.size();) {
    const size_t found = text.find('\n', start);
    const size_t end = found == std::string::npos ? text.size() : found + 1;
    const std::string line = text.substr(start, end - start);
    if (!is_notice(line) && write(STDERR_FILENO, line.data(), line.size()) < 0) return;
    start = end;
  }
}

void* load_quietly() {
  const int memory = memfd_create("stderr", MFD_CLOEXEC);
  const int stderr_copy = memory < 0 ? -1 : dup(STDERR_FILENO);
  if (stderr_copy >= 0) dup2(memory, STDERR_FILENO);
  void* core = dlopen("libtensorflow_framework.so.2", RTLD_LAZY | RTLD_NODELETE);
  if (stderr_copy >= 0) {
    dup2(stderr_copy, STDERR_FILENO);
    close(stderr_copy);
    pass_on(memory);
  }
  if (memory >= 0) close(memory);
  return core;
}

}  // namespace

extern "C" NAPI_MODULE_EXPORT napi_value napi_register_module_v1(napi_env, napi_value exports) {
  const char* level = std::getenv("TF_CPP_MIN_LOG_LEVEL");
  if (level == nullptr || std::atoi(level) < 1) return exports;
  if (void* core = load_quietly()) {
    if (auto set = reinterpret_cast<void (*)(int)>(dlsym(core, kSetMinLogLevel))) set(std::atoi(level));
  }
  return exports;
}

extern "C" NAPI_MODULE_EXPORT int32_t node_api_module_get_api_version_v1() { return 8; }
