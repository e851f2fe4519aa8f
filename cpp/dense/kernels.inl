// Included once per instruction set by kernels_*.cpp, which define EXACTNET_ISA_NAMESPACE,
// EXACTNET_ISA_NAME, EXACTNET_VECTOR_BYTES and EXACTNET_MAX_ROWS.

#include "kernels.hpp"
#include "kernels/activation.inl"
#include "kernels/narrow.inl"
#include "kernels/product.inl"
#include "kernels/small.inl"
#include "kernels/sparse.inl"
#include "kernels/step.inl"
#include "kernels/transpose.inl"
#include "kernels/vector.inl"

namespace exactnet::dense::EXACTNET_ISA_NAMESPACE {
namespace {

template <class T>
constexpr Kernels<T> table{EXACTNET_ISA_NAME, width<T>,          list_rows,
                           product<T>,        update<T>,         sparse_product<T>,
                           list_columns<T>,   listed_product<T>, sparse_update<T>,
                           penalize<T>,       optimize<T>,       transpose<T>,
                           activate<T>,       softmax<T>,        multiply_derivative<T>,
                           dot_rows<T>,       narrow_product<T>, narrow_update<T>,
                           small_pass<T>,     small_update<T>};

}  // namespace

const Kernels<float>& single_precision() { return table<float>; }
const Kernels<double>& double_precision() { return table<double>; }

}  // namespace exactnet::dense::EXACTNET_ISA_NAMESPACE
