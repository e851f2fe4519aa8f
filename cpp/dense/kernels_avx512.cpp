#define EXACTNET_ISA_NAMESPACE avx512
#define EXACTNET_ISA_NAME "avx512"
#define EXACTNET_VECTOR_BYTES 64
#define EXACTNET_MAX_ROWS 12
#include "kernels.inl"
