#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <variant>
#include <vector>

#include "engine/scheduler.h"

namespace spct {

struct EngineStats {
  SchedulerStats scheduler;
  // Milliseconds ago; infinite before the first decode.
  double since_first_decode;  // the engine went from idle to decoding
  double since_last_decode;   // a decode ended
};

// Owns a model and the thread that alone uses it: receive, plan, decode, commit, emit.
class Engine {
 public:
  // Called on the engine's thread, never under a lock, once per finished sample.
  using OnResult = std::function<void(SampleResult)>;

  Engine(std::unique_ptr<Model> model, OnResult on_result);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // From any thread. Throws what validate() throws, and CLOSED.
  void submit(GroupRequest request);
  void cancel(int64_t group);

  // Runs `work` on the engine's thread when everything submitted before has ended; what is submitted later waits for
  // it, and starts from an empty KV cache. From any thread. The future has what it throws, or CLOSED.
  std::shared_future<void> run_alone(std::function<void()> work);

  // Ends what is running (every open sample is emitted as cancelled) and joins the thread. Idempotent; from any thread
  // but the engine's own.
  void close();

  EngineStats stats() const;
  const ModelLimits& limits() const { return limits_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Alone {
    std::function<void()> work;
    std::promise<void> done;
  };
  using Arrival = std::variant<GroupRequest, Alone>;
  struct Inbox {
    std::vector<Arrival> arrivals;
    std::vector<int64_t> cancellations;
    bool close = false;
    bool empty() const { return arrivals.empty() && cancellations.empty() && !close; }
  };

  void run();
  bool receive();
  void start(GroupRequest request);
  void start_arrivals();
  void run(Alone& alone);
  void cancel_now(int64_t group);
  void step();
  void forget(const Plan& plan);
  DecodeStatus decode(Plan& plan);
  void emit();

  std::unique_ptr<Model> model_;
  const ModelLimits limits_;
  OnResult on_result_;
  Scheduler scheduler_;
  // Engine thread only.
  std::deque<Arrival> arrivals_;  // not started; the first one is work that waits to be alone
  std::vector<int64_t> open_groups_;
  bool decoding_ = false;  // since it was last idle

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  Inbox inbox_;           // guarded by mutex_
  bool closed_ = false;   // guarded by mutex_
  SchedulerStats stats_;  // guarded by mutex_
  // Guarded by mutex_.
  std::optional<Clock::time_point> first_decode_;  // of the present busy time, or of the last one
  std::optional<Clock::time_point> last_decode_;
  std::mutex join_mutex_;
  std::thread thread_;  // guarded by join_mutex_ after construction
};

}  // namespace spct
