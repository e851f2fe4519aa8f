#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/rows.hpp"
#include "check.hpp"

using exactnet::base::Column;
using exactnet::base::RowFormat;
using exactnet::base::RowReader;
using exactnet::base::Rows;
using Integers = std::vector<std::int64_t>;

namespace {

double to_float(const char* digits) { return std::strtod(digits, nullptr); }

const std::vector<Column> two = {Column::number, Column::number};

Rows read(const std::string& text, const std::vector<Column>& columns, bool exact = true,
          bool last = true, char delimiter = ',', char decimal = '.') {
    const RowFormat format{delimiter, decimal, columns};
    return RowReader(text, format, exact ? nullptr : to_float, last).read(0, 0);
}

}  // namespace

TEST(decimals_are_digits_and_powers) {
    const std::string text = "1,-2.50\n\r\n.5e3,+7.e-2\r0.000,-0e9";
    const Rows rows = read(text, two);
    CHECK(rows.mantissas == Integers({1, -250, 5, 7, 0, 0}));
    CHECK(rows.exponents == std::vector<std::int16_t>({0, -2, 2, -2, 0, 0}));
    CHECK(rows.lines == Integers({1, 3, 4}));
    CHECK(rows.highs.empty() && rows.floats.empty() && rows.texts.empty());
    CHECK(!rows.odd && rows.position == text.size());
}

TEST(digits_beyond_64_bits) {
    const std::string nines(36, '9');
    const Rows rows = read("1,-" + nines + "\n000000000000000000000000001,2\n", two);
    const std::int64_t half = 999'999'999'999'999'999;
    CHECK(rows.mantissas == Integers({1, -half, 1, 2}));
    CHECK(rows.highs == Integers({0, -half}));  // the rest are 0
    const Rows one = read("1234567890123456789.5,2", two);
    CHECK(one.highs == Integers({12}) && one.mantissas[0] == 345678901234567895);
    CHECK(one.exponents[0] == -1);
    CHECK(read("1," + nines + "9\n", two).odd);
    CHECK(!read("1," + nines + "9\n", two, false).odd);
}

TEST(floats_are_the_nearest) {
    const std::vector<std::string> cells = {
        "0.1",   "-0",    "9007199254740993", "12345678901234567.5",     "1e22",    "1e23",
        "1e-22", "1e-23", "5e-324",           "2.2250738585072014e-308", "123e-400"};
    for (const std::string& cell : cells) {
        const Rows rows = read(cell + ",1\n", two, false);
        const double expected = std::strtod(cell.c_str(), nullptr);
        CHECK(rows.floats.size() == 2 && rows.floats[0] == expected);
        CHECK(std::signbit(rows.floats[0]) == std::signbit(expected));
    }
    CHECK(read("1e400,1\n", two, false).odd);
    CHECK(read("-1,5;2\n", two, false, true, ';', ',').floats[0] == -1.5);
}

TEST(rows_that_are_not_plain_are_left) {
    for (const char* row :
         {"x,1",     "1",         "1,2,3",    "1,",          ",1",    "1,nan", "1,inf",
          "1/2,1",   "1_0,1",     "1 0,1",    "e5,1",        ".,1",   "+,1",   "1e,1",
          "1e401,1", "\"1\n\",2", "\"1\"2,3", "\"1\"\"\",2", "1,\"2", "0x1,2", "1,2\xc3\xa4"}) {
        for (const bool exact : {true, false}) {
            const Rows rows = read("5,6\n" + std::string(row) + "\n7,8\n", two, exact);
            CHECK(rows.odd && rows.position == 4 && rows.line == 1 && rows.lines == Integers({1}));
            CHECK((exact ? rows.mantissas.size() : rows.floats.size()) == 2);
        }
    }
}

TEST(texts_and_columns_that_do_not_count) {
    const std::vector<Column> columns = {Column::ignored, Column::text, Column::number};
    const std::string text = "any \xc3\xa4,  a b ,1\n\"x,y\",\" c \",\"2\"\n,,3\n";
    const Rows rows = read(text, columns);
    CHECK(!rows.odd && rows.mantissas == Integers({1, 2, 3}));
    std::vector<std::string> found;
    for (std::size_t k = 0; k < rows.texts.size(); k += 2) {
        const auto start = static_cast<std::size_t>(rows.texts[k]);
        found.push_back(text.substr(start, static_cast<std::size_t>(rows.texts[k + 1]) - start));
    }
    CHECK(found == std::vector<std::string>({"a b", "c", ""}));
    CHECK(read("a\"b,c,1\n", columns).odd);
}

TEST(a_text_may_end_anywhere) {
    const std::vector<Column> columns = {Column::number, Column::text};
    const std::string text = "1.5,\"a\"\r\n-2e1,b\r\n\n\"3\",c\r";
    const Rows whole = read(text, columns);
    CHECK(!whole.odd && whole.lines == Integers({1, 2, 4}) && whole.position == text.size());
    for (std::size_t size = 0; size < text.size(); ++size) {
        // what is read before the end, and then from there
        const RowFormat format{',', '.', columns};
        const std::string part = text.substr(0, size);
        const Rows first = RowReader(part, format, nullptr, false).read(0, 0);
        CHECK(!first.odd && first.position <= size);
        const Rows rest = RowReader(text, format, nullptr, true).read(first.position, first.line);
        Integers mantissas = first.mantissas, lines = first.lines;
        mantissas.insert(mantissas.end(), rest.mantissas.begin(), rest.mantissas.end());
        lines.insert(lines.end(), rest.lines.begin(), rest.lines.end());
        CHECK(mantissas == whole.mantissas && lines == whole.lines && !rest.odd);
    }
}
