#define EXACTNET_ISA_NAMESPACE baseline
#define EXACTNET_ISA_NAME "baseline"
#define EXACTNET_VECTOR_BYTES 16
#define EXACTNET_MAX_ROWS 3
#include "kernels.inl"
