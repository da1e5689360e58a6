// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/command_bench.cpp - bench: figures in instructions, the same on every machine.
//
// Every figure is a boot under QEMU with -icount shift=0: the TSC counts retired instructions. Figures are taken with the
// other CPUs halted (docs/benchmarks.md). Guests: lib/caisson/bench/{exitbench.elf,latency.elf,hello-static,calls}.
#include "image-tools/build/build.hpp"
#include "image-tools/cli/appliance_run.hpp"
#include "image-tools/cli/commands.hpp"
#include "image-tools/manifest/values.hpp"
#include "image-tools/oci/create.hpp"
#include "image-tools/plan/guest_layout.hpp"
#include "image-tools/run/machine.hpp"

#include <charconv>
#include <fmt/format.h>
#include <random>
#include <sstream>

namespace cli {
namespace {

constexpr std::uint64_t hello_memory = std::uint64_t{16} << 20;
constexpr std::uint64_t filler_bytes = std::uint64_t{8} << 20;
constexpr std::uint64_t memory_grain = 64 * 1024;
constexpr unsigned flood_rounds = 50'000; // of five exits

struct Figure {
    std::string name;
    double value = 0; // exact for whole numbers below 2^53
    std::string unit;
};

// What one boot left: the records, and all output of the first partition.
struct Boot {
    run::Session session;
    std::string output;
    int exit_code = 125;
};

struct BenchOptions {
    std::string cpu = "max,+svm";
};

class Bench {
public:
    Bench(const BenchOptions& options, const Common& common, Report& report)
        : options_(options), common_(common), report_(report), library_(bundle::Library::find()),
          qemu_(run::find_qemu()), work_(std::filesystem::temp_directory_path()),
          exitbench_(library_.file("bench/exitbench.elf")) {
        make_image("hello", 0);
        make_image("filled", filler_bytes);
    }

    void run_all() {
        exits();
        latencies();
        hello();
        restart();
        eight();
        smallest();
        hashing();
        calls();
    }
    [[nodiscard]] const std::vector<Figure>& figures() const { return figures_; }

private:
    void make_image(const std::string& name, std::uint64_t filler) {
        const std::filesystem::path root = work_.path() / (name + ".root");
        std::filesystem::create_directories(root / "bin");
        std::filesystem::copy_file(library_.file("bench/hello-static"), root / "bin" / "hello");
        if (filler > 0) {
            std::mt19937_64 random(1);
            std::string bytes(filler, '\0');
            for (char& byte : bytes)
                byte = static_cast<char>(random());
            files::write_new_file(root / "filler", bytes, 0644);
        }
        pack(name, "/bin/hello");
    }

    // The image NAME of the folder NAME.root.
    void pack(const std::string& name, const std::string& entrypoint) {
        oci::CreateOptions create;
        create.from = work_.path() / (name + ".root");
        create.to = oci::parse_reference("oci:" + (work_.path() / name).string());
        create.entrypoint = {entrypoint};
        create.compress = false;
        static_cast<void>(oci::create_image(create));
    }

    [[nodiscard]] std::string image(const std::string& name, std::uint64_t memory,
                                    const std::string& more = {}) const {
        return "{image: \"oci:" + (work_.path() / name).string() +
               "\", memory: " + std::to_string(memory / 1024) + "KiB" + more + "}";
    }

    // Builds and boots `partitions` ("name: {...}" lines); ends early when `enough` says so. `cpu`: another than the options'.
    Boot boot(const std::vector<std::string>& partitions,
              const std::function<bool(const run::Session&)>& enough = {}, const std::string& cpu = {}) {
        std::string text = "apiVersion: caisson/v1\nname: bench\npartitions:\n";
        for (const std::string& partition : partitions)
            text += "  " + partition + "\n";
        const manifest::Manifest manifest = manifest::parse("bench.yaml", text, work_.path());
        build::BuildOptions build;
        build.bundle = work_.path() / "bench.bundle";
        const build::BuildResult built = build::build(manifest, library_, build);
        Runnable runnable{built.bundle, built.elf, {}, {}, 0, 0};
        size_machine(runnable);
        std::string output;
        run::Listener listener;
        listener.output = [&](std::size_t partition, std::string_view bytes, unsigned) {
            if (partition == 0)
                output += bytes;
        };
        Boot out{run::Session(runnable.partitions, listener), {}, 125};
        run::RunOptions run;
        run.qemu = {runnable.elf,
                    runnable.bundle,
                    cpu.empty() ? options_.cpu : cpu,
                    runnable.cpus,
                    runnable.memory,
                    true,
                    {}};
        run.time_out = common_.time_out.value_or(std::chrono::minutes(5));
        run.enough = enough;
        out.exit_code = run::boot(qemu_, run, out.session).exit_code;
        out.output = std::move(output);
        return out;
    }

