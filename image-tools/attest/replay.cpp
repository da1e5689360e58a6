// SPDX-License-Identifier: Apache-2.0
#include "image-tools/attest/replay.hpp"

#include "image-tools/files/atomic_file.hpp"
#include "image-tools/journal/line.hpp"

#include <algorithm>
#include <charconv>

namespace attest {
namespace {

// What audit::Record escaped: %XX.
std::string unescaped(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        unsigned value = 0;
        const char* const digits = text.data() + i + 1;
        if (text[i] == '%' && i + 2 < text.size() &&
            std::from_chars(digits, digits + 2, value, 16).ptr == digits + 2) {
            out += static_cast<char>(value);
            i += 2;
        } else {
            out += text[i];
        }
    }
    return out;
}

// Records of the last boot that say what was measured.
std::vector<journal::Record> measured_in(std::string_view log) {
    std::vector<journal::Record> out;
    for (std::size_t at = 0; at < log.size();) {
        const std::size_t end = std::min(log.find('\n', at), log.size());
        const auto record = journal::from_line(log.substr(at, end - at));
        at = end + 1;
        if (!record)
            continue;
        if (record->event == "boot")
            out.clear();
        else if (record->event == "measured")
            out.push_back(*record);
    }
    return out;
}

} // namespace

Replay replay(std::string_view log, const std::vector<Event>& predicted) {
    Replay out;
    for (const journal::Record& record : measured_in(log)) {
        if (!record.value("result").empty()) {
            out.findings.push_back("record " + std::to_string(record.seq) +
                                   ": the machine's TPM failed: " + unescaped(record.value("detail")));
            continue;
        }
        const std::string where = "record " + std::to_string(record.seq);
        const std::string descriptor = unescaped(record.value("descriptor"));
        const std::size_t index = out.events++;
        for (const auto& [key, value] : record.pairs) {
            if (std::find(banks.begin(), banks.end(), key) == banks.end())
                continue;
            if (index == 0)
                out.banks.push_back(key);
            if (value != files::hex(files::bytes_of(digest(key, descriptor))))
                out.findings.push_back(where + ": its " + key + " digest is not that of its descriptor");
        }
        if (index >= predicted.size()) {
            out.findings.push_back(where + ": measured besides what the bundle has: " + descriptor);
        } else if (descriptor != predicted[index].descriptor ||
                   record.value("pcr") != std::to_string(predicted[index].pcr)) {
            out.findings.push_back(where + ": measured '" + descriptor + "' into PCR " +
                                   std::string(record.value("pcr")) + ", expected '" +
                                   predicted[index].descriptor + "' into PCR " +
                                   std::to_string(predicted[index].pcr));
        }
    }
    for (std::size_t i = out.events; i < predicted.size(); ++i)
        out.findings.push_back("not measured: " + predicted[i].descriptor);
    return out;
}

} // namespace attest
