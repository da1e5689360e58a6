// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/boot/measure.cpp - measured boot: events of core/measure into the TPM, and into the audit log.
#include "arch/x86_64/cpu/ports.hpp"
#include "build_id.hpp"
#include "drivers/tpm/interface.hpp"
#include "hypervisor/core/measure/events.hpp"
#include "hypervisor/core/plan/refusal.hpp"
#include "hypervisor/kernel/boot/stages.hpp"
#include "hypervisor/kernel/deadline.hpp"
#include "hypervisor/kernel/panic/panic.hpp"

namespace hv {
namespace {

using namespace drivers::tpm;

constexpr auto deadline = [](std::uint64_t milliseconds) { return Deadline{milliseconds}; };
using Tpm = Interface<cpu::PortsAndMemory, decltype(deadline)>;

std::string_view name_of(Bank bank) {
    switch (bank) {
    case Bank::sha1:
        return "sha1";
    case Bank::sha256:
        return "sha256";
    case Bank::sha384:
        return "sha384";
    case Bank::sha512:
        return "sha512";
    case Bank::sm3:
        return "sm3";
    }
    return "unknown";
}

void record(const measure::Event& event, const Digests& digests) {
    console::audit_event("measured", [&](audit::Record& out) {
        out.add("pcr", event.pcr).add("descriptor", event.text.view());
        for (const BankDigest& digest : digests)
            out.add_bytes(name_of(digest.bank), digest.view());
    });
}

// What went wrong, or empty.
std::string_view measure_into(Tpm& tpm, const measure::Subject& subject) {
    const auto code = code_of(tpm.exchange(startup().view()).view());
    if (!code)
        return "it does not answer";
    if (*code != success && *code != already_started)
        return "it refuses to start";
    for (std::uint32_t i = 0; i < measure::event_count(subject); ++i) {
        const measure::Event event = measure::event(subject, i);
        const std::string_view text = event.text.view();
        const auto bytes = std::as_bytes(std::span(text));
        base::FixedVector<std::uint8_t, most_event_bytes> descriptor;
        for (const std::byte byte : bytes)
            (void)descriptor.push_back(std::to_integer<std::uint8_t>(byte));
        const auto digests = digests_of(tpm.exchange(pcr_event(event.pcr, descriptor.view()).view()).view());
        if (!digests)
            return "it does not take a measurement";
        if (digests->empty())
            return "it has no active bank of PCRs";
        record(event, *digests);
    }
    return {};
}

} // namespace

void measure_bundle(const bundle::Signer& signer) {
    const plan::MachineBehaviour& wish = machine().behaviour;
    if (wish.has(plan::flag_leave_tpm))
        return;
    const auto place = find_tpm();
    std::string_view problem = plan::no_tpm_named;
    if (place && place->needs_firmware) {
        problem = plan::tpm_of_firmware;
    } else if (place) {
        Tpm tpm{cpu::PortsAndMemory{}, deadline, place->control_area};
        problem = measure_into(tpm, {*found().contents, *found().plan, signer, trusted_keys, CAISSON_BUILD_ID,
                                     found().hash_engine});
    }
    if (problem.empty())
        return;
    if (place)
        console::audit_event("measured",
                             [&](audit::Record& out) { out.add("result", "failed").add("detail", problem); });
    if (wish.has(plan::flag_require_tpm))
        refuse_to_start(plan::no_tpm, problem);
    if (place)
        console::log((LogLine{} << "TPM: " << problem << "; what follows is not measured").view());
}

} // namespace hv
