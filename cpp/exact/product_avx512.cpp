#define EXACTNET_ISA_NAMESPACE avx512
#define EXACTNET_VECTOR_BYTES 64
#include "product.inl"
