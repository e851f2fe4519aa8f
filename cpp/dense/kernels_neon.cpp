#define EXACTNET_ISA_NAMESPACE neon
#define EXACTNET_ISA_NAME "neon"
#define EXACTNET_VECTOR_BYTES 16
#define EXACTNET_MAX_ROWS 6
#include "kernels.inl"
