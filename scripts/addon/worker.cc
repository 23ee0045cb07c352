// One task of TensorFlow's distributed runtime as a program. It listens at one address, runs what it is sent there, and
// holds nothing but TensorFlow. `bcod worker` (src/worker) starts it. See docs/adr/028-workers.md.
//
//   bcod_worker --version                         prints TensorFlow's version
//   bcod_worker ADDRESS TF32 PARENT < SERVERDEF    serves; TF32 is 0 or 1, PARENT the process with whose end it ends
//
// It writes one line to stdout: "serves", or why it cannot, with exit code 1.
#include <dlfcn.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <iterator>
#include <string>

#include "gpu-switches.h"
#include "one-address.h"
#include "tensorflow/c/c_api.h"

namespace {

[[noreturn]] void give_up(std::string why) {
  for (char& c : why)
    if (c == '\n') c = ' ';
  std::puts(why.c_str());
  std::fflush(stdout);
  std::_Exit(1);
}

void check(TF_Status* status) {
  if (TF_GetCode(status) != TF_OK) give_up(one_address::explained(TF_Message(status)));
}

/** Whether the server has a GPU: a session on itself says so, which also shows that it answers. */
bool has_gpu(TF_Server* server, TF_Status* status) {
  TF_Graph* graph = TF_NewGraph();
  TF_SessionOptions* options = TF_NewSessionOptions();
  TF_SetTarget(options, TF_ServerTarget(server));
  TF_Session* session = TF_NewSession(graph, options, status);
  TF_DeleteSessionOptions(options);
  check(status);
  TF_DeviceList* devices = TF_SessionListDevices(session, status);
  check(status);
  bool found = false;
  for (int i = 0; i < TF_DeviceListCount(devices); i++)
    found = found || std::strcmp(TF_DeviceListType(devices, i, status), "GPU") == 0;
  TF_DeleteDeviceList(devices);
  TF_CloseSession(session, status);
  TF_DeleteSession(session, status);
  TF_DeleteGraph(graph);
  return found;
}

void set(const char* name, bool on) {
  const auto function = reinterpret_cast<void (*)(bool)>(dlsym(RTLD_DEFAULT, name));
  if (function == nullptr) give_up("libtensorflow_framework lacks a switch of GPUs");
  function(on);
}

/** A GPU computes as the leader's do: scripts/addon/gpu-numerics.cc. */
void prepare_gpu(bool tf32) {
  set(gpu_switches::kSetTf32, tf32);
  set(gpu_switches::kSetDeterminism, true);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--version") == 0) {
    std::puts(TF_Version());
    return 0;
  }
  if (argc != 4) {
    std::fputs("usage: bcod_worker --version | bcod_worker ADDRESS TF32 PARENT < SERVERDEF\n", stderr);
    return 2;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != std::atoi(argv[3])) return 1;  // it has ended before this
  if (const std::string why = one_address::listen_at(argv[1]); !why.empty()) give_up(why);
  const std::string definition{std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
  TF_Status* status = TF_NewStatus();
  TF_Server* server = TF_NewServer(definition.data(), definition.size(), status);
  check(status);
  TF_ServerStart(server, status);
  check(status);
  if (has_gpu(server, status)) prepare_gpu(std::strcmp(argv[2], "1") == 0);
  std::puts("serves");
  std::fflush(stdout);
  // TensorFlow knows no end of a server: a signal ends the process
  TF_ServerJoin(server, status);
  give_up(TF_Message(status));
}
