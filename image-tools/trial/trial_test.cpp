// SPDX-License-Identifier: Apache-2.0
// image-tools/trial/trial_test.cpp - answers as bytes; tests against a session that is fed by hand and a server of ours.
#include "image-tools/trial/trial.hpp"

#include "hypervisor/core/audit/whole_frame_test.hpp"
#include "image-tools/trial/answer.hpp"

#include <array>
#include <functional>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace {

using Look = manifest::Test; // gtest has a Test too
using trial::Time;
using trial::Trial;

TEST(Answer, IsReadOnceItIsWhole) {
    const std::string_view page = "HTTP/1.1 200 OK\r\nContent-length:  5 \r\n\r\nready and more";
    EXPECT_EQ(trial::read_http_answer(page, false)->body, "ready");
    EXPECT_FALSE(trial::read_http_answer(page.substr(0, 44), false)) << "4 of 5 bytes";
    EXPECT_FALSE(trial::read_http_answer(page.substr(0, 44), true)) << "cut off";
    const std::string_view open = "HTTP/1.0 404 Not Found\n\nnone";
    EXPECT_FALSE(trial::read_http_answer(open, false)) << "its length is where it ends";
    EXPECT_EQ(trial::read_http_answer(open, true)->status, 404u);
    for (const char* wrong :
         {"", "HTTP/1.1 200", "HTTP/2 200 OK\n\n", "HTTP/1.1 2x0 OK\n\n", "HTTP/1.1 2000\n\n", "+OK\r\n\r\n",
          "HTTP/1.1 099 no\n\n", "HTTP/1.1 200 OK\nno end"})
        EXPECT_FALSE(trial::read_http_answer(wrong, true)) << wrong;
}

TEST(Answer, LinesAreLookedThrough) {
    EXPECT_TRUE(trial::has_line("one\ntwo three", "two"));
    EXPECT_FALSE(trial::has_line("one\ntwo", "one\ntwo"));
    EXPECT_EQ(trial::last_line("one\n\x1b[31mtwo\r\n"), "?[31mtwo");
}

// A server on this computer that says the same to each; one connection at a time, in the thread of the test.
class Server {
public:
    enum class Then { closes, waits };
    explicit Server(std::string says, Then then = Then::closes)
        : says_(std::move(says)), then_(then), socket_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof address;
        EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), length), 0);
        EXPECT_EQ(::listen(socket_, 8), 0);
        EXPECT_EQ(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &length), 0);
        port_ = ntohs(address.sin_port);
    }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    ~Server() {
        ::close(socket_);
        for (const int one : open_)
            ::close(one);
    }
    void step() {
        const int one = ::accept4(socket_, nullptr, nullptr, SOCK_NONBLOCK);
        if (one >= 0) {
            ++taken_;
            open_.push_back(one);
        }
        for (const int each : open_) {
            std::array<char, 4096> bytes{};
            const ssize_t got = ::recv(each, bytes.data(), bytes.size(), 0);
            if (got <= 0)
                continue;
            heard_.append(bytes.data(), static_cast<std::size_t>(got));
            EXPECT_EQ(::send(each, says_.data(), says_.size(), MSG_NOSIGNAL),
                      static_cast<ssize_t>(says_.size()));
            if (then_ == Then::closes)
                ::shutdown(each, SHUT_WR);
        }
    }
    [[nodiscard]] std::uint16_t port() const { return port_; }
    [[nodiscard]] const std::string& heard() const { return heard_; }
    [[nodiscard]] unsigned taken() const { return taken_; }

private:
    std::string says_, heard_;
    Then then_;
    std::vector<int> open_;
    int socket_ = -1;
    std::uint16_t port_ = 0;
    unsigned taken_ = 0;
};

template <typename What> Look test_of(What what, std::uint32_t within_ms = 1000) {
    Look out;
    out.name = "it";
    out.partition.value = "web";
    out.within_ms = within_ms;
    out.what = std::move(what);
    return out;
}

