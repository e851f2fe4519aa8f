#include "memory.hpp"

#include <gmp.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>

namespace exactnet::exact::memory {

namespace detail {
std::atomic<bool> exhausted{false};
}

namespace {

// The reserve holds so many of the largest number seen: an operation takes about ten of it, between
// two checks there are few, and several threads may be in one.
constexpr std::size_t numbers = 16;
constexpr std::size_t least_reserve = std::size_t{16} << 20;

/// A heap in one piece of memory: free blocks in order of their addresses, the first that is large
/// enough is taken. Pages are not touched, and so take no memory, before they are needed.
class Reserve {
   public:
    Reserve(void* begin, std::size_t size)
        : begin_(static_cast<char*>(begin)), size_(size), free_bytes_(size) {
        free_ = new (begin) Block{size, nullptr};
    }

    bool owns(const void* p) const noexcept {
        const auto at = reinterpret_cast<std::uintptr_t>(p);
        const auto begin = reinterpret_cast<std::uintptr_t>(begin_);
        return at - begin < size_;
    }
    bool unused() const noexcept { return free_bytes_ == size_; }
    std::size_t size() const noexcept { return size_; }
    std::size_t free_bytes() const noexcept { return free_bytes_; }
    void* begin() const noexcept { return begin_; }

    void* take(std::size_t bytes) noexcept {
        if (bytes > size_) return nullptr;
        const std::size_t needed = (bytes + 2 * sizeof(Block) - 1) / sizeof(Block) * sizeof(Block);
        for (Block** link = &free_; *link != nullptr; link = &(*link)->next) {
            Block* block = *link;
            if (block->size < needed) continue;
            if (block->size == needed) {
                *link = block->next;
            } else {
                *link = new (after(block, needed)) Block{block->size - needed, block->next};
                block->size = needed;
            }
            free_bytes_ -= needed;
            return block + 1;
        }
        return nullptr;
    }

    void give_back(void* p) noexcept {
        Block* block = static_cast<Block*>(p) - 1;
        free_bytes_ += block->size;
        Block* before = nullptr;
        Block* next = free_;
        for (; next != nullptr && next < block; next = next->next) before = next;
        block->next = next;
        if (before == nullptr) {
            free_ = block;
        } else {
            before->next = block;
        }
        merge(block);
        if (before != nullptr) merge(before);
    }

    static std::size_t payload(const void* p) noexcept {
        return (static_cast<const Block*>(p) - 1)->size - sizeof(Block);
    }

   private:
    struct alignas(16) Block {
        std::size_t size;  // with this header
        Block* next;
    };

    static Block* after(Block* block, std::size_t size) noexcept {
        return reinterpret_cast<Block*>(reinterpret_cast<char*>(block) + size);
    }
    static void merge(Block* block) noexcept {
        if (block->next == nullptr || after(block, block->size) != block->next) return;
        block->size += block->next->size;
        block->next = block->next->next;
    }

    char* begin_;
    std::size_t size_;
    std::size_t free_bytes_;
    Block* free_;
};

std::mutex mutex;  // of all that follows; `reserve` and `most` may be read without
std::atomic<Reserve*> reserve{nullptr};
std::atomic<std::size_t> most{0};  // the largest number that the reserve is made for

/// Makes the reserve large enough for numbers of `bytes`; false if it cannot be had.
bool grow(std::size_t bytes) {
    Reserve* old = reserve.load();
    // Twice of what is needed, so that growing numbers do not come here with every limb.
    if (bytes > SIZE_MAX / (4 * numbers)) return false;
    const std::size_t size = std::max(least_reserve, 2 * numbers * bytes);
    if (old != nullptr && !old->unused()) return false;
    void* begin = std::malloc(size);
    if (begin == nullptr) return false;
    Reserve* made = new (std::nothrow) Reserve(begin, size);
    if (made == nullptr) {
        std::free(begin);
        return false;
    }
    reserve.store(made);
    most.store(size / numbers);
    // No number is in the old one. The object stays, for a thread may be about to ask it.
    if (old != nullptr) std::free(old->begin());
    return true;
}

void note(std::size_t bytes) {
    if (bytes <= most.load(std::memory_order_relaxed)) return;
    const std::lock_guard lock(mutex);
    if (detail::exhausted.load() || bytes <= most.load()) return;
    if (!grow(bytes)) detail::exhausted.store(true);
}

void* from_reserve(std::size_t bytes) {
    const std::lock_guard lock(mutex);
    detail::exhausted.store(true);
    Reserve* from = reserve.load();
    void* p = from == nullptr ? nullptr : from->take(bytes);
    if (p != nullptr) return p;
    std::fprintf(stderr, "exactnet: no memory for a number of %zu bytes, not even in reserve\n",
                 bytes);
    std::abort();
}

bool in_reserve(const void* p) {
    const Reserve* r = reserve.load(std::memory_order_acquire);
    return r != nullptr && r->owns(p);
}

void* allocate(std::size_t bytes) {
    note(bytes);
    void* p = std::malloc(bytes);
    return p != nullptr ? p : from_reserve(bytes);
}

void release(void* p, std::size_t) {
    if (!in_reserve(p)) {
        std::free(p);
        return;
    }
    const std::lock_guard lock(mutex);
    reserve.load()->give_back(p);
}

void* reallocate(void* old, std::size_t old_bytes, std::size_t bytes) {
    note(bytes);
    const bool reserved = in_reserve(old);
    void* p = reserved ? std::malloc(bytes) : std::realloc(old, bytes);
    if (p != nullptr && !reserved) return p;
    if (p == nullptr) p = from_reserve(bytes);
    if (reserved) old_bytes = Reserve::payload(old);
    std::memcpy(p, old, std::min(old_bytes, bytes));
    release(old, old_bytes);
    return p;
}

using Allocate = void* (*)(std::size_t);
using Reallocate = void* (*)(void*, std::size_t, std::size_t);
using Release = void (*)(void*, std::size_t);

}  // namespace

void install() {
    Allocate a, own_a;
    Reallocate r, own_r;
    Release f, own_f;
    mp_get_memory_functions(&a, &r, &f);
    mp_set_memory_functions(nullptr, nullptr, nullptr);  // GMP's own, which call malloc
    mp_get_memory_functions(&own_a, &own_r, &own_f);
    if (a != own_a || r != own_r || f != own_f) {
        mp_set_memory_functions(a, r, f);
        return;
    }
    const std::lock_guard lock(mutex);
    if (grow(0)) mp_set_memory_functions(allocate, reallocate, release);
}

void renew() {
    if (!detail::exhausted.load(std::memory_order_relaxed)) return;
    const std::lock_guard lock(mutex);
    const Reserve* r = reserve.load();
    // gmpy2 keeps some numbers for later use, and so does who caught the error.
    if (r->free_bytes() < r->size() / 4 * 3) throw std::bad_alloc();
    detail::exhausted.store(false);
}

void expect(std::size_t bytes) {
    if (reserve.load(std::memory_order_relaxed) != nullptr) note(bytes);
    check();
}

}  // namespace exactnet::exact::memory
