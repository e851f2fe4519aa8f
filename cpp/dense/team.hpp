// Threads that work on one task together, in step.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace exactnet::dense {

/// `size` threads, the caller's among them; the others sleep between calls of `run`.
class Team {
   public:
    explicit Team(std::size_t size) : size_(size) {
        try {
            for (std::size_t t = 1; t < size; ++t) {
                threads_.emplace_back([this, t] { work(t); });
            }
        } catch (...) {
            stop();
            throw;
        }
    }
    ~Team() { stop(); }
    Team(const Team&) = delete;
    Team& operator=(const Team&) = delete;

    std::size_t size() const noexcept { return size_; }

    /// Calls task(t) for t < size, each in its own thread, and returns when all have ended. The
    /// task must not throw.
    void run(const std::function<void(std::size_t)>& task) {
        if (size_ > 1) {
            task_ = &task;
            calls_.fetch_add(1, std::memory_order_release);
            calls_.notify_all();
        }
        task(0);
        barrier();
    }

    /// Waits within a task until all threads are here. What they wrote before, all see afterwards.
    /// If that takes long, calls `idle` meanwhile, which must not throw.
    template <class Idle>
    void barrier(const Idle& idle) noexcept {
        if (size_ == 1) return;
        const std::uint32_t round = rounds_.load(std::memory_order_acquire);
        if (waiting_.fetch_add(1, std::memory_order_acq_rel) + 1 == size_) {
            waiting_.store(0, std::memory_order_relaxed);
            rounds_.store(round + 1, std::memory_order_release);
            return;
        }
        // Batches are short, so the others come soon; if they have no processor, give them this
        // one.
        for (int spins = 0; rounds_.load(std::memory_order_acquire) == round; ++spins) {
            if (spins < 2000) {
#if defined(__x86_64__)
                _mm_pause();
#endif
            } else {
                idle();
                std::this_thread::yield();
            }
        }
    }
    void barrier() noexcept {
        barrier([] {});
    }

   private:
    void work(std::size_t t) {
        for (std::uint32_t seen = 0;;) {
            calls_.wait(seen, std::memory_order_acquire);
            seen = calls_.load(std::memory_order_acquire);
            if (stopped_.load(std::memory_order_acquire)) return;
            (*task_)(t);
            barrier();
        }
    }

    void stop() noexcept {
        stopped_.store(true, std::memory_order_release);
        calls_.fetch_add(1, std::memory_order_release);
        calls_.notify_all();
        for (std::thread& thread : threads_) thread.join();
    }

    std::size_t size_;
    std::vector<std::thread> threads_;
    const std::function<void(std::size_t)>* task_ = nullptr;
    std::atomic<std::uint32_t> calls_{0};
    std::atomic<bool> stopped_{false};
    alignas(64) std::atomic<std::size_t> waiting_{0};
    alignas(64) std::atomic<std::uint32_t> rounds_{0};
};

}  // namespace exactnet::dense
