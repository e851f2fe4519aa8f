#include <atomic>
#include <chrono>
#include <cstddef>
#include <set>
#include <thread>
#include <vector>

#include "check.hpp"
#include "dense/team.hpp"

using namespace exactnet::dense;

TEST(a_pace_takes_what_is_faster) {
    using std::chrono::milliseconds;
    for (const bool all : {false, true}) {
        Pace pace(3, std::size_t{1} << 23, false);
        std::set<std::size_t> tried;
        for (int batch = 0; batch < 20; ++batch) {
            CHECK(pace.batches() > 0);
            tried.insert(pace.threads());
            std::this_thread::sleep_for(milliseconds((pace.threads() == 3) == all ? 1 : 20));
            pace.done();
        }
        CHECK((tried == std::set<std::size_t>{1, 3}));
        CHECK(pace.threads() == (all ? 3 : 1));
        while (pace.batches() > 1) pace.done();
        pace.done();
        CHECK(pace.threads() == 1);  // it looks again
        CHECK(pace.batches() < 10);
    }
    Pace one(1, 1, false), all(3, 1, true);
    for (int batch = 0; batch < 100; ++batch) {
        one.done();
        all.done();
    }
    CHECK(one.threads() == 1);
    CHECK(all.threads() == 3);
}

TEST(teams_keep_step) {
    Team team(4);
    std::vector<int> counts(4);
    for (int call = 0; call < 200; ++call) {
        std::atomic<bool> in_step{true};
        team.run([&](std::size_t t) {
            for (int k = 0; k < 20; ++k) {
                ++counts[t];
                team.barrier();
                for (const int count : counts) {
                    if (count != counts[t]) in_step = false;
                }
                team.barrier();
            }
        });
        CHECK(in_step);
    }
    for (const int count : counts) CHECK(count == 4000);
}
