// The few lines of a test framework that the C++ tests need, so that they build anywhere.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace check {

struct Test {
    std::string name;
    std::function<void()> body;
};

inline std::vector<Test>& tests() {
    static std::vector<Test> all;
    return all;
}

inline int& failures() {
    static int count = 0;
    return count;
}

struct Registration {
    Registration(std::string name, std::function<void()> body) {
        tests().push_back({std::move(name), std::move(body)});
    }
};

inline int run_all() {
    for (const Test& test : tests()) {
        const int before = failures();
        test.body();
        std::printf("%s %s\n", failures() == before ? "ok    " : "FAILED", test.name.c_str());
    }
    std::printf("%zu tests, %d failed checks\n", tests().size(), failures());
    return failures() == 0 && !tests().empty() ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace check

#define TEST(name)                                                     \
    static void name();                                                \
    static const check::Registration registration_##name(#name, name); \
    static void name()

#define CHECK(condition)                                                          \
    do {                                                                          \
        if (!(condition)) {                                                       \
            std::printf("%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
            ++check::failures();                                                  \
        }                                                                         \
    } while (false)

#define CHECK_THROWS(expression, type)                                                      \
    do {                                                                                    \
        bool thrown = false;                                                                \
        try {                                                                               \
            (void)(expression);                                                             \
        } catch (const type&) {                                                             \
            thrown = true;                                                                  \
        }                                                                                   \
        if (!thrown) {                                                                      \
            std::printf("%s:%d: no %s from: %s\n", __FILE__, __LINE__, #type, #expression); \
            ++check::failures();                                                            \
        }                                                                                   \
    } while (false)

int main() { return check::run_all(); }
