#define EXACTNET_ISA_NAMESPACE avx2
#define EXACTNET_VECTOR_BYTES 32
#include "product.inl"
