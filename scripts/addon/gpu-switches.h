// Switches of how TensorFlow computes on a GPU that its C API lacks. libtensorflow_framework of TensorFlow 2.21 exports
// them as C++ functions. See docs/adr/002-engine.md.
#pragma once

namespace gpu_switches {

// bool tsl::tensor_float_32_execution_enabled(), void tsl::enable_tensor_float_32_execution(bool): whether f32 may be
// multiplied in TF32
inline constexpr char kTf32[] = "_ZN3tsl33tensor_float_32_execution_enabledEv";
inline constexpr char kSetTf32[] = "_ZN3tsl32enable_tensor_float_32_executionEb";
// void tsl::EnableOpDeterminism(bool): whether every operation must give the same bits each time
inline constexpr char kSetDeterminism[] = "_ZN3tsl19EnableOpDeterminismEb";

}  // namespace gpu_switches
