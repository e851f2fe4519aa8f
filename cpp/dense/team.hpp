// Threads that work on one task together, in step.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
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

/// Chooses between one thread and all of them: measures some batches of each, takes the faster,
/// and looks again after many, for the load of the machine may change.
class Pace {
   public:
    /// For batches of so many multiply-adds; without a choice for one thread, or if `all`.
    Pace(std::size_t n_threads, std::size_t work, bool all) : all_(n_threads), threads_(all_) {
        if (n_threads == 1 || all) return;
        constexpr std::size_t enough = std::size_t{1} << 26;  // some milliseconds
        n_measured_ = std::clamp<std::size_t>(enough / std::max<std::size_t>(work, 1), 1, most);
        begin(1, n_measured_ + 1);
    }

    std::size_t threads() const noexcept { return threads_; }

    /// Batches before their number may change.
    std::size_t batches() const noexcept { return left_; }

    /// Ends a batch.
    void done() noexcept {
        if (n_measured_ == 0) return;
        --left_;
        if (!settled_) {
            const auto now = Clock::now();
            if (left_ < n_measured_) times_[left_] = now - last_;  // the first finds cold caches
            last_ = now;
        }
        if (left_ != 0) return;
        if (settled_) return begin(1, n_measured_ + 1);
        const auto first = times_.begin();
        const auto middle = first + static_cast<std::ptrdiff_t>(n_measured_ / 2);
        std::nth_element(first, middle, first + static_cast<std::ptrdiff_t>(n_measured_));
        if (threads_ == 1) {
            one_ = *middle;
            return begin(all_, n_measured_ + 1);
        }
        settled_ = true;
        threads_ = *middle < one_ ? all_ : 1;
        left_ = pause_;
        pause_ *= 2;
    }

   private:
    using Clock = std::chrono::steady_clock;
    static constexpr std::size_t most = 7;

    void begin(std::size_t threads, std::size_t batches) noexcept {
        settled_ = false;
        threads_ = threads;
        left_ = batches;
    }

    std::size_t all_, threads_;
    std::size_t n_measured_ = 0;  // batches of a kind; 0 where there is no choice
    std::size_t left_ = SIZE_MAX;
    std::size_t pause_ = 4096;  // batches between two measurements
    bool settled_ = false;
    Clock::time_point last_;
    std::array<Clock::duration, most> times_{};
    Clock::duration one_{};
};

}  // namespace exactnet::dense
