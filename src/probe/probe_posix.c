/* Fills probe_machine from a POSIX system: sysconf and uname everywhere, /proc and /sys where they exist
 * (Linux). A file that is missing or malformed leaves its field unknown; nothing here can fail. */
#include "probe/probe.h"

#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { FILE_LIMIT_BYTES = 16384 };

/* First FILE_LIMIT_BYTES - 1 bytes of a small system file, terminated; false when it cannot be read. */
static bool read_small(const char *path, char text[FILE_LIMIT_BYTES])
{
    size_t size = 0;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    text[0] = 0;
    if (descriptor < 0) {
        return false;
    }
    while (size < FILE_LIMIT_BYTES - 1) {
        ssize_t got = read(descriptor, text + size, FILE_LIMIT_BYTES - 1 - size);
        if (got <= 0) {
            break;
        }
        size += (size_t)got;
    }
    text[size] = 0;
    close(descriptor);
    return size != 0;
}

/* Value of the line "key<blanks>: value" in `text`, copied to out; false when there is none. */
static bool find_line(const char *text, const char *key, char *out, size_t capacity)
{
    size_t key_bytes = strlen(key);
    for (const char *line = text; line != NULL && *line != 0;) {
        const char *end = strchr(line, '\n');
        size_t length = end != NULL ? (size_t)(end - line) : strlen(line);
        const char *colon = memchr(line, ':', length);
        if (colon != NULL && strncmp(line, key, key_bytes) == 0 && strchr(" \t:", line[key_bytes]) != NULL) {
            const char *value = colon + 1 + strspn(colon + 1, " \t");
            size_t size = value < line + length ? (size_t)(line + length - value) : 0;
            size = size < capacity ? size : capacity - 1;
            memcpy(out, value, size);
            out[size] = 0;
            return size != 0;
        }
        line = end != NULL ? end + 1 : NULL;
    }
    return false;
}

/* The kernel lists what the processor has and the system lets programs use. */
static void pick_flags(const char *all, char *out, size_t capacity)
{
    static const char *const wanted[] = {
        "sse4_2",   "avx",      "f16c",     "fma",         "avx2",        "avx_vnni",    "avx512f",
        "avx512bw", "avx512vl", "avx512dq", "avx512_vnni", "avx512_bf16", "avx512_fp16", "avx512_vbmi",
        "amx_tile", "amx_int8", "amx_bf16", "asimd",       "asimddp",     "asimdhp",     "fphp",
        "i8mm",     "bf16",     "sve",      "sve2",        "sme"};
    size_t used = 0;
    out[0] = 0;
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        size_t length = strlen(wanted[i]);
        for (const char *at = strstr(all, wanted[i]); at != NULL; at = strstr(at + 1, wanted[i])) {
            bool whole = (at == all || at[-1] == ' ') && (at[length] == ' ' || at[length] == 0);
            if (whole && used + length + 2 <= capacity) {
                used += (size_t)snprintf(out + used, capacity - used, used == 0 ? "%s" : " %s", wanted[i]);
                break;
            }
        }
    }
}

static void read_cpu(probe_machine *m)
{
    char text[FILE_LIMIT_BYTES], flags[8192];
    snprintf(m->cpu_model, sizeof m->cpu_model, "unknown");
    if (!read_small("/proc/cpuinfo", text)) {
        return;
    }
    if (!find_line(text, "model name", m->cpu_model, sizeof m->cpu_model)) {
        find_line(text, "CPU implementer", m->cpu_model, sizeof m->cpu_model);
    }
    if (find_line(text, "flags", flags, sizeof flags) || find_line(text, "Features", flags, sizeof flags)) {
        pick_flags(flags, m->cpu_flags, sizeof m->cpu_flags);
    }
}

static void read_caches(probe_machine *m)
{
    for (int index = 0; index < 8; index++) {
        char path[96], level[FILE_LIMIT_BYTES], type[FILE_LIMIT_BYTES], size[FILE_LIMIT_BYTES];
        const char *folder = "/sys/devices/system/cpu/cpu0/cache/index";
        snprintf(path, sizeof path, "%s%d/level", folder, index);
        bool found = read_small(path, level);
        snprintf(path, sizeof path, "%s%d/type", folder, index);
        found = found && read_small(path, type);
        snprintf(path, sizeof path, "%s%d/size", folder, index);
        if (!found || !read_small(path, size)) {
            continue;
        }
        if (level[0] >= '1' && level[0] <= '3' && type[0] != 'I') {
            char *unit = size;
            uint64_t bytes = strtoull(size, &unit, 10);
            bytes *= *unit == 'K' ? 1024u : *unit == 'M' ? 1048576u : 1u;
            m->cache_bytes[level[0] - '0'] = bytes;
        }
    }
}

static uint64_t meminfo_bytes(const char *text, const char *key)
{
    char value[64];
    return find_line(text, key, value, sizeof value) ? strtoull(value, NULL, 10) * 1024u : 0;
}

static void read_memory(probe_machine *m)
{
    char text[FILE_LIMIT_BYTES];
    long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    m->memory_total_bytes = pages > 0 && page_bytes > 0 ? (uint64_t)pages * (uint64_t)page_bytes : 0;
    if (read_small("/proc/meminfo", text)) {
        uint64_t total = meminfo_bytes(text, "MemTotal");
        m->memory_total_bytes = total != 0 ? total : m->memory_total_bytes;
        m->memory_available_bytes = meminfo_bytes(text, "MemAvailable");
    }
    if (read_small("/sys/fs/cgroup/memory.max", text) && text[0] >= '0' && text[0] <= '9') {
        m->memory_limit_bytes = strtoull(text, NULL, 10);
    }
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
        bool smaller = m->memory_limit_bytes == 0 || limit.rlim_cur < m->memory_limit_bytes;
        m->memory_limit_bytes = smaller ? (uint64_t)limit.rlim_cur : m->memory_limit_bytes;
    }
}

#if defined(__linux__)
static int32_t affinity_count(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? (int32_t)CPU_COUNT(&set) : 0;
}
#else
static int32_t affinity_count(void)
{
    return 0;
}
#endif

void probe_machine_read(probe_machine *m)
{
    struct utsname names;
    read_cpu(m);
    read_caches(m);
    read_memory(m);
    m->cpus_online = (int32_t)sysconf(_SC_NPROCESSORS_ONLN);
    m->cpus_usable = affinity_count();
    if (m->cpus_usable <= 0) {
        m->cpus_usable = m->cpus_online;
    }
    snprintf(m->os, sizeof m->os, "unknown");
    snprintf(m->architecture, sizeof m->architecture, "unknown");
    if (uname(&names) == 0) {
        snprintf(m->os, sizeof m->os, "%.31s %.31s", names.sysname, names.release);
        snprintf(m->architecture, sizeof m->architecture, "%.31s", names.machine);
    }
}
