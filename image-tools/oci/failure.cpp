// SPDX-License-Identifier: Apache-2.0
#include "image-tools/oci/failure.hpp"

#include <cstdio>
#include <cstring>
#include <utility>

namespace oci {

namespace {

diagnostic::ExitCode exit_of(Fault fault) {
    switch (fault) {
    case Fault::not_there:
    case Fault::output:
        return diagnostic::ExitCode::io;
    case Fault::digest:
    case Fault::diff_id:
        return diagnostic::ExitCode::trust;
    case Fault::limit:
        return diagnostic::ExitCode::limit;
    case Fault::reference:
    case Fault::tag:
    case Fault::platform:
    case Fault::malformed:
    case Fault::media_type:
    case Fault::compression:
    case Fault::tar:
    case Fault::path:
    case Fault::hard_link:
    case Fault::whiteout:
    case Fault::conflict:
    case Fault::user:
    case Fault::source:
        return diagnostic::ExitCode::input;
    }
    return diagnostic::ExitCode::bug;
}

} // namespace

std::string LayerContext::text() const {
    return image + ": layer " + std::to_string(index + 1) + " of " + std::to_string(count) + " (" + digest +
           ")";
}

void fail(Fault fault, std::string message, std::string help, std::vector<std::string> notes) {
    diagnostic::Diagnostic diagnostic;
    diagnostic.code = "E0" + std::to_string(static_cast<unsigned>(fault));
    diagnostic.exit = exit_of(fault);
    diagnostic.message = std::move(message);
    diagnostic.notes = std::move(notes);
    diagnostic.help = std::move(help);
    throw diagnostic::Failure(std::move(diagnostic));
}

void fail_system(Fault fault, const std::string& what, int error, std::string help) {
    fail(fault, what + ": " + std::strerror(error), std::move(help));
}

std::string printable(std::string_view name) {
    constexpr std::size_t longest = 160;
    std::string shown;
    const auto append = [&shown](std::string_view part) {
        for (const char c : part) {
            const auto byte = static_cast<unsigned char>(c);
            if (byte < 0x20 || byte == 0x7f || c == '\\' || c == '\'') {
                char text[5];
                std::snprintf(text, sizeof text, "\\x%02x", byte);
                shown += text;
            } else {
                shown += c;
            }
        }
    };
    if (name.size() <= longest) {
        append(name);
    } else {
        append(name.substr(0, longest / 2));
        shown += "[...]";
        append(name.substr(name.size() - longest / 2));
    }
    return "'" + shown + "'";
}

} // namespace oci
