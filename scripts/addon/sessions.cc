// Sessions of TensorFlow's C API for JavaScript: opened with a ConfigProto and a target, run by start() and wait(), so that
// several runs can go on while their caller stays synchronous; and the server of a process that leads others. Tensors are
// copied once on their way in and once on their way out, and TensorFlow never holds memory of JavaScript. See
// docs/adr/027-sessions-and-places.md.
#include <node_api.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "one-address.h"
#include "tensorflow/c/c_api.h"

namespace {

/** What JavaScript gets as an error: `code` is TensorFlow's name of it. */
struct Failure {
  std::string code, message;
};

const char* name_of(TF_Code code) {
  static const char* const names[] = {
      "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
      "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
      "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
  };
  return static_cast<size_t>(code) < sizeof names / sizeof names[0] ? names[code] : "UNKNOWN";
}

class Status {
 public:
  Status() : raw_(TF_NewStatus()) {}
  ~Status() { TF_DeleteStatus(raw_); }
  operator TF_Status*() const { return raw_; }
  bool ok() const { return TF_GetCode(raw_) == TF_OK; }
  Failure failure() const { return {name_of(TF_GetCode(raw_)), TF_Message(raw_)}; }
  void check() const {
    if (!ok()) throw failure();
  }

 private:
  Status(const Status&) = delete;
  TF_Status* raw_;
};

std::atomic<int> live_tensors{0};

struct DeleteTensor {
  void operator()(TF_Tensor* tensor) const {
    TF_DeleteTensor(tensor);
    live_tensors--;
  }
};
/** A tensor that somebody owns; they are counted. */
using Tensor = std::unique_ptr<TF_Tensor, DeleteTensor>;

Tensor owned(TF_Tensor* tensor) {
  if (tensor != nullptr) live_tensors++;
  return Tensor(tensor);
}

/** Where and how sessions are opened. An empty target is this process. */
class Options {
 public:
  Options(const std::string& target, const std::string& config) : raw_(TF_NewSessionOptions()) {
    if (!target.empty()) TF_SetTarget(raw_, target.c_str());
    TF_SetConfig(raw_, config.data(), config.size(), status_);
  }
  ~Options() { TF_DeleteSessionOptions(raw_); }
  /** @throws Failure */
  TF_SessionOptions* get() const {
    status_.check();
    return raw_;
  }

 private:
  Options(const Options&) = delete;
  TF_SessionOptions* raw_;
  Status status_;
};

/** A session and its graph. It is closed when neither JavaScript nor a run holds it any more. */
class Session {
 public:
  Session(const std::string& directory, const std::string& target, const std::string& config)
      : remote_(!target.empty()) {
    const Options options(target, config);
    const Status status;
    const char* const tags[] = {"serve"};
    TF_SessionOptions* given = options.get();
    graph_ = TF_NewGraph();
    session_ = TF_LoadSessionFromSavedModel(given, nullptr, directory.c_str(), tags, 1, graph_, nullptr, status);
    if (!status.ok()) TF_DeleteGraph(graph_);
    status.check();
  }

  // Closing waits for what other tasks have to clean up, and so for a lost one until its address answers again: nobody
  // waits for that. A session of this process ends at once, and its memory is free when this returns.
  ~Session() {
    if (remote_) std::thread(end, session_, graph_).detach();
    else end(session_, graph_);
  }

  /** An end of a node, by `name:index`. */
  TF_Output output(const std::string& name) const {
    const size_t colon = name.rfind(':');
    const int index = colon == std::string::npos ? 0 : std::atoi(name.c_str() + colon + 1);
    TF_Operation* operation = TF_GraphOperationByName(graph_, name.substr(0, colon).c_str());
    if (operation == nullptr) throw Failure{"NOT_FOUND", "the graph has no " + name};
    return {operation, index};
  }

  /** Adds nodes and functions; inputs that the new graph has no node for are ends of nodes that are there already. */
  void extend(const void* definition, size_t size, const std::vector<std::string>& known) {
    const Status status;
    const std::unique_ptr<TF_ImportGraphDefOptions, void (*)(TF_ImportGraphDefOptions*)> options(
        TF_NewImportGraphDefOptions(), TF_DeleteImportGraphDefOptions);
    for (const std::string& name : known) TF_ImportGraphDefOptionsAddInputMapping(options.get(), name.c_str(), 0, output(name));
    const std::unique_ptr<TF_Buffer, void (*)(TF_Buffer*)> graph(TF_NewBufferFromString(definition, size), TF_DeleteBuffer);
    TF_GraphImportGraphDef(graph_, graph.get(), options.get(), status);
    status.check();
  }

