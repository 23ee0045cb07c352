// Linked into the addon of @tensorflow/tfjs-node-gpu with --wrap=TF_NewSessionOptions: the addon makes its sessions with
// default options and has no way to give others. See docs/adr/002-engine.md.
#include "tensorflow/c/c_api.h"

extern "C" TF_SessionOptions* __real_TF_NewSessionOptions();

// ConfigProto { graph_options { rewrite_options { disable_meta_optimizer: true } } }
static const unsigned char kConfig[] = {0x52, 0x05, 0x52, 0x03, 0x98, 0x01, 0x01};

extern "C" TF_SessionOptions* __wrap_TF_NewSessionOptions() {
  TF_SessionOptions* options = __real_TF_NewSessionOptions();
  TF_Status* status = TF_NewStatus();
  // It fails only on bytes that are no ConfigProto; what it leaves then are the defaults.
  TF_SetConfig(options, kConfig, sizeof kConfig, status);
  TF_DeleteStatus(status);
  return options;
}
