#include "product.hpp"

namespace exactnet::exact {

#define EXACTNET_DECLARE_ISA(isa)                                                           \
    namespace isa {                                                                         \
    void add_product(const SparseRows& inputs, const double* values, const double* weights, \
                     std::size_t weight_stride, std::size_t n_panels, double* sums,         \
                     std::size_t sum_stride);                                               \
    }
EXACTNET_DECLARE_ISA(baseline)
#if defined(__x86_64__)
EXACTNET_DECLARE_ISA(avx2)
EXACTNET_DECLARE_ISA(avx512)
#endif
#undef EXACTNET_DECLARE_ISA

std::vector<AddProduct> products() {
    std::vector<AddProduct> all{baseline::add_product};
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        all.push_back(avx2::add_product);
        if (__builtin_cpu_supports("avx512f")) all.push_back(avx512::add_product);
    }
#endif
    return all;
}

}  // namespace exactnet::exact
