// SPDX-License-Identifier: Apache-2.0
#include "image-tools/registry/http.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <curl/curl.h>
#include <exception>
#include <new>
#include <openssl/ssl.h>
#include <utility>

namespace registry {
namespace {

constexpr unsigned most_redirects = 5;
constexpr std::size_t most_header_bytes = 256 << 10;
constexpr long connect_seconds = 20;

struct UrlCloser {
    void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using UrlHandle = std::unique_ptr<CURLU, UrlCloser>;

std::string part_of(CURLU* url, CURLUPart part, unsigned flags = 0) {
    char* text = nullptr;
    if (curl_url_get(url, part, &text, flags) != CURLUE_OK || text == nullptr)
        return {};
    std::string out = text;
    curl_free(text);
    return out;
}

UrlHandle parsed(const std::string& text) {
    UrlHandle url(curl_url());
    if (!url || curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK)
        return nullptr;
    return url;
}

bool web_without_user(CURLU* url) {
    const std::string scheme = part_of(url, CURLUPART_SCHEME);
    return (scheme == "http" || scheme == "https") && part_of(url, CURLUPART_USER).empty() &&
           part_of(url, CURLUPART_PASSWORD).empty();
}

std::string lower(std::string text) {
    for (char& c : text)
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return text;
}

Trouble trouble_of(CURLcode code) {
    switch (code) {
    case CURLE_OK:
        return Trouble::none;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
        return Trouble::unreachable;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return Trouble::certificate;
    case CURLE_SSL_CONNECT_ERROR:
        return Trouble::no_tls;
    case CURLE_PARTIAL_FILE:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return Trouble::broken_off;
    default:
        return Trouble::other;
    }
}

// Adds the given authorities to those of the system.
CURLcode add_authorities(CURL*, void* context, void* files) {
    for (const auto& file : *static_cast<const std::vector<std::filesystem::path>*>(files))
        if (SSL_CTX_load_verify_locations(static_cast<SSL_CTX*>(context), file.c_str(), nullptr) != 1)
            return CURLE_SSL_CACERT_BADFILE;
    return CURLE_OK;
}

} // namespace

std::string Answer::header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string{} : found->second.front();
}

std::string origin_of(const std::string& text) {
    const UrlHandle url = parsed(text);
    if (!url || !web_without_user(url.get()))
        return {};
    return lower(part_of(url.get(), CURLUPART_SCHEME) + "://" + part_of(url.get(), CURLUPART_HOST) + ":" +
                 part_of(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT));
}

std::string resolved_url(const std::string& base, const std::string& location) {
    const UrlHandle url = parsed(base);
    if (!url || curl_url_set(url.get(), CURLUPART_URL, location.c_str(), 0) != CURLUE_OK ||
        !web_without_user(url.get()))
        return {};
    return part_of(url.get(), CURLUPART_URL);
}

bool is_loopback(const std::string& host) {
    const std::string name =
        host.starts_with('[') ? host.substr(0, host.find(']') + 1) : host.substr(0, host.find(':'));
    const bool number = !name.empty() && name.find_first_not_of("0123456789.") == std::string::npos;
    return name == "localhost" || name == "[::1]" || (number && name.starts_with("127."));
}

std::string percent_encoded(std::string_view text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                           c == '-' || c == '.' || c == '_' || c == '~';
        if (plain) {
            out += c;
        } else {
            out += '%';
            out += digits[byte >> 4];
            out += digits[byte & 15];
        }
    }
    return out;
}

// One request while it runs, a redirect included.
struct Http::Transfer {
    struct ListCloser {
        void operator()(curl_slist* list) const { curl_slist_free_all(list); }
    };

    Transfer(std::size_t number, Request wanted)
        : id(number), request(std::move(wanted)), authorized_origin(origin_of(request.url)) {}

    std::size_t id;
    Request request;
    std::string authorized_origin; // where Authorization may go
    Answer answer;
    unsigned redirect_count = 0;
    std::size_t header_bytes = 0;
    bool body_began = false;
    std::exception_ptr thrown; // by the request's functions: nothing is thrown through libcurl
    std::unique_ptr<curl_slist, ListCloser> header_list;
    std::array<char, CURL_ERROR_SIZE> error{};

    void prepare(CURL* easy);
    void set_tls(CURL* easy);
    void finish(CURL* easy, CURLcode code);
    bool take_header(std::string_view line);
    bool take_body(std::string_view bytes);
    void set_body(CURL* easy);
    static std::size_t give(char* to, std::size_t size, std::size_t count, void* self);
    std::uint64_t given = 0; // of a body that is a file
    // One of the two, for libcurl: what it takes of the bytes.
    template <bool (Transfer::*Take)(std::string_view)>
    static std::size_t take(char* data, std::size_t size, std::size_t count, void* self);
};

