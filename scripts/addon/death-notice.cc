// Says on stderr that native code has crashed, before the process dies of it: TensorFlow runs in a thread of the process,
// so a crash there ends everything, and neither Node nor the thread that started it gets to say a word. The texts come
// from JavaScript (src/engine/death-notice.ts), once for the process. See docs/adr/022-models-as-they-are.md.
//
// The handler does only what a signal handler may: it reads /proc/self/maps, writes, and hands the signal to whoever had it
// before. V8 answers faults inside WebAssembly by itself, which are no crash: it is asked first, as Node does.
#include <dlfcn.h>
#include <fcntl.h>
#include <node_api.h>
#include <signal.h>
#include <ucontext.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>

namespace {

constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
constexpr size_t kCount = sizeof kSignals / sizeof kSignals[0];
constexpr size_t kLongest = 2048;

/** Before and after the place of the crash; kept by value, for the memory of JavaScript may be what is broken. */
struct Text {
  char head[kLongest];
  char tail[kLongest];
};
Text texts[kCount];
struct sigaction before[kCount];
bool installed = false;
/** v8::TryHandleWebAssemblyTrapPosix */
bool (*wasm_answers)(int, siginfo_t*, void*) = nullptr;
constexpr char kWasmAnswers[] = "_ZN2v829TryHandleWebAssemblyTrapPosixEiP9siginfo_tPv";
volatile sig_atomic_t dying = 0;

void say(const char* text, size_t length) {
  while (length > 0) {
    const ssize_t n = write(STDERR_FILENO, text, length);
    if (n <= 0) return;
    text += n;
    length -= static_cast<size_t>(n);
  }
}

void say(const char* text) { say(text, strlen(text)); }

void say_hex(uintptr_t value) {
  char digits[2 * sizeof value];
  size_t at = sizeof digits;
  do {
    digits[--at] = "0123456789abcdef"[value & 15];
    value >>= 4;
  } while (value != 0);
  say(digits + at, sizeof digits - at);
}

uintptr_t place_of(const void* context) {
#if defined(__x86_64__)
  return static_cast<uintptr_t>(static_cast<const ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP]);
#else
  return 0;
#endif
}

/** Reads a line of /proc/self/maps; a longer one is cut. */
bool read_line(int file, char* line, size_t size) {
  size_t length = 0;
  char c;
  while (read(file, &c, 1) == 1) {
    if (c == '\n') break;
    if (length + 1 < size) line[length++] = c;
    else return (line[length] = '\0', true);
  }
  line[length] = '\0';
  return length > 0;
}

uintptr_t read_hex(const char*& at) {
  uintptr_t value = 0;
  for (;; at++) {
    const int digit = *at >= '0' && *at <= '9' ? *at - '0' : *at >= 'a' && *at <= 'f' ? *at - 'a' + 10 : -1;
    if (digit < 0) return value;
    value = value * 16 + static_cast<uintptr_t>(digit);
  }
}

/** The file that is mapped at the address, its name alone, and how far in. Symbol tables may be what is damaged. */
void say_place(uintptr_t address) {
  char line[512];
  const int maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  while (maps >= 0 && read_line(maps, line, sizeof line)) {
    const char* at = line;
    const uintptr_t begin = read_hex(at);
    if (*at++ != '-') break;
    if (const uintptr_t end = read_hex(at); address < begin || address >= end) continue;
    at += strlen(" r-xp ");
    const uintptr_t offset = read_hex(at);
    const char* name = strrchr(at, '/');
    if (name == nullptr) break;
    for (name++; *name != '\0'; name++)
      if (*name >= ' ' && *name != '"' && *name != '\\' && *name < 127) say(name, 1);
    say("+0x");
    say_hex(offset + (address - begin));
    close(maps);
    return;
  }
  if (maps >= 0) close(maps);
  say("0x");
  say_hex(address);
}

void on_death(int signal, siginfo_t* info, void* context) {
  if (signal == SIGSEGV && wasm_answers != nullptr && wasm_answers(signal, info, context)) return;
  size_t i = 0;
  while (i < kCount && kSignals[i] != signal) i++;
  if (i == kCount) return;
  if (!dying) {
    dying = 1;
    say(texts[i].head);
    say_place(place_of(context));
    if (info->si_code == SI_USER) say(" (another process sent the signal)");
    say(texts[i].tail);
  }
  const struct sigaction& next = before[i];
  if ((next.sa_flags & SA_SIGINFO) != 0 && next.sa_sigaction != nullptr) {
    next.sa_sigaction(signal, info, context);
    return;
  }
  // as it was: a fault comes again on return, and the kernel ends the process with it
  sigaction(signal, &next, nullptr);
  if (info->si_code <= 0) raise(signal);
}

bool copy(napi_env env, napi_value list, uint32_t index, char* to) {
  napi_value text;
  size_t length = 0;
  return napi_get_element(env, list, index, &text) == napi_ok &&
         napi_get_value_string_utf8(env, text, to, kLongest, &length) == napi_ok;
}

/** nameDeaths(heads, tails): one of each for SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT. Once for the process. */
napi_value name_deaths(napi_env env, napi_callback_info info) {
  napi_value args[2];
  size_t count = 2;
  if (napi_get_cb_info(env, info, &count, args, nullptr, nullptr) != napi_ok || count < 2 || installed) return nullptr;
  for (uint32_t i = 0; i < kCount; i++)
    if (!copy(env, args[0], i, texts[i].head) || !copy(env, args[1], i, texts[i].tail)) return nullptr;
  installed = true;
  wasm_answers = reinterpret_cast<decltype(wasm_answers)>(dlsym(RTLD_DEFAULT, kWasmAnswers));
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = on_death;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  for (size_t i = 0; i < kCount; i++) sigaction(kSignals[i], &action, &before[i]);
  return nullptr;
}

}  // namespace

extern "C" NAPI_MODULE_EXPORT napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  napi_value function;
  if (napi_create_function(env, "nameDeaths", NAPI_AUTO_LENGTH, name_deaths, nullptr, &function) == napi_ok)
    napi_set_named_property(env, exports, "nameDeaths", function);
  return exports;
}

extern "C" NAPI_MODULE_EXPORT int32_t node_api_module_get_api_version_v1() { return 8; }
