#define EXACTNET_ISA_NAMESPACE avx2
#define EXACTNET_ISA_NAME "avx2"
#define EXACTNET_VECTOR_BYTES 32
#define EXACTNET_MAX_ROWS 6
#include "kernels.inl"
