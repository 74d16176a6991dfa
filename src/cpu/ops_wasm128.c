/* The operations and attention kernels compiled for WebAssembly (wasm128): no code of its own. */
#include "cpu/simd/wasm128.h"

#include "cpu/ops_internal.h"
#include "tensor/half.h"

#include "cpu/ops/math.inc"
#include "cpu/ops/elementwise.inc"
#include "cpu/ops/rms_norm.inc"
#include "cpu/ops/rope.inc"
#include "cpu/ops/reduce.inc"
#include "cpu/ops/attention_tile.inc"
#include "cpu/ops/attention_q8_0.inc"
#include "cpu/ops/attention_softmax.inc"
#include "cpu/ops/kv_store.inc"
#include "cpu/ops/table.inc"
