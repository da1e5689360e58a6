// SPDX-License-Identifier: Apache-2.0
// image-tools/registry/http.hpp - requests to registries, by libcurl.
//
// Trust:      every answer is hostile: headers and collected bodies have limits, only http and https are spoken.
// Invariants: Authorization is sent to the origin that it was made for and to no other, whatever redirects say;
//             a redirect never leads from https to http.
// Errors:     what the network does is an Answer, not an exception; std::bad_alloc where libcurl cannot start.
#pragma once

#include "image-tools/files/range.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace registry {

// Whom a TLS connection trusts and how it shows itself.
struct Tls {
    bool verify = true;
    std::vector<std::filesystem::path> authorities; // PEM files, besides the system's
    std::filesystem::path certificate, key;         // empty: none
};

enum class Trouble : std::uint8_t {
    none,
    unreachable, // no address, or nobody listens there
    broken_off,  // began and did not end, or stalled
    certificate, // not one that is trusted, or not for that name
    no_tls,      // the other side does not speak TLS that we do
    stopped,     // by the request's own functions
    redirects,   // too many, or to where none may lead
    other,
};

struct Answer {
    Trouble trouble = Trouble::none;
    std::string reason;                                      // of the trouble, for people
    long status = 0;                                         // 0: none came
    std::map<std::string, std::vector<std::string>> headers; // names in lower case
    std::string body; // of what no sink took, cut at Request::most_body
    bool cut = false; // there was more

    [[nodiscard]] bool good() const { return trouble == Trouble::none && status >= 200 && status < 300; }
    // The first of that name; empty: none.
    [[nodiscard]] std::string header(const std::string& name) const;
};

struct Request {
    std::string url;
    std::vector<std::string> headers; // "Name: value"
    std::string authorization;        // "Bearer ..."; for `url`'s origin alone
    std::string form;                 // not empty: POST of application/x-www-form-urlencoded
    std::string method;               // "HEAD", "POST" or "PUT" with `body`; empty: GET, or what `form` says
    std::variant<std::string, files::FileRange> body;
    std::uint64_t from = 0; // not 0: ask for the bytes from there on
    std::uint64_t most_body = 64 << 10;
    Tls tls;
    bool redirects = true;
    std::chrono::milliseconds stall{30000}; // that long without a byte is broken off
    // Before the first byte of a 2xx body; false ends the transfer.
    std::function<bool(const Answer&)> begin{};
    // Takes a 2xx body instead of Answer::body; false ends the transfer.
    std::function<bool(std::span<const std::uint8_t>)> sink{};
};

// "https://host:port", lower case; empty: not a URL of http or https.
std::string origin_of(const std::string& url);
// `location` as seen from `base`; empty: not a URL of http or https, or it carries a user's name.
std::string resolved_url(const std::string& base, const std::string& location);
// Whether "HOST[:PORT]" is this machine by its name alone.
bool is_loopback(const std::string& host);
// "a b/c" -> "a%20b%2Fc".
std::string percent_encoded(std::string_view text);

class Http {
public:
    Http();
    Http(const Http&) = delete;
    Http& operator=(const Http&) = delete;
    ~Http();

    // One request with its redirects, to its end.
    [[nodiscard]] Answer perform(Request request);

    // Several at once: begun under a number of the caller's choice, ended in any order.
    struct Ended {
        std::size_t id;
        Answer answer;
    };
    void begin(std::size_t id, Request request);
    // What has ended; waits at most that long for something to happen.
    [[nodiscard]] std::vector<Ended> turn(std::chrono::milliseconds most);
    // Ends all that were begun; their functions are not called any more.
    void abandon();

private:
    struct Transfer;
    // After an answer: whether it was a redirect that the request now follows.
    static bool redirected(Transfer& transfer);

    struct Handles;
    std::unique_ptr<Handles> handles_;
    std::map<void*, std::unique_ptr<Transfer>> running_;
};

} // namespace registry
