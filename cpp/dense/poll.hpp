// How long computations let their caller in, who may end them.
#pragma once

#include <cstddef>
#include <functional>

namespace exactnet::dense {

/// Counts the work of one thread and calls `call` after about every `unit` of it. What the call
/// throws ends the work.
class Poll {
   public:
    using Call = std::function<void()>;
    /// Multiply-adds, or as many numbers touched: milliseconds on any processor.
    static constexpr std::size_t unit = std::size_t{1} << 24;

    /// Of work that is short, or must not be ended.
    Poll() = default;
    explicit Poll(const Call& call) : call_(&call) {}

    void done(std::size_t work) {
        work_ += work;
        if (work_ < unit) return;
        work_ = 0;
        if (call_ != nullptr) (*call_)();
    }

   private:
    const Call* call_ = nullptr;
    std::size_t work_ = 0;
};

}  // namespace exactnet::dense
