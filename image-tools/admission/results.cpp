// SPDX-License-Identifier: Apache-2.0
// image-tools/admission/results.cpp - reading JUnit's XML, by expat.
#include "image-tools/admission/results.hpp"

#include "image-tools/diagnostic/diagnostic.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <expat.h>
#include <memory>
#include <type_traits>
#include <vector>

namespace admission {
namespace {

constexpr std::size_t largest_xml = 64 << 20, deepest_element = 64;

std::string_view attribute(const char** all, std::string_view name) {
    for (; *all != nullptr; all += 2)
        if (all[0] == name)
            return all[1];
    return {};
}

// Newer versions want XML_GetCurrentLineNumber64, which those of Debian 12 and Ubuntu 24.04 do not have.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
std::uint64_t line_of(XML_Parser parser) {
    return XML_GetCurrentLineNumber(parser);
}
#pragma GCC diagnostic pop

} // namespace

class ResultsReader {
public:
    explicit ResultsReader(TestResults& out) : out_(out), parser_(XML_ParserCreate(nullptr)) {
        XML_SetUserData(parser_.get(), this);
        XML_SetElementHandler(parser_.get(), begin, end);
        XML_SetEntityDeclHandler(parser_.get(), entity);
    }
    // What is wrong with it, and where; empty: nothing.
    std::string read(std::string_view xml) {
        if (xml.size() > largest_xml)
            return "it is larger than 64 MiB";
        if (XML_Parse(parser_.get(), xml.data(), static_cast<int>(xml.size()), XML_TRUE) == XML_STATUS_OK)
            return suites_seen_ ? "" : "it has no test suite";
        return refused_ != nullptr ? refused_
                                   : std::string(XML_ErrorString(XML_GetErrorCode(parser_.get()))) +
                                         " in line " + std::to_string(line_of(parser_.get()));
    }

private:
    static void begin(void* self, const char* name, const char** attributes) {
        static_cast<ResultsReader*>(self)->open(name, attributes);
    }
    static void end(void* self, const char*) { static_cast<ResultsReader*>(self)->close(); }
    static void entity(void* self, const char*, int, const char*, int, const char*, const char*, const char*,
                       const char*) {
        static_cast<ResultsReader*>(self)->refuse("it declares entities");
    }
    void refuse(const char* why) {
        refused_ = why;
        XML_StopParser(parser_.get(), XML_FALSE);
    }

    void open(std::string_view name, const char** attributes) {
        if (open_.size() >= deepest_element)
            return refuse("it is nested too deep");
        open_.emplace_back(name);
        if (name == "testsuite") {
            suites_seen_ = true;
            suite_ = &out_.suites_[std::string(attribute(attributes, "name"))];
            const std::string_view said = attribute(attributes, "tests");
            std::uint64_t count = 0;
            std::from_chars(said.data(), said.data() + said.size(), count);
            suite_->said += count;
        } else if (name == "testcase") {
            case_ = &out_.cases_.try_emplace(std::string(attribute(attributes, "name")), true).first->second;
            const std::string_view status = attribute(attributes, "status"); // CTest's
            if (suite_ != nullptr)
                ++suite_->there;
            if (status == "fail" || status == "disabled" || status == "notrun")
                fail();
        } else if (name == "failure" || name == "error" || name == "skipped") {
            fail();
        }
    }
    void close() {
        if (open_.back() == "testcase")
            case_ = nullptr;
        open_.pop_back();
    }
    void fail() {
        if (case_ != nullptr)
            *case_ = false;
        if (suite_ != nullptr)
            suite_->failed = true;
    }

    struct Deleter {
        void operator()(XML_Parser parser) const { XML_ParserFree(parser); }
    };
    TestResults& out_;
    std::unique_ptr<std::remove_pointer_t<XML_Parser>, Deleter> parser_;
    std::vector<std::string> open_;
    TestResults::Suite* suite_ = nullptr;
    bool* case_ = nullptr;
    bool suites_seen_ = false;
    const char* refused_ = nullptr;
};

void TestResults::add(std::string_view xml, const std::string& name) {
    if (const std::string wrong = ResultsReader(*this).read(xml); !wrong.empty())
        throw diagnostic::fail("E0435", name + ": " + wrong)
            .help("--junit takes what caisson attack --junit, run --junit or ctest --output-junit writes");
}

TestResults::Shown TestResults::look(const std::string& test) const {
    if (const auto suite = suites_.find(test); suite != suites_.end()) {
        if (suite->second.failed)
            return Shown::failed;
        return suite->second.there > 0 && suite->second.there == suite->second.said ? Shown::passed
                                                                                    : Shown::missing;
    }
    const auto one = cases_.find(test);
    return one == cases_.end() ? Shown::missing : one->second ? Shown::passed : Shown::failed;
}

} // namespace admission