  TF_Session* get() const { return session_; }

 private:
  Session(const Session&) = delete;
  static void end(TF_Session* session, TF_Graph* graph) {
    const Status status;
    TF_CloseSession(session, status);
    TF_DeleteSession(session, status);
    TF_DeleteGraph(graph);
  }

  TF_Graph* graph_ = nullptr;
  bool remote_;
  TF_Session* session_ = nullptr;
};

/**
 * A session that is opened on a thread of its own: with a worker that has gone away TensorFlow never comes back. Whoever
 * waits too long goes on without it; if it opens after all, it is closed.
 */
class Opening {
 public:
  /** @throws Failure, with DEADLINE_EXCEEDED if it takes longer */
  static std::shared_ptr<Session> within(int64_t milliseconds, std::string directory, std::string target,
                                         std::string config) {
    const auto opening = std::make_shared<Opening>();
    std::thread([opening, directory, target, config] { opening->open(directory, target, config); }).detach();
    std::unique_lock<std::mutex> lock(opening->mutex_);
    if (!opening->changed_.wait_for(lock, std::chrono::milliseconds(milliseconds), [&] { return opening->ended_; }))
      throw Failure{"DEADLINE_EXCEEDED", "no session has opened in " + std::to_string(milliseconds) + " ms"};
    if (opening->session_ == nullptr) throw opening->failure_;
    return std::move(opening->session_);
  }