    void add(const std::string& name, std::uint64_t value, const std::string& unit) {
        figures_.push_back({name, static_cast<double>(value), unit});
        report_.line(fmt::format("{:<28} {:>14} {}", name, value, unit));
    }

    [[noreturn]] static void failed(std::string_view what) {
        throw diagnostic::fail("E0906", "the benchmark " + std::string(what) + " did not come to its end")
            .help("boot the same guest with: caisson run -v --icount");
    }

    static const run::Ending& first_ending(const Boot& boot, std::string_view what) {
        if (!boot.session.boot() || boot.session.partitions().empty() ||
            boot.session.partitions()[0].endings.empty())
            failed(what);
        return boot.session.partitions()[0].endings.front();
    }

    // "@@ EX cpuid0 n=1001 min=102 med=102 ..." -> 102
    static std::uint64_t median(const std::string& output, const std::string& name,
                                std::string_view benchmark = "exitbench") {
        const std::size_t line = output.find("@@ EX " + name + " ");
        const std::size_t at = output.find("med=", line);
        std::uint64_t value = 0;
        if (line == std::string::npos || at == std::string::npos ||
            std::from_chars(output.data() + at + 4, output.data() + output.size(), value).ec != std::errc{})
            failed(benchmark);
        return value;
    }

    void exits() {
        const Boot boot_result = boot({"exits: {kernel: \"" + exitbench_.string() + "\", memory: 4MiB}"});
        add("exit_cpuid", median(boot_result.output, "cpuid0"), "instructions");
        add("exit_hypercall", median(boot_result.output, "vmmcall17"), "instructions");
        add("steady_state_exits_svm", median(boot_result.output, "steady_exits"), "exits");
    }

    // Of a partition beside one that does what `other` says, until `ends` of the two have ended. Its count of its own
    // instructions is all that its CPU did only where it never left guest mode.
    Boot latency(const std::string& figure, const std::string& other, std::size_t ends) {
        const std::string kernel =
            "{kernel: \"" + library_.file("bench/latency.elf").string() + "\", memory: 4MiB, cmdline: ";
        Boot result = boot({"measure: " + kernel + "measure}", "other: " + kernel + other + "}"},
                           [ends](const run::Session& session) {
                               const auto& all = session.partitions();
                               return !all[0].endings.empty() && (ends < 2 || !all[1].endings.empty());
                           });
        if (median(result.output, "latency_exits", figure) != 0)
            failed(figure);
        add(figure, median(result.output, "latency", figure), "instructions");
        return result;
    }

    void latencies() {
        static_cast<void>(latency("interrupt_latency_idle", "rest", 1));
        const Boot flooded = latency("interrupt_latency_flood", fmt::format("flood {}", flood_rounds), 2);
        const auto& all = flooded.session.partitions();
        if (all[1].endings.empty() || all[1].endings[0].ended < all[0].endings[0].ended)
            failed("interrupt_latency_flood"); // the flood was over too early
    }

    void hello() {
        const Boot result = boot({"hello: " + image("hello", hello_memory)});
        const run::Ending& ending = first_ending(result, "hello");
        const run::BootFigures& figures = *result.session.boot();
        if (result.exit_code != 0 || ending.first_output <= figures.entry)
            failed("hello");
        add("boot_to_hello", ending.first_output - figures.entry, "instructions");
        add("boot_verify", figures.verified - figures.entry, "instructions");
        add("boot_ready", figures.ready - figures.entry, "instructions");
        add("hello_memory", hello_memory, "bytes");
        add("hello_bundle", figures.memory_bundle, "bytes");
    }

    void restart() {
        const Boot result =
            boot({"hello: " + image("hello", hello_memory, ", restart: always, restartDelay: 0s")},
                 [](const run::Session& session) { return session.partitions()[0].endings.size() >= 2; });
        const auto& endings = result.session.partitions()[0].endings;
        if (endings.size() < 2 || endings[1].first_output <= endings[0].ended)
            failed("restart");
        add("restart_to_hello", endings[1].first_output - endings[0].ended, "instructions");
    }

    void eight() {
        std::vector<std::string> partitions;
        for (int i = 0; i < 8; ++i)
            partitions.push_back(fmt::format("hello{}: {}", i, image("hello", hello_memory)));
        const Boot result = boot(partitions);
        static_cast<void>(first_ending(result, "of eight partitions"));
        const run::BootFigures& figures = *result.session.boot();
        add("hypervisor_memory_8", figures.memory_hypervisor, "bytes");
        add("bundle_memory_8", figures.memory_bundle, "bytes");
        add("partition_memory_8", figures.memory_partitions, "bytes");
    }

