#include "base/splitmix64.hpp"
#include "check.hpp"

using namespace exactnet::base;

TEST(the_published_numbers) {
    // the first outputs for the state 1234567
    SplitMix64 generator(1234567);
    CHECK(generator.next() == 6457827717110365317ULL);
    CHECK(generator.next() == 3203168211198807973ULL);
    CHECK(generator.next() == 9817491932198370423ULL);
    SplitMix64 resumed(generator.state());
    CHECK(resumed.next() == generator.next());
}