 private:
  void open(const std::string& directory, const std::string& target, const std::string& config) {
    std::shared_ptr<Session> session;
    Failure failure;
    try {
      session = std::make_shared<Session>(directory, target, config);
    } catch (const Failure& caught) {
      failure = caught;
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    session_ = std::move(session);
    failure_ = failure;
    ended_ = true;
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool ended_ = false;
  std::shared_ptr<Session> session_;
  Failure failure_;
};

/**
 * One TF_SessionRun on a thread of its own. A run that a worker has to be told of first is cancelled by no timeout of
 * TensorFlow's and may never end: whoever waits too long goes on without it.
 */
class Run {
 public:
  Run(std::shared_ptr<Session> session, std::vector<TF_Output> inputs, std::vector<Tensor> values,
      std::vector<TF_Output> outputs)
      : work_(std::make_shared<Work>()), begun_(std::chrono::steady_clock::now()) {
    work_->session = std::move(session);
    work_->inputs = std::move(inputs);
    work_->values = std::move(values);
    work_->outputs = std::move(outputs);
    thread_ = std::thread([work = work_] { work->run(); });
  }

  ~Run() {
    if (thread_.joinable()) thread_.join();
  }

  /** How long it ran, once somebody has waited for it. */
  double seconds() const { return work_->seconds; }

  /**
   * Blocks until it has ended.
   * @param limit  milliseconds since its beginning; 0: none
   * @throws Failure, with DEADLINE_EXCEEDED if it takes longer
   */
  std::vector<Tensor> wait(int64_t limit) {
    if (limit > 0 && !work_->ends_before(begun_ + std::chrono::milliseconds(limit))) {
      thread_.detach();
      throw Failure{"DEADLINE_EXCEEDED", "the run has not ended in " + std::to_string(limit) + " ms"};
    }
    thread_.join();
    work_->status.check();
    return std::move(work_->results);
  }

 private:
  /** What the thread has, also when nobody waits any more. */
  struct Work {
    void run() {
      std::vector<TF_Tensor*> given, fetched(outputs.size(), nullptr);
      for (const Tensor& value : values) given.push_back(value.get());
      const auto begun = std::chrono::steady_clock::now();
      TF_SessionRun(session->get(), nullptr, inputs.data(), given.data(), static_cast<int>(given.size()), outputs.data(),
                    fetched.data(), static_cast<int>(fetched.size()), nullptr, 0, nullptr, status);
      seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
      for (TF_Tensor* result : fetched) results.push_back(owned(result));
      values.clear();
      const std::lock_guard<std::mutex> lock(mutex);
      ended = true;
      changed.notify_all();
    }

    bool ends_before(std::chrono::steady_clock::time_point time) {
      std::unique_lock<std::mutex> lock(mutex);
      return changed.wait_until(lock, time, [this] { return ended; });
    }

    std::shared_ptr<Session> session;
    std::vector<TF_Output> inputs, outputs;
    std::vector<Tensor> values, results;
    Status status;
    double seconds = 0;
    std::mutex mutex;
    std::condition_variable changed;
    bool ended = false;
  };

  Run(const Run&) = delete;
  std::shared_ptr<Work> work_;
  std::chrono::steady_clock::time_point begun_;
  std::thread thread_;
};

void check(napi_status status, const char* what) {
  if (status != napi_ok) throw Failure{"INVALID_ARGUMENT", what};
}

std::string text(napi_env env, napi_value value) {
  size_t length = 0;
  check(napi_get_value_string_utf8(env, value, nullptr, 0, &length), "a text was expected");
  std::string result(length, '\0');
  napi_get_value_string_utf8(env, value, &result[0], length + 1, &length);
  return result;
}

napi_value property(napi_env env, napi_value object, const char* name) {
  napi_value value;
  check(napi_get_named_property(env, object, name, &value), "an object was expected");
  return value;
}

std::vector<napi_value> elements(napi_env env, napi_value array) {
  uint32_t length = 0;
  check(napi_get_array_length(env, array, &length), "an array was expected");
  std::vector<napi_value> result(length);
  for (uint32_t i = 0; i < length; i++) napi_get_element(env, array, i, &result[i]);
  return result;
}

TF_DataType type_of(napi_typedarray_type kind) {
  switch (kind) {
    case napi_float32_array: return TF_FLOAT;
    case napi_int32_array: return TF_INT32;
    case napi_uint8_array: return TF_UINT8;
    default: throw Failure{"INVALID_ARGUMENT", "values are floats, int32 or bytes"};
  }
}

/** A copy of values in memory that is TensorFlow's own, aligned as its kernels want it. */
Tensor to_tensor(napi_env env, napi_value shape, napi_value values) {
  std::vector<int64_t> dims;
  size_t size = 1;
  for (napi_value dim : elements(env, shape)) {
    dims.push_back(0);
    check(napi_get_value_int64(env, dim, &dims.back()), "a size was expected");
    size *= static_cast<size_t>(dims.back());
  }
  napi_typedarray_type kind;
  size_t count = 0;
  void* data = nullptr;
  check(napi_get_typedarray_info(env, values, &kind, &count, &data, nullptr, nullptr), "a typed array was expected");
  if (count != size) throw Failure{"INVALID_ARGUMENT", "values do not fit their shape"};
  const TF_DataType type = type_of(kind);
  const size_t bytes = count * TF_DataTypeSize(type);
  Tensor tensor = owned(TF_AllocateTensor(type, dims.data(), static_cast<int>(dims.size()), bytes));
  if (bytes == 0) return tensor;
  if (tensor == nullptr || TF_TensorData(tensor.get()) == nullptr)
    throw Failure{"RESOURCE_EXHAUSTED", "OOM when allocating a tensor of " + std::to_string(bytes) + " bytes"};
  std::memcpy(TF_TensorData(tensor.get()), data, bytes);
  return tensor;
}

napi_value to_typed_array(napi_env env, const TF_Tensor* tensor) {
  const TF_DataType type = TF_TensorType(tensor);
  if (type != TF_FLOAT && type != TF_INT32 && type != TF_UINT8)
    throw Failure{"INVALID_ARGUMENT", "results are floats, int32 or bytes"};
  const auto kind = type == TF_FLOAT ? napi_float32_array : type == TF_INT32 ? napi_int32_array : napi_uint8_array;
  const size_t bytes = TF_TensorByteSize(tensor);
  void* data = nullptr;
  napi_value buffer, array;
  check(napi_create_arraybuffer(env, bytes, &data, &buffer), "no memory for a result");
  if (bytes > 0) std::memcpy(data, TF_TensorData(tensor), bytes);
  check(napi_create_typedarray(env, kind, bytes / TF_DataTypeSize(type), buffer, 0, &array), "no memory for a result");
  return array;
}

/**
 * What JavaScript holds: a pointer that close() and wait() empty. What is left is let go with the handle, at the latest
 * when the thread of its environment ends.
 */
template <typename P>
napi_value to_handle(napi_env env, P pointer) {
  auto held = std::make_unique<P>(std::move(pointer));
  const auto let_go = [](napi_env, void* data, void*) { delete static_cast<P*>(data); };
  napi_value handle;
  check(napi_create_external(env, held.get(), let_go, nullptr, &handle), "no memory for a handle");
  held.release();
  return handle;
}

template <typename P>
P& held_by(napi_env env, napi_value handle, const char* gone) {
  void* data = nullptr;
  check(napi_get_value_external(env, handle, &data), "a handle was expected");
  P& held = *static_cast<P*>(data);
  if (held == nullptr) throw Failure{"FAILED_PRECONDITION", gone};
  return held;
}

using SessionPointer = std::shared_ptr<Session>;
using RunPointer = std::unique_ptr<Run>;

std::string bytes(napi_env env, napi_value array) {
  void* data = nullptr;
  size_t size = 0;
  check(napi_get_typedarray_info(env, array, nullptr, &size, &data, nullptr, nullptr), "bytes were expected");
  return size == 0 ? std::string() : std::string(static_cast<const char*>(data), size);
}

/** How long a session with a target may take to open if nothing is said, in milliseconds. */
constexpr int64_t OPEN_LIMIT = 60000;

/**
 * load(directory, target, config: Uint8Array, limit?: ms) -> session. An empty target is this process, where nothing can
 * keep it from opening and the limit is none.
 */
napi_value load(napi_env env, const napi_value* args) {
  const std::string directory = text(env, args[0]), target = text(env, args[1]), config = bytes(env, args[2]);
  if (target.empty()) return to_handle(env, std::make_shared<Session>(directory, target, config));
  int64_t limit = OPEN_LIMIT;
  napi_get_value_int64(env, args[3], &limit);  // leaves it if there is none
  return to_handle(env, Opening::within(limit, directory, target, config));
}

/**
 * reset(target, containers: name[], config: Uint8Array): frees what a server keeps in these containers, and closes the
 * sessions that it is the master of. The operation timeout of the config holds.
 */
napi_value reset(napi_env env, const napi_value* args) {
  std::vector<std::string> containers;
  for (napi_value name : elements(env, args[1])) containers.push_back(text(env, name));
  std::vector<const char*> names;
  for (const std::string& name : containers) names.push_back(name.c_str());
  const Options options(text(env, args[0]), bytes(env, args[2]));
  const Status status;
  TF_Reset(options.get(), names.data(), static_cast<int>(names.size()), status);
  status.check();
  return nullptr;
}

/** close(session): once the runs that go on have ended. */
napi_value close(napi_env env, const napi_value* args) {
  held_by<SessionPointer>(env, args[0], "the session is closed").reset();
  return nullptr;
}

/** extend(session, graph: Uint8Array, known: name[]): adds the nodes and functions of a GraphDef, which uses known nodes. */
napi_value extend(napi_env env, const napi_value* args) {
  const SessionPointer& session = held_by<SessionPointer>(env, args[0], "the session is closed");
  void* graph = nullptr;
  size_t size = 0;
  check(napi_get_typedarray_info(env, args[1], nullptr, &size, &graph, nullptr, nullptr), "bytes were expected");
  std::vector<std::string> known;
  for (napi_value name : elements(env, args[2])) known.push_back(text(env, name));
  session->extend(graph, size, known);
  return nullptr;
}

/** start(session, feeds: {name, shape, values}[], fetches: name[]) -> run */
napi_value start(napi_env env, const napi_value* args) {
  const SessionPointer& session = held_by<SessionPointer>(env, args[0], "the session is closed");
  std::vector<TF_Output> inputs, outputs;
  std::vector<Tensor> values;
  for (napi_value feed : elements(env, args[1])) {
    inputs.push_back(session->output(text(env, property(env, feed, "name"))));
    values.push_back(to_tensor(env, property(env, feed, "shape"), property(env, feed, "values")));
  }
  for (napi_value fetch : elements(env, args[2])) outputs.push_back(session->output(text(env, fetch)));
  return to_handle(env, std::make_unique<Run>(session, std::move(inputs), std::move(values), std::move(outputs)));
}

/**
 * wait(run, limit?: ms) -> typed arrays, in the order of the fetches, and how long it ran in `seconds`. Blocks the thread.
 */
napi_value wait(napi_env env, const napi_value* args) {
  const RunPointer run = std::move(held_by<RunPointer>(env, args[0], "somebody has waited for the run"));
  int64_t limit = 0;
  napi_get_value_int64(env, args[1], &limit);  // leaves it if there is none
  const std::vector<Tensor> results = run->wait(limit);
  napi_value arrays;
  check(napi_create_array_with_length(env, results.size(), &arrays), "no memory for results");
  for (size_t i = 0; i < results.size(); i++)
    napi_set_element(env, arrays, static_cast<uint32_t>(i), to_typed_array(env, results[i].get()));
  napi_property_descriptor seconds = {"seconds", nullptr, nullptr, nullptr, nullptr, nullptr, napi_default, nullptr};
  check(napi_create_double(env, run->seconds(), &seconds.value), "no memory for results");
  napi_define_properties(env, arrays, 1, &seconds);
  return arrays;
}

/**
 * serve(definition: Uint8Array, address) -> target. This process becomes a task of a cluster that listens at one address.
 * It stays one until it ends: TensorFlow knows no end of a server.
 */
napi_value serve(napi_env env, const napi_value* args) {
  const std::string definition = bytes(env, args[0]);
  const std::string why = one_address::listen_at(text(env, args[1]));
  if (!why.empty()) throw Failure{"INVALID_ARGUMENT", why};
  const Status status;
  TF_Server* server = TF_NewServer(definition.data(), definition.size(), status);
  if (status.ok()) TF_ServerStart(server, status);
  if (!status.ok()) throw Failure{status.failure().code, one_address::explained(status.failure().message)};
  napi_value target;
  check(napi_create_string_utf8(env, TF_ServerTarget(server), NAPI_AUTO_LENGTH, &target), "no memory for a text");
  return target;
}

/** liveTensors() -> how many tensors of the whole process have not been freed */
napi_value count_live_tensors(napi_env env, const napi_value*) {
  napi_value count = nullptr;
  napi_create_int32(env, live_tensors, &count);
  return count;
}

/** devices() -> the devices that TensorFlow finds in this process, by their full names */
napi_value devices(napi_env env, const napi_value*) {
  const std::unique_ptr<TF_Graph, void (*)(TF_Graph*)> graph(TF_NewGraph(), TF_DeleteGraph);
  const std::unique_ptr<TF_SessionOptions, void (*)(TF_SessionOptions*)> options(TF_NewSessionOptions(),
                                                                                TF_DeleteSessionOptions);
  const Status opened, listed, named;
  const std::unique_ptr<TF_Session, void (*)(TF_Session*)> session(
      TF_NewSession(graph.get(), options.get(), opened), [](TF_Session* each) { TF_DeleteSession(each, Status()); });
  opened.check();
  const std::unique_ptr<TF_DeviceList, void (*)(TF_DeviceList*)> list(TF_SessionListDevices(session.get(), listed),
                                                                     TF_DeleteDeviceList);
  listed.check();
  napi_value names;
  check(napi_create_array(env, &names), "no memory for names");
  for (int i = 0; i < TF_DeviceListCount(list.get()); i++) {
    const char* text = TF_DeviceListName(list.get(), i, named);
    named.check();
    napi_value name;
    check(napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &name), "no memory for names");
    napi_set_element(env, names, static_cast<uint32_t>(i), name);
  }
  return names;
}

template <napi_value (*function)(napi_env, const napi_value*)>
napi_value called(napi_env env, napi_callback_info info) {
  napi_value args[4];
  size_t count = 4;
  napi_get_cb_info(env, info, &count, args, nullptr, nullptr);
  try {
    return function(env, args);
  } catch (const Failure& failure) {
    napi_throw_error(env, failure.code.c_str(), failure.message.c_str());
  } catch (const std::exception& error) {
    // no memory, or no thread
    napi_throw_error(env, "RESOURCE_EXHAUSTED", error.what());
  }
  return nullptr;
}

}  // namespace

extern "C" NAPI_MODULE_EXPORT napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  const napi_property_descriptor all[] = {
      {"load", nullptr, called<load>, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"reset", nullptr, called<reset>, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"close", nullptr, called<close>, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"extend", nullptr, called<extend>, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"start", nullptr, called<start>, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"wait", nullptr, called<wait>, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"devices", nullptr, called<devices>, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"serve", nullptr, called<serve>, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"liveTensors", nullptr, called<count_live_tensors>, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
  };
  napi_define_properties(env, exports, sizeof all / sizeof all[0], all);
  return exports;
}

extern "C" NAPI_MODULE_EXPORT int32_t node_api_module_get_api_version_v1() { return 8; }
