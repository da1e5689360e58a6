// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/command_prove.cpp - prove: the plan's invariants from the bundle alone; with --live also those of the
// machine that runs it.
#include "image-tools/build/build.hpp"
#include "image-tools/bundle/verify.hpp"
#include "image-tools/cli/appliance_run.hpp"
#include "image-tools/cli/commands.hpp"
#include "image-tools/prove/live.hpp"
#include "image-tools/prove/qmp.hpp"
#include "image-tools/run/machine.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <thread>

namespace cli {
namespace {

constexpr std::chrono::milliseconds default_time_out{120'000};
constexpr std::chrono::milliseconds between_looks{20};
constexpr unsigned most_looks = 40;

struct ProveOptions {
    ApplianceOptions appliance;
    QemuOptions qemu;
    bool live = false;
};

class Prover {
public:
    Prover(const ProveOptions& options, const Common& common, Report& report)
        : options_(options), common_(common), appliance_(runnable(options.appliance, common, report)),
          file_(appliance_.bundle), summary_(bundle::summarize(file_.source(), appliance_.bundle.string())) {
        size_machine(appliance_);
        const auto loader = prove::read_loader(files::read_file(appliance_.elf, bundle::largest_elf));
        if (!loader)
            throw diagnostic::fail("E0419", appliance_.elf.string() + " is not an ELF");
        loader_ = *loader;
        board_ = {appliance_.cpus, appliance_.memory, 0, false};
        intend(board_);
    }

    void plan() { add("plan/", prove::check_plan(intended_)); }

    void live() {
        const run::Qemu qemu = run::find_qemu();
        const build::WorkFolder folder(std::filesystem::temp_directory_path());
        run::RunOptions run_options;
        run_options.qemu = {appliance_.elf,         appliance_.bundle, options_.qemu.cpu,
                            appliance_.cpus,        appliance_.memory, false,
                            options_.qemu.arguments};
        run_options.qemu.debug_exit = false;
        if (!options_.qemu.has_own_devices())
            run_options.qemu.cards = appliance_.cards;
        for (std::string& argument : prove::Qmp::arguments(folder.path()))
            run_options.qemu.extra.push_back(std::move(argument));
        run_options.time_out = common_.time_out.value_or(default_time_out);
        bool looked = false;
        run_options.enough = [&](const run::Session& session) {
            if (looked || (session.end() && !session.boot()))
                return true;
            if (!started(session))
                return false;
            looked = true;
            prove::Qmp qmp(folder.path());
            look(qmp);
            qmp.quit();
            return true;
        };
        run::Session session(appliance_.partitions, {});
        const run::Outcome outcome = run::boot(qemu, run_options, session);
        if (!looked)
            throw outcome.failure ? diagnostic::Failure(*outcome.failure)
                                  : diagnostic::fail("E0901", "the machine did not come so far");
    }

    [[nodiscard]] const std::vector<prove::Item>& items() const { return items_; }

private:
    void intend(const prove::Board& board) {
        if (const auto problem = prove::intend(summary_.table, summary_.shapes(), summary_.header.total_size,
                                               loader_, board, intended_))
            throw diagnostic::fail("E0311", "the plan cannot be bound: " + *problem);
    }

    void add(const std::string& prefix, std::vector<prove::Item> items) {
        for (prove::Item& item : items) {
            item.name.insert(0, prefix);
            items_.push_back(std::move(item));
        }
    }

    // All partitions have begun, or it is over already.
    [[nodiscard]] static bool started(const run::Session& session) {
        if (session.end())
            return true;
        return session.boot() &&
               std::all_of(session.partitions().begin(), session.partitions().end(),
                           [&](const run::PartitionResult& partition) {
                               return std::any_of(session.audit().begin(), session.audit().end(),
                                                  [&](const std::string& record) {
                                                      return record.starts_with("event=start ") &&
                                                             record.find(" partition=" + partition.name +
                                                                         " ") != std::string::npos;
                                                  });
                           });
    }

    // Until nothing is on its way: a vCPU about to be entered, a window that the hypervisor has open just now.
    void look(prove::Qmp& qmp) {
        std::vector<prove::Range> readable = intended_.usable;
        if (!intended_.wishes.empty())
            readable.push_back(prove::vtd_registers);
        qmp.set_memory(std::move(readable));
        std::vector<prove::Item> found;
        for (unsigned i = 0; i < most_looks; ++i) {
            qmp.stop();
            bool settled = true;
            found = examine(qmp, settled);
            if (settled)
                break;
            try {
                qmp.go_on();
            } catch (const diagnostic::Failure&) { // it has ended
                break;
            }
            std::this_thread::sleep_for(between_looks);
        }
        add("live/", std::move(found));
    }

    std::vector<prove::Item> examine(prove::Qmp& qmp, bool& settled) {
        if (board_.bundle_base == 0)
            find_bundle(qmp);
        prove::LiveInput input;
        input.memory = &qmp;
        input.intended = &intended_;
        input.loader = &loader_;
        input.cpus = qmp.registers();
        input.functions = qmp.functions();
        input.bundle = [this](std::uint64_t offset, std::span<std::byte> to) {
            return file_.source().copy(offset, to);
        };
        std::vector<prove::Item> items = prove::check_machine(input, settled);
        const auto good = [](const std::vector<prove::Item>& list) {
            return std::count_if(list.begin(), list.end(),
                                 [](const prove::Item& item) { return item.passed; });
        };
        if (good(items) == static_cast<std::ptrdiff_t>(items.size()))
            return items;
        // Whether the CPU has 1 GiB pages decides where bind() puts large memories.
        board_.huge_pages = !board_.huge_pages;
        intend(board_);
        bool other_settled = true;
        std::vector<prove::Item> other = prove::check_machine(input, other_settled);
        if (good(other) > good(items)) {
            settled = other_settled;
            return other;
        }
        board_.huge_pages = !board_.huge_pages;
        intend(board_);
        return items;
    }

    void find_bundle(prove::Qmp& qmp) {
        std::vector<std::byte> first(4096), there(4096);
        if (!file_.source().copy(0, first))
            throw diagnostic::fail("E0601", "cannot read " + appliance_.bundle.string());
        board_.bundle_base = intended_.bundle.base;
        if (!qmp.read(board_.bundle_base, there) || there != first)
            board_.bundle_base = prove::find_bundle(qmp, intended_.usable, first);
        if (board_.bundle_base == 0)
            throw diagnostic::fail("E0907", "the bundle is nowhere in the machine's memory");
        intend(board_);
    }

    const ProveOptions& options_;
    const Common& common_;
    Runnable appliance_;
    bundle::FileSource file_;
    bundle::BundleSummary summary_;
    prove::LoaderImage loader_;
    prove::Board board_;
    prove::Intended intended_;
    std::vector<prove::Item> items_;
};

int prove(const ProveOptions& options, const Common& common, Report& report) {
    Prover prover(options, common, report);
    prover.plan();
    if (options.live)
        prover.live();
    Json items = Json::array();
    std::size_t passed = 0;
    for (const prove::Item& item : prover.items()) {
        passed += item.passed ? 1 : 0;
        items.push_back({{"name", item.name}, {"passed", item.passed}, {"detail", item.detail}});
        report.line(fmt::format("{:<6}{:<28} {}", item.passed ? "holds" : "FAILS", item.name, item.detail));
    }
    report.line(fmt::format("{} of {} hold", passed, prover.items().size()));
    report.data({{"schema", "caisson.prove/1"}, {"items", items}});
    return static_cast<int>(passed == prover.items().size() ? diagnostic::ExitCode::done
                                                            : diagnostic::ExitCode::answer_is_no);
}

} // namespace

void declare_prove(Command& root) {
    root.add<ProveOptions>(
        "prove", "Does the plan, and with --live the machine, keep its promises?", "caisson prove --live",
        [](Command& command, ProveOptions& options) {
            options.appliance.declare(command);
            command.flag("--live", options.live,
                         "boot under QEMU and compare the running machine, page for page");
            options.qemu.declare(command);
        },
        prove);
}

} // namespace cli