void Http::Transfer::prepare(CURL* easy) {
    answer = {};
    header_bytes = 0;
    body_began = false;
    error[0] = '\0';
    curl_easy_reset(easy);
    curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L); // here, so that secrets stay
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "caisson");
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, connect_seconds);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(
        easy, CURLOPT_LOW_SPEED_TIME,
        static_cast<long>(std::max<std::chrono::milliseconds::rep>(1, request.stall.count() / 1000)));
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error.data());
    const std::string origin = origin_of(request.url);
    if (is_loopback(origin.substr(std::min(origin.size(), origin.find("://") + 3))))
        curl_easy_setopt(easy, CURLOPT_PROXY, ""); // no proxy reaches this machine
    curl_slist* list = nullptr;
    for (const std::string& header : request.headers)
        list = curl_slist_append(list, header.c_str());
    if (!request.authorization.empty() && origin == authorized_origin)
        list = curl_slist_append(list, ("Authorization: " + request.authorization).c_str());
    header_list.reset(list);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, list);
    if (!request.form.empty()) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(request.form.size()));
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.form.c_str());
    }
    if (!request.method.empty())
        set_body(easy);
    if (request.from > 0)
        curl_easy_setopt(easy, CURLOPT_RANGE, (std::to_string(request.from) + "-").c_str());
    set_tls(easy);

    curl_easy_setopt(easy, CURLOPT_PRIVATE, this);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &Transfer::take<&Transfer::take_header>);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Transfer::take<&Transfer::take_body>);
}

template <bool (Http::Transfer::*Take)(std::string_view)>
std::size_t Http::Transfer::take(char* data, std::size_t size, std::size_t count, void* self) {
    Transfer& transfer = *static_cast<Transfer*>(self);
    try {
        return (transfer.*Take)({data, size * count}) ? size * count : 0;
    } catch (...) {
        transfer.thrown = std::current_exception();
        return 0;
    }
}

void Http::Transfer::set_body(CURL* easy) {
    if (request.method == "HEAD") {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
        return;
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    given = 0;
    if (const auto* text = std::get_if<std::string>(&request.body)) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(text->size()));
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, text->c_str());
        return;
    }
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE,
                     static_cast<curl_off_t>(std::get<files::FileRange>(request.body).size));
    curl_easy_setopt(easy, CURLOPT_READDATA, this);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, &Transfer::give);
}

std::size_t Http::Transfer::give(char* to, std::size_t size, std::size_t count, void* self) {
    Transfer& transfer = *static_cast<Transfer*>(self);
    try {
        const std::span<std::uint8_t> into(static_cast<std::uint8_t*>(static_cast<void*>(to)), size * count);
        const std::size_t read = std::get<files::FileRange>(transfer.request.body).read(transfer.given, into);
        transfer.given += read;
        return read;
    } catch (...) {
        transfer.thrown = std::current_exception();
        return CURL_READFUNC_ABORT;
    }
}

void Http::Transfer::set_tls(CURL* easy) {
    const bool own = origin_of(request.url) == authorized_origin;
    const bool verify = request.tls.verify || !own; // what is allowed for one host is not for another
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, verify ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    if (!request.tls.authorities.empty()) {
        curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, add_authorities);
        curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, &request.tls.authorities);
    }
    if (own && !request.tls.certificate.empty()) {
        curl_easy_setopt(easy, CURLOPT_SSLCERT, request.tls.certificate.c_str());
        curl_easy_setopt(easy, CURLOPT_SSLKEY, request.tls.key.c_str());
    }
}

bool Http::Transfer::take_header(std::string_view line) {
    header_bytes += line.size();
    if (header_bytes > most_header_bytes)
        return false;
    while (!line.empty() && (line.back() == '\r' || line.back() == '\n' || line.back() == ' '))
        line.remove_suffix(1);
    if (line.starts_with("HTTP/")) { // also after 100 Continue
        answer.headers.clear();
        const auto space = line.find(' ');
        answer.status =
            space == std::string_view::npos ? 0 : std::atol(std::string(line.substr(space + 1)).c_str());
        return true;
    }
    const auto colon = line.find(':');
    if (colon == std::string_view::npos)
        return true;
    std::string_view value = line.substr(colon + 1);
    while (value.starts_with(' ') || value.starts_with('\t'))
        value.remove_prefix(1);
    answer.headers[lower(std::string(line.substr(0, colon)))].emplace_back(value);
    return true;
}

bool Http::Transfer::take_body(std::string_view bytes) {
    const bool wanted = answer.status >= 200 && answer.status < 300;
    if (wanted && !body_began && request.begin && !request.begin(answer))
        return false;
    body_began = true;
    if (wanted && request.sink)
        return request.sink(
            {static_cast<const std::uint8_t*>(static_cast<const void*>(bytes.data())), bytes.size()});
    const std::size_t room =
        request.most_body - std::min<std::uint64_t>(request.most_body, answer.body.size());
    answer.body.append(bytes.substr(0, room));
    answer.cut = bytes.size() > room;
    return !answer.cut || !wanted; // of an error's text the beginning will do
}

