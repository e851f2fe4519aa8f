// What happens when memory runs out inside GMP.
//
// GMP has no way to report that: its functions must get what they ask for, or the process ends. An
// exception thrown through them would skip what they have yet to free, and may leave numbers that
// point to freed memory (mpz_mul frees its old result before it allocates the new one). So there is
// a reserve: when malloc fails, GMP gets its memory from there, finishes what it is at, and the
// error is raised between two operations, where `check` is called or a monitor's step.
#pragma once

#include <atomic>
#include <cstddef>
#include <new>

namespace exactnet::exact::memory {

namespace detail {
extern std::atomic<bool> exhausted;
}

/// Lets GMP take its memory from here. Does nothing if someone has replaced GMP's own functions.
/// What they have allocated is freed as before, and what is allocated here comes from malloc unless
/// that fails: gmpy2, which often shares the library, sees no difference before memory runs out.
void install();

/// Whether memory has run out: an operation has used the reserve, or the reserve could not be made
/// as large as the numbers need it.
inline const std::atomic<bool>& exhausted() { return detail::exhausted; }

/// Throws std::bad_alloc if memory has run out.
inline void check() {
    if (exhausted().load(std::memory_order_relaxed)) throw std::bad_alloc();
}

/// Before a new call: forgets that memory ran out if the reserve is free again; throws if not.
void renew();

/// Throws unless a number of so many bytes, and operations with it, are within the reserve.
void expect(std::size_t bytes);

}  // namespace exactnet::exact::memory
