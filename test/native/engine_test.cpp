#include "engine/engine.h"

#include <chrono>
#include <set>

#include "check.h"
#include "fake_model.h"

using namespace spct;

namespace {

ModelLimits small_limits() {
  ModelLimits limits;
  limits.cells = limits.cells_per_sequence = 512;
  limits.max_sequences = 8;
  limits.batch_tokens = 64;
  limits.vocabulary = 256;
  return limits;
}

GroupRequest request(int64_t id, int samples, int32_t max_tokens) {
  GroupRequest request;
  request.id = id;
  request.prompts = {{1, 2, 3, static_cast<int32_t>(id % 100)}};
  request.samples.assign(static_cast<size_t>(samples), SampleSpec{});
  request.max_tokens = max_tokens;
  return request;
}

// Collects results and lets the test wait for a number of them.
class Results {
 public:
  Engine::OnResult sink() {
    return [this](SampleResult result) {
      const std::lock_guard<std::mutex> lock(mutex_);
      all_.push_back(std::move(result));
      changed_.notify_all();
    };
  }
  bool wait_for(size_t count) {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(60), [&] { return all_.size() >= count; });
  }
  std::vector<SampleResult> all() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return all_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<SampleResult> all_;
};

int32_t seven(const std::vector<int32_t>&, const Draw&) { return 7; }

void many_threads_submit() {
  Results results;
  Engine engine(std::make_unique<FakeModel>(small_limits(), seven), results.sink());
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&engine, thread] {
      for (int i = 0; i < 25; ++i) engine.submit(request(thread * 25 + i, 3, 4));
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(results.wait_for(300));
  std::set<std::pair<int64_t, int32_t>> seen;
  for (const auto& result : results.all()) {
    CHECK(result.tokens.size() == 4);
    seen.emplace(result.group, result.sample);
  }
  CHECK(seen.size() == 300);
}

void closing_cancels_what_is_open() {
  Results results;
  Engine engine(std::make_unique<FakeModel>(small_limits(), seven), results.sink());
  for (int64_t id = 0; id < 20; ++id) engine.submit(request(id, 5, 500));
  engine.close();
  engine.close();
  CHECK(results.all().size() == 100);
  int last = 0;
  for (const auto& result : results.all()) last += result.last_of_group;
  CHECK(last == 20);
  bool refused = false;
  try {
    engine.submit(request(99, 1, 1));
  } catch (const Error& error) {
    refused = error.code() == "CLOSED";
  }
  CHECK(refused);
}

void a_cancelled_group_ends_and_others_go_on() {
  Results results;
  Engine engine(std::make_unique<FakeModel>(small_limits(), seven), results.sink());
  engine.submit(request(1, 4, 500));
  engine.submit(request(2, 4, 40));
  engine.cancel(1);
  CHECK(results.wait_for(8));
  for (const auto& result : results.all()) {
    if (result.group == 2) CHECK(result.tokens.size() == 40);
  }
}

void an_engine_survives_a_failing_step() {
  auto model = std::make_unique<FakeModel>(small_limits(), seven);
  model->fail_at_step = 1;
  Results results;
  Engine engine(std::move(model), results.sink());
  engine.submit(request(1, 2, 10));
  CHECK(results.wait_for(2));
  for (const auto& result : results.all()) CHECK(result.error_code == "DECODE_FAILED");
  engine.submit(request(2, 2, 10));
  CHECK(results.wait_for(4));
  for (const auto& result : results.all()) {
    if (result.group == 2) CHECK(result.tokens.size() == 10);
  }
}

// Work that wants the engine alone waits for what was there before and holds up what comes after.
void work_alone_runs_between_groups() {
  Results results;
  Engine engine(std::make_unique<FakeModel>(small_limits(), seven), results.sink());
  engine.submit(request(1, 20, 400));
  size_t finished_before = 0;
  const auto done = engine.run_alone([&] { finished_before = results.all().size(); });
  engine.submit(request(2, 3, 10));
  engine.submit(request(3, 3, 10));
  engine.cancel(3);  // waits for its start still
  done.get();
  CHECK(results.wait_for(26));
  CHECK(finished_before == 20 || finished_before == 23);  // group 3 may have been cancelled by then
  for (const auto& result : results.all()) {
    if (result.group == 2) CHECK(result.tokens.size() == 10);
  }
  const auto failing = engine.run_alone([] { throw Error("FAKE", "fails"); });
  CHECK_THROWS(failing.get(), Error);
  engine.submit(request(4, 20, 500));
  const auto never = engine.run_alone([] {});
  engine.close();
  CHECK_THROWS(never.get(), Error);
  CHECK_THROWS(engine.run_alone([] {}), Error);
}

}  // namespace

int main() {
  many_threads_submit();
  closing_cancels_what_is_open();
  a_cancelled_group_ends_and_others_go_on();
  an_engine_survives_a_failing_step();
  work_alone_runs_between_groups();
  return check_result();
}