void Http::Transfer::finish(CURL* easy, CURLcode code) {
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, nullptr);
    if (thrown)
        std::rethrow_exception(thrown);
    const bool by_us = code == CURLE_WRITE_ERROR;
    answer.trouble = by_us ? Trouble::stopped : trouble_of(code);
    if (answer.trouble != Trouble::none)
        answer.reason = error[0] != '\0' ? error.data() : curl_easy_strerror(code);
    // An empty body has no first byte.
    if (answer.good() && !body_began && request.begin && !request.begin(answer))
        answer.trouble = Trouble::stopped;
}

bool Http::redirected(Transfer& transfer) {
    Answer& answer = transfer.answer;
    Request& request = transfer.request;
    const bool moved = answer.trouble == Trouble::none &&
                       (answer.status == 301 || answer.status == 302 || answer.status == 303 ||
                        answer.status == 307 || answer.status == 308);
    if (!moved)
        return false;
    const std::string location = answer.header("location");
    const std::string url = location.empty() ? "" : resolved_url(request.url, location);
    const auto refuse = [&](std::string reason) {
        answer.trouble = Trouble::redirects;
        answer.reason = std::move(reason);
        return false;
    };
    if (!request.redirects || !request.form.empty() || request.method == "PUT" || request.method == "POST")
        return refuse("it redirects where that is not allowed");
    if (url.empty())
        return refuse("it redirects to what is no address");
    if (request.url.starts_with("https:") && !url.starts_with("https:"))
        return refuse("it redirects from https to http");
    if (++transfer.redirect_count > most_redirects)
        return refuse("it redirects more than " + std::to_string(most_redirects) + " times");
    request.url = url;
    return true;
}

struct Http::Handles {
    CURLM* multi = nullptr;
    CURL* easy = nullptr; // of perform(): its connections stay open between requests
    std::vector<CURL*> idle;
};

Http::Http() : handles_(std::make_unique<Handles>()) {
    static const CURLcode once = curl_global_init(CURL_GLOBAL_DEFAULT);
    handles_->multi = curl_multi_init();
    handles_->easy = curl_easy_init();
    if (once != CURLE_OK || handles_->multi == nullptr || handles_->easy == nullptr)
        throw std::bad_alloc();
}

void Http::abandon() {
    for (const auto& [easy, transfer] : running_) {
        curl_multi_remove_handle(handles_->multi, easy);
        curl_easy_cleanup(easy);
    }
    running_.clear();
}

Http::~Http() {
    abandon();
    for (CURL* easy : handles_->idle)
        curl_easy_cleanup(easy);
    curl_easy_cleanup(handles_->easy);
    curl_multi_cleanup(handles_->multi);
}

Answer Http::perform(Request request) {
    Transfer transfer(0, std::move(request));
    do {
        transfer.prepare(handles_->easy);
        transfer.finish(handles_->easy, curl_easy_perform(handles_->easy));
    } while (redirected(transfer));
    return std::move(transfer.answer);
}

void Http::begin(std::size_t id, Request request) {
    CURL* easy = nullptr;
    if (handles_->idle.empty()) {
        easy = curl_easy_init();
        if (easy == nullptr)
            throw std::bad_alloc();
    } else {
        easy = handles_->idle.back();
        handles_->idle.pop_back();
    }
    auto transfer = std::make_unique<Transfer>(id, std::move(request));
    transfer->prepare(easy);
    running_[easy] = std::move(transfer);
    curl_multi_add_handle(handles_->multi, easy);
}

std::vector<Http::Ended> Http::turn(std::chrono::milliseconds most) {
    std::vector<Ended> ended;
    int still = 0, left = 0;
    curl_multi_perform(handles_->multi, &still);
    const auto collect = [&] {
        while (const CURLMsg* message = curl_multi_info_read(handles_->multi, &left)) {
            if (message->msg != CURLMSG_DONE)
                continue;
            CURL* const easy = message->easy_handle;
            const CURLcode code = message->data.result;
            curl_multi_remove_handle(handles_->multi, easy);
            Transfer& transfer = *running_.at(easy);
            transfer.finish(easy, code);
            if (redirected(transfer)) {
                transfer.prepare(easy);
                curl_multi_add_handle(handles_->multi, easy);
                continue;
            }
            ended.push_back({transfer.id, std::move(transfer.answer)});
            running_.erase(easy);
            handles_->idle.push_back(easy);
        }
    };
    collect();
    if (ended.empty()) {
        curl_multi_poll(handles_->multi, nullptr, 0, static_cast<int>(most.count()), nullptr);
        curl_multi_perform(handles_->multi, &still);
        collect();
    }
    return ended;
}

} // namespace registry