    // The least RAM with which hello still ends with 0, to 64 KiB; what core/plan refuses is below it.
    void smallest() {
        std::uint64_t low = ::plan::min_memory - memory_grain, high = hello_memory;
        while (high - low > memory_grain) {
            const std::uint64_t middle = low + (high - low) / 2 / memory_grain * memory_grain;
            bool runs = false;
            try {
                runs = boot({"hello: " + image("hello", middle)}).exit_code == 0;
            } catch (const diagnostic::Failure& failure) {
                if (failure.diagnostic().exit != diagnostic::ExitCode::manifest)
                    throw;
            }
            (runs ? high : low) = middle;
        }
        const rootfs::RootImage root = rootfs::RootImage::build(
            oci::Image::open(oci::parse_reference("oci:" + (work_.path() / "hello").string())),
            work_.path() / "hello.erofs", {});
        add("smallest_hello_ram", high, "bytes");
        add("smallest_hello_root", root.size(), "bytes");
        add("smallest_hello", high + root.size(), "bytes");
    }

    // The same start with 8 MiB more root image: what a byte costs to verify, in hundredths rounded down.
    void hashing() {
        const Boot small = boot({"hello: " + image("hello", hello_memory)});
        const Boot large = boot({"hello: " + image("filled", hello_memory)});
        const std::uint64_t base = first_ending(small, "hash").started - small.session.boot()->entry;
        const std::uint64_t more = first_ending(large, "hash").started - large.session.boot()->entry;
        const std::uint64_t bytes = large.session.boot()->memory_bundle - small.session.boot()->memory_bundle;
        if (more <= base || bytes == 0)
            failed("hash");
        const double each = static_cast<double>((more - base) * 100 / bytes) / 100;
        figures_.push_back({"hash_per_byte", each, "instructions"});
        report_.line(fmt::format("{:<28} {:>14.2f} instructions", "hash_per_byte", each));
    }

    // System calls and faults of a program in a container: lines "@@ CALL name instructions" of bench/calls. The CPU does not offer
    // ERMS and FSRM, for QEMU counts every byte of REP MOVSB, and Linux beside it (linux_figures.py) would copy with that.
    void calls() {
        constexpr std::uint64_t memory = std::uint64_t{192} << 20, big_file = std::uint64_t{4} << 20;
        const std::filesystem::path root = work_.path() / "calls.root";
        for (const char* folder : {"bin", "etc", "tmp", "a/b/c/d/e"})
            std::filesystem::create_directories(root / folder);
        std::filesystem::copy_file(library_.file("bench/calls"), root / "bin" / "calls");
        files::write_new_file(root / "bigfile", std::string(big_file, 'b'), 0644);
        files::write_new_file(root / "etc/data", std::string(10'000, 'd'), 0644);
        files::write_new_file(root / "a/b/c/d/e/file", "f", 0644);
        pack("calls", "/bin/calls");
        for (const auto& [name, value] : run_calls(image("calls", memory)))
            add("call_" + name, value, "instructions");
        const std::uint64_t free = run_calls(image("calls", memory, ", args: [getppid]")).front().second;
        const std::uint64_t held =
            run_calls(image("calls", memory, ", args: [getppid], security: {syscalls: default}"))
                .front()
                .second;
        add("policy_per_call", held - std::min(free, held), "instructions");
    }

    using Calls = std::vector<std::pair<std::string, std::uint64_t>>;
    Calls run_calls(const std::string& partition) {
        const Boot result = boot({"calls: " + partition}, {}, "max,-erms,-fsrm,+svm");
        std::istringstream lines(result.output);
        Calls out;
        for (std::string line; std::getline(lines, line);) {
            std::istringstream words(line);
            std::string mark, kind, name;
            std::uint64_t value = 0;
            if (words >> mark >> kind >> name >> value && mark == "@@" && kind == "CALL")
                out.emplace_back(name, value);
        }
        if (result.exit_code != 0 || out.empty())
            failed("calls");
        return out;
    }

    const BenchOptions& options_;
    const Common& common_;
    Report& report_;
    bundle::Library library_;
    run::Qemu qemu_;
    build::WorkFolder work_;
    std::filesystem::path exitbench_;
    std::vector<Figure> figures_;
};

// Whole numbers without a fraction.
Json number(double value) {
    const auto whole = static_cast<std::uint64_t>(value);
    return static_cast<double>(whole) == value ? Json(whole) : Json(value);
}

int bench(const BenchOptions& options, const Common& common, Report& report) {
    Bench bench(options, common, report);
    bench.run_all();
    Json items = Json::array();
    for (const Figure& figure : bench.figures())
        items.push_back({{"name", figure.name}, {"value", number(figure.value)}, {"unit", figure.unit}});
    report.data({{"schema", "caisson.bench/1"}, {"items", items}});
    return 0;
}

} // namespace

void declare_bench(Command& root) {
    root.add<BenchOptions>(
        "bench", "Deterministic figures under QEMU's instruction counter", "caisson bench --format json",
        [](Command& command, BenchOptions& options) {
            command.option("--cpu", options.cpu, value::model, "QEMU's CPU model");
        },
        bench);
}

} // namespace cli
