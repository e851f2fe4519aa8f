#define EXACTNET_ISA_NAMESPACE baseline
#define EXACTNET_VECTOR_BYTES 16
#include "product.inl"
