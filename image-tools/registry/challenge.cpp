// SPDX-License-Identifier: Apache-2.0
#include "image-tools/registry/challenge.hpp"

#include <utility>

namespace registry {
namespace {

constexpr std::size_t most_challenges = 16;

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_token(char c) {
    constexpr std::string_view others = "!#$%&'*+-.^_`|~";
    return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') ||
           others.find(c) != std::string_view::npos;
}

// A cursor over the header; every step takes at least one byte or fails.
class Reader {
public:
    explicit Reader(std::string_view text) : text_(text) {}

    [[nodiscard]] bool at_end() const { return at_ == text_.size(); }
    [[nodiscard]] std::size_t place() const { return at_; }
    void back_to(std::size_t place) { at_ = place; }
    bool take(char c) {
        if (at_end() || text_[at_] != c)
            return false;
        ++at_;
        return true;
    }
    // Whether there was any.
    bool spaces() {
        const std::size_t begin = at_;
        while (!at_end() && (text_[at_] == ' ' || text_[at_] == '\t'))
            ++at_;
        return at_ > begin;
    }
    std::string_view token() {
        const std::size_t begin = at_;
        while (!at_end() && is_token(text_[at_]))
            ++at_;
        return text_.substr(begin, at_ - begin);
    }
    // RFC 9110, 11.2: what stands for parameters in some schemes.
    std::string_view token68() {
        const std::size_t begin = at_;
        while (!at_end() && (is_token(text_[at_]) || text_[at_] == '/'))
            ++at_;
        while (!at_end() && text_[at_] == '=')
            ++at_;
        return text_.substr(begin, at_ - begin);
    }
    std::optional<std::string> quoted() {
        std::string out;
        if (!take('"'))
            return std::nullopt;
        while (!at_end()) {
            const char c = text_[at_++];
            if (c == '"')
                return out;
            if (c == '\\' && at_end())
                return std::nullopt;
            const char kept = c == '\\' ? text_[at_++] : c;
            if (static_cast<unsigned char>(kept) < ' ' && kept != '\t')
                return std::nullopt;
            out += kept;
        }
        return std::nullopt;
    }

private:
    std::string_view text_;
    std::size_t at_ = 0;
};

std::string lowered(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        c = lower(c);
    return out;
}

// NAME = VALUE. False: not that, and nothing is taken; nothing: broken.
std::optional<bool> take_parameter(Reader& reader, Challenge& challenge) {
    const std::size_t begin = reader.place();
    const std::string name = lowered(reader.token());
    reader.spaces();
    if (name.empty() || !reader.take('=')) {
        reader.back_to(begin);
        return false;
    }
    reader.spaces();
    const std::size_t value_at = reader.place();
    auto value = reader.quoted();
    if (!value) {
        if (reader.place() != value_at)
            return std::nullopt; // a quotation without an end
        value = std::string(reader.token());
        if (value->empty()) { // "abc=" is a token68
            reader.back_to(begin);
            return false;
        }
    }
    if (!challenge.parameters.emplace(name, *std::move(value)).second)
        return std::nullopt;
    return true;
}

void skip_commas(Reader& reader) {
    do {
        reader.spaces();
    } while (reader.take(','));
}

} // namespace

std::optional<std::vector<Challenge>> parse_challenges(std::string_view header) {
    std::vector<Challenge> out;
    Reader reader(header);
    for (skip_commas(reader); !reader.at_end();) {
        Challenge challenge;
        challenge.scheme = lowered(reader.token());
        if (challenge.scheme.empty() || out.size() == most_challenges)
            return std::nullopt;
        const bool more = reader.spaces();
        bool first = true;
        while (more && !reader.at_end()) {
            const auto taken = take_parameter(reader, challenge);
            if (!taken)
                return std::nullopt;
            if (!*taken) {
                if (first)
                    challenge.token68 = reader.token68();
                break; // else the next challenge begins here
            }
            first = false;
            const std::size_t end = reader.place();
            reader.spaces();
            if (!reader.at_end() && !reader.take(','))
                return std::nullopt;
            reader.back_to(end);
            skip_commas(reader);
        }
        out.push_back(std::move(challenge));
        const std::size_t end = reader.place();
        skip_commas(reader);
        // A challenge ends with a comma, with what the loop above has skipped, or with the header.
        if (!reader.at_end() && first && reader.place() == end)
            return std::nullopt;
    }
    return out;
}

} // namespace registry
