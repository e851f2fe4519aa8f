// Rows of separated cells, such as those of CSV: plain ones in one pass, any other left to others.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace exactnet::base {

enum class Column : std::uint8_t { ignored, number, text };

struct RowFormat {
    char delimiter = ',';
    char decimal = '.';
    std::vector<Column> columns;
};

/// Cells of numbers as `(high * 10^18 + mantissa) * 10^exponent`, or as floats; of texts, where
/// they begin and end.
struct Rows {
    std::vector<std::int64_t> mantissas;  // row by row
    std::vector<std::int64_t> highs;      // empty, or fewer: those that are not there are 0
    std::vector<std::int16_t> exponents;
    std::vector<double> floats;
    std::vector<std::int64_t> texts;
    std::vector<std::int64_t> lines;  // of every row, counted from 1

    std::size_t position = 0;  // behind the last row read
    std::int64_t line = 0;     // lines before it
    bool odd = false;          // whether the next row is there, but not plain
};

/// Returns the nearest float of a decimal without a sign, which ends with 0.
using ToFloat = double (*)(const char*);

/// Reads rows until the text ends, a row does not end in it, or is not plain. Plain rows have as
/// many cells as there are columns; numbers are decimals, of at most 18 digits unless floats are
/// asked for; quotes enclose whole cells, on one line and with no quotes inside.
class RowReader {
   public:
    /// Without `to_float`, decimals stay what they are. `last`: the text ends where the file does.
    RowReader(std::string_view text, const RowFormat& format, ToFloat to_float, bool last)
        : begin_(text.data()),
          end_(text.data() + text.size()),
          format_(format),
          to_float_(to_float),
          last_(last) {}

    /// `line`: the lines before the position.
    Rows read(std::size_t position, std::int64_t line) {
        Rows rows;
        rows_ = &rows;
        rows.line = line;
        p_ = begin_ + position;
        const char* start = p_;
        while (p_ < end_) {
            const std::size_t sizes[] = {rows.mantissas.size(), rows.floats.size(),
                                         rows.texts.size()};
            const bool blank = *p_ == '\n' || *p_ == '\r';
            const bool plain = blank || row();
            if (!plain || !pass_line_end()) {
                rows.odd = !plain && !(p_ == end_ && !last_);
                rows.mantissas.resize(sizes[0]);
                if (rows.highs.size() > sizes[0]) rows.highs.resize(sizes[0]);
                rows.exponents.resize(sizes[0]);
                rows.floats.resize(sizes[1]);
                rows.texts.resize(sizes[2]);
                break;
            }
            ++rows.line;
            if (!blank) rows.lines.push_back(rows.line);
            start = p_;
        }
        rows.position = static_cast<std::size_t>(start - begin_);
        return rows;
    }

   private:
    static constexpr int max_digits = 36;
    static constexpr std::uint64_t tenth = 100'000'000'000'000'000;  // of 10^18, where highs begin
    static constexpr std::ptrdiff_t max_length = 512;                // of numbers
    static constexpr std::ptrdiff_t max_text = 100'000;

    bool ends_cell() const {
        return p_ == end_ || *p_ == format_.delimiter || *p_ == '\n' || *p_ == '\r';
    }

    /// Passes the end of a line; false if it may go on behind the text.
    bool pass_line_end() {
        if (p_ == end_) return last_;
        if (*p_ == '\n') {
            ++p_;
            return true;
        }
        if (p_ + 1 == end_) {
            ++p_;
            return last_;
        }
        p_ += p_[1] == '\n' ? 2 : 1;
        return true;
    }

    /// Reads a row up to its line end; false if it is not plain, or with p_ at the end of the text
    /// if that may be for want of text.
    bool row() {
        const std::size_t n = format_.columns.size();
        for (std::size_t c = 0; c < n; ++c) {
            if (!cell(format_.columns[c])) return false;
            if (c + 1 < n) {
                if (p_ == end_ || *p_ != format_.delimiter) return false;
                ++p_;
            }
        }
        return p_ == end_ || *p_ == '\n' || *p_ == '\r';
    }

