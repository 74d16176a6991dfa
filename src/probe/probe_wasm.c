/* Fills probe_machine inside WebAssembly: only what the module itself can know. Cores, memory of the device
 * and the browser's name are the host's to add (web/src/probe.ts). */
#include "probe/probe.h"

#include <string.h>

#include "base/thread.h"
#include "cpu/isa.h"

enum { PAGE_BYTES = 65536 };

static void copy(char *to, size_t capacity, const char *text)
{
    size_t size = strlen(text);
    size = size < capacity ? size : capacity - 1;
    memcpy(to, text, size);
    to[size] = 0;
}

void probe_machine_read(probe_machine *m)
{
    copy(m->cpu_model, sizeof m->cpu_model, "WebAssembly");
    copy(m->cpu_flags, sizeof m->cpu_flags, cpu_isa_name(cpu_isa_choose()));
    copy(m->os, sizeof m->os, "unknown");
    copy(m->architecture, sizeof m->architecture, "wasm32");
    m->cpus_online = m->cpus_usable = (int32_t)thread_core_count();
    m->memory_total_bytes = (uint64_t)__builtin_wasm_memory_size(0) * PAGE_BYTES;
    m->memory_limit_bytes = (uint64_t)UINT32_MAX + 1;
}