class Machine {
public:
    explicit Machine(std::vector<Look> tests, std::uint16_t port = 0)
        : Machine(std::move(tests), [port] { return port; }) {}
    Machine(std::vector<Look> tests, std::function<std::uint16_t()> port)
        : tests_(std::move(tests)),
          trial_(tests_, [port = std::move(port)](const std::string&, std::uint16_t) { return port(); }),
          session_({"web", "db"}, {[this](std::size_t partition, std::string_view bytes, unsigned stream) {
                                       trial_.output(session_.partitions()[partition].name, bytes, stream);
                                   },
                                   {},
                                   {},
                                   {}}) {}
    void says(std::uint32_t partition, std::string_view text,
              audit::FrameType type = audit::FrameType::output) {
        feed(frames_.frame({type, partition, 1}, text));
    }
    void ends(std::string_view name, unsigned status, bool last) {
        feed(frames_.frame({audit::FrameType::exit, audit::hypervisor_id, 1},
                           "partition=" + std::string(name) +
                               " generation=1 status=" + std::to_string(status) +
                               " reason=exit detail=none exits=0 refusals=0 dropped=0 started=0 "
                               "first_output=0 ended=0 last=" +
                               (last ? "1" : "0")));
    }
    void notes(std::string_view name, std::string_view text) {
        feed(frames_.frame({audit::FrameType::audit, audit::hypervisor_id, 1},
                           "event=note seq=1 partition=" + std::string(name) + " text=" + std::string(text)));
    }
    bool step(unsigned ms, bool over = false) { return trial_.step(Time(ms), session_, over); }
    // Until it is decided, a server beside it.
    bool settle(Server& server, unsigned from_ms, unsigned to_ms) {
        for (unsigned now = from_ms; now <= to_ms; now += 20) {
            if (step(now))
                return true;
            server.step();
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        return false;
    }
    [[nodiscard]] const std::string& failure(std::size_t at = 0) const {
        return trial_.verdicts().at(at).failure;
    }
    [[nodiscard]] const Trial& trial() const { return trial_; }

private:
    void feed(const std::string& text) {
        session_.feed({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    }
    std::vector<Look> tests_;
    Trial trial_;
    run::Session session_;
    audit::FrameLine frames_;
};

TEST(Trial, ALineCountsFromTheStartAndAcrossPieces) {
    Machine machine({test_of(Look::Log{"ready"}), test_of(Look::Log{"to work"})});
    machine.says(1, "ready to work\n"); // another's
    machine.says(0, "rea", audit::FrameType::errors);
    EXPECT_FALSE(machine.step(10));
    machine.says(0, "not here\n");
    machine.says(0, "dy to", audit::FrameType::errors);
    EXPECT_FALSE(machine.step(500));
    machine.says(0, " work", audit::FrameType::errors);
    EXPECT_TRUE(machine.step(1400)) << "the second's time began at 500";
    EXPECT_EQ(machine.trial().failures(), 0u);
}

TEST(Trial, TimeIsOver) {
    Machine machine({test_of(Look::Log{"ready"}, 1500)});
    EXPECT_FALSE(machine.step(1499));
    EXPECT_TRUE(machine.step(1500));
    EXPECT_EQ(machine.failure(), "not within 1500 ms: no line of its output had it");
}

TEST(Trial, AnEndForGoodIsJudgedAtOnce) {
    Machine machine({test_of(Look::Exit{3}), test_of(Look::Exit{4}), test_of(Look::Log{"ready"})});
    machine.ends("web", 3, false);
    EXPECT_FALSE(machine.step(1)) << "it is started again";
    machine.ends("db", 4, true);
    machine.ends("web", 3, true);
    EXPECT_TRUE(machine.step(2));
    EXPECT_EQ(machine.failure(0), "");
    EXPECT_EQ(machine.failure(1), "it ended with status 3 (exit)");
    EXPECT_EQ(machine.failure(2), "'web' ended before, status 3 (exit)");
}

TEST(Trial, TheMachineEnds) {
    Machine machine({test_of(Look::Exit{0})});
    EXPECT_TRUE(machine.step(5, true));
    EXPECT_EQ(machine.failure(), "the machine ended before: it has not ended");
}

TEST(Trial, WhomAContainerReaches) {
    Machine machine({test_of(Look::Reach{"db:1", true, 0}), test_of(Look::Reach{"db:2", false, 1}),
                     test_of(Look::Reach{"db:3", false, 2}), test_of(Look::Reach{"db:4", false, 3}),
                     test_of(Look::Reach{"db:5", true, 4})});
    EXPECT_FALSE(machine.step(1));
    machine.notes("web", "probe%3D0:111");
    EXPECT_FALSE(machine.step(2)) << "it is tried again";
    machine.notes("db", "probe%3D0:0"); // another's
    machine.notes("web", "probe%3Dx:0");
    machine.notes("web", "probe%3D0:0x");
    EXPECT_FALSE(machine.step(3));
    machine.notes("web", "probe%3D0:0");
    machine.notes("web", "probe%3D1:13");
    machine.notes("web", "probe%3D2:0");
    machine.notes("web", "probe%3D3:111");
    machine.notes("web", "probe%3D4:13");
    machine.step(4);
    EXPECT_TRUE(machine.step(5000));
    EXPECT_EQ(machine.failure(0), "");
    EXPECT_EQ(machine.failure(1), "");
    EXPECT_EQ(machine.failure(2), "it connected");
    EXPECT_EQ(machine.failure(3),
              "connect said: Connection refused: nobody listens there, but it got through");
    EXPECT_EQ(machine.failure(4), "not within 1 s: connect said: Permission denied");
}

TEST(Trial, HowAContainerIs) {
    Machine machine({test_of(Look::Healthy{true}), test_of(Look::Healthy{false})});
    EXPECT_FALSE(machine.step(1));
    machine.notes("web", "health%3Dhealthy");
    EXPECT_FALSE(machine.step(2));
    machine.ends("web", 137, false);
    EXPECT_TRUE(machine.step(1002));
    EXPECT_EQ(machine.failure(0), "");
    EXPECT_EQ(machine.failure(1), "not within 1 s: it is starting") << "in a new generation";
}

Look::Http page(unsigned status, std::string body) {
    Look::Http out;
    out.port = 80;
    out.path = "/there";
    out.status = status;
    out.body = std::move(body);
    return out;
}

TEST(Trial, APageIsAskedFor) {
    Server server("HTTP/1.0 200 OK\r\n\r\nit works");
    Machine machine(
        {test_of(page(200, "works")), test_of(page(200, "fails"), 700), test_of(page(404, ""), 100)},
        server.port());
    EXPECT_TRUE(machine.settle(server, 0, 5000));
    EXPECT_TRUE(server.heard().starts_with("GET /there HTTP/1.0\r\nHost: localhost\r\n"));
    EXPECT_EQ(machine.failure(0), "");
    EXPECT_EQ(machine.failure(1), "not within 700 ms: the body does not have the text");
    EXPECT_EQ(machine.failure(2), "not within 100 ms: it answered with status 200");
    EXPECT_GT(server.taken(), 3u) << "it is asked again";
}

TEST(Trial, AnAnswerThatIsOnItsWayDoesNotHideTheOneBefore) {
    Server server("HTTP/1.0 404 Not Found\r\n\r\nnone"), slow("HTTP/1.0 200 OK\r\n", Server::Then::waits);
    bool first = true;
    Machine machine({test_of(page(200, ""), 600)},
                    [&] { return std::exchange(first, false) ? server.port() : slow.port(); });
    for (unsigned now = 0; now < 600; now += 20) {
        EXPECT_FALSE(machine.step(now));
        server.step();
        slow.step();
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    EXPECT_TRUE(machine.step(600));
    EXPECT_FALSE(slow.heard().empty());
    EXPECT_EQ(machine.failure(), "not within 600 ms: it answered with status 404");
}

TEST(Trial, NobodyAnswers) {
    const std::uint16_t port = trial::free_port();
    Machine machine({test_of(page(200, "")), test_of(Look::Tcp{80, "", "+OK"})}, port);
    for (unsigned now = 0; now < 2500; now += 100)
        machine.step(now);
    EXPECT_EQ(machine.failure(0), "not within 1 s: nobody answered");
    EXPECT_EQ(machine.failure(1), "not within 1 s: it said nothing");
}

TEST(Trial, SomethingIsSaidAndALineComes) {
    Server server("-ERR\r\n+PONG\r\n");
    Machine machine(
        {test_of(Look::Tcp{6379, "PING\r\n", "+PONG"}), test_of(Look::Tcp{6379, "X", "+OK"}, 300)},
        server.port());
    EXPECT_TRUE(machine.settle(server, 0, 5000));
    EXPECT_TRUE(server.heard().starts_with("PING\r\n"));
    EXPECT_EQ(machine.failure(0), "");
    EXPECT_EQ(machine.failure(1), "not within 300 ms: it said: +PONG");
}

} // namespace