    bool cell(Column column) {
        while (p_ < end_ && *p_ == ' ') ++p_;
        if (p_ == end_) return false;
        if (*p_ != '"') {
            if (column == Column::number) {
                pass_space();
                if (!number(end_)) return false;
                pass_space();
                return ends_cell();
            }
            const char* start = p_;
            for (; !ends_cell(); ++p_) {
                if (*p_ == '"' || *p_ == '\0') return false;
            }
            return p_ - start <= max_text && text(column, start, p_);
        }
        const char* start = ++p_;
        for (; p_ < end_ && *p_ != '"'; ++p_) {
            if (*p_ == '\n' || *p_ == '\r' || *p_ == '\0') return false;
        }
        if (p_ == end_) return false;
        const char* stop = p_;
        if (column == Column::number) {
            p_ = start;
            pass_space();
            const bool whole = number(stop) && (pass_space(), p_ == stop);
            if (!whole) {
                p_ = start;  // not the end of the text
                return false;
            }
        } else if (stop - start > max_text || !text(column, start, stop)) {
            return false;
        }
        p_ = stop + 1;
        return ends_cell();
    }

    void pass_space() {
        while (p_ < end_ && (*p_ == ' ' || (*p_ == '\t' && format_.delimiter != '\t'))) ++p_;
    }

    bool text(Column column, const char* start, const char* stop) {
        if (column == Column::ignored) return true;
        const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
        while (start < stop && is_space(*start)) ++start;
        while (start < stop && is_space(stop[-1])) --stop;
        rows_->texts.push_back(start - begin_);
        rows_->texts.push_back(stop - begin_);
        return true;
    }

    static bool is_digit(char c) { return c >= '0' && c <= '9'; }

    /// Reads a decimal that begins at p_ and leaves p_ behind it.
    bool number(const char* limit) {
        const char* const start = p_;
        const bool negative = p_ < limit && *p_ == '-';
        if (p_ < limit && (*p_ == '-' || *p_ == '+')) ++p_;
        std::uint64_t mantissa = 0, high = 0;
        int significant = 0;
        const char* const whole = p_;
        const auto digits = [&] {
            const char* const first = p_;
            for (; p_ < limit && is_digit(*p_); ++p_) {
                if (significant >= max_digits / 2) {
                    high = 10 * high + mantissa / tenth;
                    mantissa %= tenth;
                }
                mantissa = 10 * mantissa + unsigned(*p_ - '0');
                if (significant > 0 || mantissa != 0) ++significant;
            }
            return p_ - first;
        };
        std::ptrdiff_t count = digits(), decimals = 0;
        const char* point = nullptr;
        if (p_ < limit && *p_ == format_.decimal) {
            point = p_++;
            decimals = digits();
            count += decimals;
        }
        if (count == 0) return false;
        int exponent = 0;
        if (p_ < limit && (*p_ == 'e' || *p_ == 'E')) {
            ++p_;
            const bool down = p_ < limit && *p_ == '-';
            if (p_ < limit && (*p_ == '-' || *p_ == '+')) ++p_;
            const char* const first = p_;
            for (; p_ < limit && is_digit(*p_); ++p_) {
                if (exponent <= max_exponent) exponent = 10 * exponent + (*p_ - '0');
            }
            if (p_ == first || exponent > max_exponent) return false;
            if (down) exponent = -exponent;
        }
        if (p_ - start > max_length) return false;
        const int power = exponent - static_cast<int>(decimals);
        const bool fits = significant <= max_digits;
        if (to_float_ == nullptr) {
            if (!fits) return false;
            const auto value = static_cast<std::int64_t>(mantissa);
            const auto upper = static_cast<std::int64_t>(high);
            if (high != 0) {
                rows_->highs.resize(rows_->mantissas.size());
                rows_->highs.push_back(negative ? -upper : upper);
            }
            rows_->mantissas.push_back(negative ? -value : value);
            rows_->exponents.push_back(static_cast<std::int16_t>(significant == 0 ? 0 : power));
            return true;
        }
        double value;
        if (fits && high == 0 && mantissa <= (std::uint64_t{1} << 53) && power >= -22 &&
            power <= 22) {
            // both are floats, so that the one operation gives the nearest
            value = static_cast<double>(mantissa);
            value = power < 0 ? value / powers[-power] : value * powers[power];
        } else {
            char plain[max_length + 1];
            const auto length = static_cast<std::size_t>(p_ - whole);
            std::memcpy(plain, whole, length);
            plain[length] = '\0';
            if (point != nullptr) plain[point - whole] = '.';
            value = to_float_(plain);
            if (!std::isfinite(value)) return false;
        }
        rows_->floats.push_back(negative ? -value : value);
        return true;
    }

    static constexpr int max_exponent = 400;
    static constexpr double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                        1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                        1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

    const char* begin_;
    const char* end_;
    const char* p_ = nullptr;
    const RowFormat& format_;
    ToFloat to_float_;
    bool last_;
    Rows* rows_ = nullptr;
};

}  // namespace exactnet::base
