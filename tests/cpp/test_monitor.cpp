#include <atomic>
#include <chrono>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/monitor.hpp"
#include "check.hpp"

using namespace exactnet::base;

TEST(every_index_is_visited_once) {
    for (const std::size_t n_threads : {0U, 1U, 2U, 5U}) {
        Monitor monitor;
        std::vector<std::atomic<int>> visits(100);
        parallel_for(visits.size(), n_threads, monitor, [&](std::size_t i) { ++visits[i]; });
        for (const auto& count : visits) CHECK(count == 1);
    }
}

TEST(the_callback_runs_on_the_owner_and_rarely) {
    const auto owner = std::this_thread::get_id();
    int calls = 0;
    double last = 0;
    Monitor monitor([&](double share) {
        CHECK(std::this_thread::get_id() == owner);
        CHECK(share >= last && share <= 1);
        last = share;
        ++calls;
    });
    const auto start = std::chrono::steady_clock::now();
    monitor.begin(400'000);
    parallel_for(400, 3, monitor, [&](std::size_t) {
        for (int k = 0; k < 1000; ++k) monitor.step();
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    });
    const auto elapsed = std::chrono::steady_clock::now() - start;
    CHECK(calls > 0);
    CHECK(calls <= elapsed / Monitor::interval + 1);
}

TEST(an_exception_of_any_thread_ends_all) {
    for (const std::size_t bad : {0U, 7U, 199U}) {
        Monitor monitor;
        std::atomic<int> finished{0};
        CHECK_THROWS(parallel_for(200, 4, monitor,
                                  [&](std::size_t i) {
                                      if (i == bad) throw std::domain_error("bad");
                                      for (int k = 0; k < 100; ++k) {
                                          monitor.step();
                                          std::this_thread::sleep_for(std::chrono::microseconds(5));
                                      }
                                      ++finished;
                                  }),
                     std::domain_error);
        CHECK(finished < 200);
    }
}

TEST(a_callback_that_throws_ends_the_work_of_others) {
    Monitor monitor([](double) { throw std::runtime_error("interrupt"); });
    CHECK_THROWS(parallel_for(2, 2, monitor,
                              [&](std::size_t) {
                                  for (;;) monitor.step();  // only the exception ends this
                              }),
                 std::runtime_error);
}

TEST(the_owner_answers_while_it_waits) {
    // The owner's own share is done at once; the worker goes on until it is cancelled.
    std::atomic<bool> owner_done{false}, worker_runs{false};
    const auto owner = std::this_thread::get_id();
    Monitor monitor([&](double) {
        if (owner_done) throw std::runtime_error("interrupt");
    });
    CHECK_THROWS(parallel_for(2, 2, monitor,
                              [&](std::size_t) {
                                  if (std::this_thread::get_id() == owner) {
                                      while (!worker_runs) std::this_thread::yield();
                                      owner_done = true;
                                      return;
                                  }
                                  worker_runs = true;
                                  for (;;) monitor.step();
                              }),
                 std::runtime_error);
}

TEST(the_end_of_memory_ends_the_work_of_all) {
    std::atomic<bool> no_memory{false};
    Monitor monitor(nullptr, &no_memory);
    monitor.step();
    CHECK_THROWS(parallel_for(2, 2, monitor,
                              [&](std::size_t i) {
                                  if (i == 1) no_memory = true;
                                  for (;;) monitor.step();
                              }),
                 std::bad_alloc);
}

TEST(sorting_can_be_interrupted) {
    std::vector<int> values(200'000);
    std::iota(values.rbegin(), values.rend(), 0);
    Monitor patient;
    sort(values.begin(), values.end(), patient, std::less<>());
    CHECK(std::is_sorted(values.begin(), values.end()));
    Monitor monitor([](double) { throw std::runtime_error("interrupt"); });
    const auto slow = [](int a, int b) {
        volatile int work = 0;
        for (int k = 0; k < 100; ++k) work = work + k;
        return a > b;
    };
    CHECK_THROWS(sort(values.begin(), values.end(), monitor, slow), std::runtime_error);
}
