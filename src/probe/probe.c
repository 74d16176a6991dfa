/* Owns smidgen_probe_json: the machine as one JSON text. Says what is, measures nothing. */
#include "probe/probe.h"

#include "base/thread.h"
#include "cpu/isa.h"
#include "probe/json_out.h"
#include "smidgen.h"

#include <string.h>

static void write_flags(json_out *o, const char *flags)
{
    json_out_open(o, "flags", '[');
    while (*flags != 0) {
        size_t length = strcspn(flags, " ");
        if (length != 0) {
            json_out_string(o, NULL, flags, length);
        }
        flags += length;
        flags += *flags == ' ';
    }
    json_out_close(o, ']');
}

static void write_kernel_sets(json_out *o)
{
    static const cpu_isa all[] = {CPU_ISA_SCALAR, CPU_ISA_AVX2,    CPU_ISA_AVX512,
                                  CPU_ISA_NEON,   CPU_ISA_WASM128, CPU_ISA_RELAXED};
    json_out_text(o, "kernel_set", cpu_isa_name(cpu_isa_choose()));
    json_out_open(o, "kernel_sets", '[');
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (cpu_isa_supported(all[i])) {
            json_out_text(o, NULL, cpu_isa_name(all[i]));
        }
    }
    json_out_close(o, ']');
}

size_t smidgen_probe_json(char *text, size_t capacity)
{
    probe_machine m;
    memset(&m, 0, sizeof m);
    probe_machine_read(&m);
    json_out o = json_out_begin(text, capacity);
    json_out_open(&o, NULL, '{');
    json_out_text(&o, "smidgen", smidgen_version());
    json_out_open(&o, "cpu", '{');
    json_out_text(&o, "model", m.cpu_model);
    json_out_text(&o, "architecture", m.architecture);
    json_out_integer(&o, "cores", thread_core_count());
    json_out_integer(&o, "cpus_usable", m.cpus_usable);
    json_out_integer(&o, "cpus_online", m.cpus_online);
    write_flags(&o, m.cpu_flags);
    write_kernel_sets(&o);
    json_out_open(&o, "cache_bytes", '{');
    json_out_unsigned(&o, "l1d", m.cache_bytes[1]);
    json_out_unsigned(&o, "l2", m.cache_bytes[2]);
    json_out_unsigned(&o, "l3", m.cache_bytes[3]);
    json_out_close(&o, '}');
    json_out_close(&o, '}');
    json_out_open(&o, "memory", '{');
    json_out_unsigned(&o, "total_bytes", m.memory_total_bytes);
    json_out_unsigned(&o, "available_bytes", m.memory_available_bytes);
    json_out_unsigned(&o, "limit_bytes", m.memory_limit_bytes);
    json_out_close(&o, '}');
    json_out_text(&o, "os", m.os);
    json_out_close(&o, '}');
    return o.size_bytes;
}
