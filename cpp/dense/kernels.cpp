#include "kernels.hpp"

#include <stdexcept>

namespace exactnet::dense {

#define EXACTNET_DECLARE_ISA(isa)              \
    namespace isa {                            \
    const Kernels<float>& single_precision();  \
    const Kernels<double>& double_precision(); \
    }
#if defined(__x86_64__)
EXACTNET_DECLARE_ISA(avx512)
EXACTNET_DECLARE_ISA(avx2)
EXACTNET_DECLARE_ISA(baseline)
#elif defined(__aarch64__)
EXACTNET_DECLARE_ISA(neon)
#else
EXACTNET_DECLARE_ISA(baseline)
#endif
#undef EXACTNET_DECLARE_ISA

namespace {

struct Target {
    const char* name;
    bool supported;
    const Kernels<float>& (*single_precision)();
    const Kernels<double>& (*double_precision)();
};

/// Fastest first.
const std::vector<Target>& targets() {
    static const std::vector<Target> all = [] {
        std::vector<Target> list;
#if defined(__x86_64__)
        __builtin_cpu_init();
        const bool fma = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
        const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                          __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
        list.push_back({"avx512", fma && wide, avx512::single_precision, avx512::double_precision});
        list.push_back({"avx2", fma, avx2::single_precision, avx2::double_precision});
#endif
#if defined(__aarch64__)
        list.push_back({"neon", true, neon::single_precision, neon::double_precision});
#else
        list.push_back({"baseline", true, baseline::single_precision, baseline::double_precision});
#endif
        return list;
    }();
    return all;
}

const Target& find(const std::string& isa) {
    for (const Target& target : targets()) {
        if (target.supported && (isa.empty() || isa == target.name)) return target;
    }
    std::string known;
    for (const std::string& name : supported_isas()) known += (known.empty() ? "" : ", ") + name;
    throw std::invalid_argument("EXACTNET_ISA is '" + isa + "'; this processor supports " + known);
}

}  // namespace

std::vector<std::string> supported_isas() {
    std::vector<std::string> names;
    for (const Target& target : targets()) {
        if (target.supported) names.emplace_back(target.name);
    }
    return names;
}

template <>
const Kernels<float>& kernels<float>(const std::string& isa) {
    return find(isa).single_precision();
}

template <>
const Kernels<double>& kernels<double>(const std::string& isa) {
    return find(isa).double_precision();
}

}  // namespace exactnet::dense
