// Random samples with many zeros, for tests of what keeps or skips them.
#pragma once

#include <cstddef>
#include <vector>

#include "dense/random.hpp"

namespace exactnet::dense {

/// Rows of X of which a share of about 1/5 is not 0.
template <class T>
std::vector<T> sparse_rows(Generator& generator, std::size_t m, std::size_t n) {
    std::vector<T> x(m * n);
    for (T& value : x) {
        if (generator.below(5) == 0) value = static_cast<T>(generator.symmetric());
    }
    return x;
}

}  // namespace exactnet::dense
