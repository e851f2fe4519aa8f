// Progress, cancellation and the thread loop shared by every long computation.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <new>
#include <thread>
#include <utility>
#include <vector>

namespace exactnet::base {

/// Watches one long call. The computation says `step()` often from any of its threads; the thread
/// that created the monitor then runs the callback at most every `interval`. The callback may throw
/// (a keyboard interrupt does): that ends the work in all threads.
class Monitor {
   public:
    /// Receives the finished share of the work, in [0, 1].
    using Callback = std::function<void(double)>;

    Monitor() : Monitor(nullptr) {}
    /// `no_memory`, if not null, is set by code that runs out of memory and cannot throw.
    explicit Monitor(Callback callback, const std::atomic<bool>* no_memory = nullptr)
        : callback_(std::move(callback)),
          no_memory_(no_memory),
          owner_(std::this_thread::get_id()) {}

    /// Starts the count anew for `total` steps.
    void begin(std::uint64_t total) {
        total_ = std::max<std::uint64_t>(total, 1);
        done_.store(0, std::memory_order_relaxed);
    }

    /// Counts `n` finished steps; 0 only gives the callback its turn. Throws `Cancelled` in a
    /// worker when the work was cancelled, std::bad_alloc when memory has run out, and whatever the
    /// callback throws in the owner.
    void step(std::uint64_t n = 1) {
        if (no_memory_ != nullptr && no_memory_->load(std::memory_order_relaxed)) {
            throw std::bad_alloc();
        }
        if (n != 0) done_.fetch_add(n, std::memory_order_relaxed);
        if (cancelled_.load(std::memory_order_relaxed)) throw Cancelled{};
        if (callback_ && std::this_thread::get_id() == owner_) poll();
    }

    struct Cancelled {};
    void cancel() noexcept { cancelled_.store(true, std::memory_order_relaxed); }

    static constexpr std::chrono::milliseconds interval{20};

   private:
    void poll() {
        const auto now = std::chrono::steady_clock::now();
        if (now < next_) return;
        callback_(static_cast<double>(done_.load(std::memory_order_relaxed)) /
                  static_cast<double>(total_));
        next_ = std::chrono::steady_clock::now() + interval;
    }

    Callback callback_;
    const std::atomic<bool>* no_memory_;
    std::thread::id owner_;
    std::uint64_t total_ = 1;
    std::atomic<std::uint64_t> done_{0};
    std::atomic<bool> cancelled_{false};
    std::chrono::steady_clock::time_point next_ = std::chrono::steady_clock::now() + interval;
};

/// `std::sort` that gives the monitor its turns; an exception leaves the range in some order.
template <class Iterator, class Less>
void sort(Iterator begin, Iterator end, Monitor& monitor, const Less& less) {
    std::uint32_t comparisons = 0;
    std::sort(begin, end, [&](const auto& a, const auto& b) {
        if (++comparisons % 1024 == 0) monitor.step(0);
        return less(a, b);
    });
}

/// Into how many tasks to split n units of work: a few per thread, so that threads end together.
inline std::size_t task_count(std::size_t n, std::size_t n_threads, std::size_t per_thread) {
    constexpr std::size_t most_threads = 1024;  // also keeps the product below from overflowing
    return n_threads <= 1 ? std::min<std::size_t>(n, 1)
                          : std::min(n, per_thread * std::min(n_threads, most_threads));
}

/// Calls `body(i)` for every i < n, on the calling thread and `n_threads - 1` further ones that
/// live only as long as this call. The first exception of any thread stops all and is rethrown.
template <class Body>
void parallel_for(std::size_t n, std::size_t n_threads, Monitor& monitor, const Body& body) {
    n_threads = std::min(n_threads, n);
    if (n_threads <= 1) {
        for (std::size_t i = 0; i < n; ++i) body(i);
        return;
    }
    std::atomic<std::size_t> next{0};
    std::mutex mutex;
    std::condition_variable finished;
    std::size_t running = n_threads - 1;
    std::exception_ptr error;
    const auto fail = [&](std::exception_ptr e) {
        const std::lock_guard lock(mutex);
        if (!error) error = std::move(e);
        monitor.cancel();
    };
    const auto run = [&] {
        try {
            for (std::size_t i = next++; i < n; i = next++) body(i);
        } catch (const Monitor::Cancelled&) {
            // Another thread failed first and has stored its error.
        } catch (...) {
            fail(std::current_exception());
        }
    };
    std::vector<std::thread> workers;
    workers.reserve(n_threads - 1);
    for (std::size_t k = 0; k + 1 < n_threads; ++k) {
        try {
            workers.emplace_back([&] {
                run();
                const std::lock_guard lock(mutex);
                --running;
                finished.notify_one();
            });
        } catch (const std::exception&) {  // no thread or no memory for one: go on with fewer
            const std::lock_guard lock(mutex);
            running -= n_threads - 1 - k;
            break;
        }
    }
    run();
    // The owner has run out of work; it still answers interrupts until the others are done.
    std::unique_lock lock(mutex);
    while (running > 0) {
        finished.wait_for(lock, Monitor::interval, [&] { return running == 0; });
        lock.unlock();
        try {
            monitor.step(0);
        } catch (const Monitor::Cancelled&) {
        } catch (...) {
            fail(std::current_exception());
        }
        lock.lock();
    }
    lock.unlock();
    for (auto& worker : workers) worker.join();
    if (error) std::rethrow_exception(error);
}

}  // namespace exactnet::base
