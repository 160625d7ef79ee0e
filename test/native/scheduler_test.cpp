#include "engine/scheduler.h"

#include <map>
#include <random>

#include "check.h"
#include "fake_model.h"

using namespace spct;
using Tokens = std::vector<int32_t>;

// Any token may follow, also the end; it depends on the whole history and on the sample.
static int32_t scripted_next(const Tokens& history, const Draw& draw) {
  uint64_t hash = draw.seed * 0x9E3779B97F4A7C15u + draw.step;
  for (int32_t token : history) hash = (hash ^ static_cast<uint64_t>(token)) * 0x100000001B3u;
  return static_cast<int32_t>((hash >> 20) % 40);
}

static Tokens expected_tokens(Tokens history, uint64_t seed, int32_t budget) {
  Tokens out;
  while (static_cast<int32_t>(out.size()) < budget) {
    Draw draw;
    draw.seed = seed;
    draw.step = static_cast<uint32_t>(out.size());
    out.push_back(scripted_next(history, draw));
    history.push_back(out.back());
    if (out.back() == FakeModel::end_token) break;
  }
  return out;
}

static ModelLimits limits(int32_t cells, int32_t sequences, int32_t batch, bool head = false) {
  ModelLimits limits;
  limits.cells = limits.cells_per_sequence = cells;
  limits.max_sequences = sequences;
  limits.batch_tokens = batch;
  limits.has_head = head;
  limits.vocabulary = 256;
  return limits;
}

static GroupRequest request(int64_t id, std::vector<Tokens> prompts, int samples, int32_t max_tokens) {
  GroupRequest request;
  request.id = id;
  request.prompts = std::move(prompts);
  request.max_tokens = max_tokens;
  for (int i = 0; i < samples; ++i) {
    request.samples.push_back({i % static_cast<int>(request.prompts.size()), static_cast<uint64_t>(id * 1000 + i), {}});
  }
  return request;
}

// Carries out one plan; returns false when there was nothing to decode.
static bool step(Scheduler& scheduler, FakeModel& model) {
  Plan plan = scheduler.plan();
  if (plan.clear) model.clear();
  for (const auto& removal : plan.removals) model.remove(removal);
  for (const auto& copy : plan.copies) model.copy(copy);
  if (plan.batch.empty()) return false;
  try {
    if (model.decode(plan.batch, plan.draws, plan.heads) == DecodeStatus::ok) {
      scheduler.commit(plan);
    } else {
      scheduler.no_space();
    }
  } catch (const Error& error) {
    scheduler.fail(error.code(), error.what());
  }
  return true;
}

static std::vector<SampleResult> run(Scheduler& scheduler, FakeModel& model) {
  std::vector<SampleResult> results;
  for (int idle = 0; !scheduler.idle();) {
    idle = step(scheduler, model) ? 0 : idle + 1;
    CHECK(idle < 3);
    if (idle >= 3) break;
    for (auto& result : scheduler.take_results()) results.push_back(std::move(result));
  }
  return results;
}

static void check_against_reference(const std::vector<SampleResult>& results,
                                    const std::vector<GroupRequest>& requests) {
  size_t samples = 0;
  for (const auto& request : requests) samples += request.samples.size();
  CHECK(results.size() == samples);
  for (const auto& result : results) {
    const auto& request = requests.at(static_cast<size_t>(result.group));
    const auto& spec = request.samples.at(static_cast<size_t>(result.sample));
    CHECK(result.tokens == expected_tokens(request.prompts[spec.prompt], spec.seed, request.max_tokens));
  }
}

static Tokens range(int32_t first, int32_t count) {
  Tokens tokens;
  for (int32_t i = 0; i < count; ++i) tokens.push_back(first + i % 100);
  return tokens;
}

static Tokens join(const std::vector<Tokens>& parts) {
  Tokens out;
  for (const auto& part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

static void prefills_every_distinct_token_once() {
  const Tokens query = range(1, 60), a = range(100, 40), b = range(140, 50);
  const auto all = limits(4096, 64, 512);
  FakeModel model(all, scripted_next);
  Scheduler scheduler(all, model);
  const auto group = request(0, {join({query, a, b}), join({query, b, a})}, 32, 30);
  scheduler.add(group);
  check_against_reference(run(scheduler, model), {group});
  const SchedulerStats stats = scheduler.stats();
  CHECK(stats.prompt_tokens == 300);
  CHECK(stats.prompt_tokens_computed == 240);
  CHECK(stats.cells_reserved == 0);
  CHECK(stats.active_samples == 0);
}

static void identical_prompts_of_two_groups_are_computed_once() {
  const auto all = limits(4096, 64, 512);
  FakeModel model(all, scripted_next);
  Scheduler scheduler(all, model);
  const std::vector<GroupRequest> groups{request(0, {range(1, 100)}, 4, 10), request(1, {range(1, 100)}, 4, 10)};
  for (const auto& group : groups) scheduler.add(group);
  const auto results = run(scheduler, model);
  check_against_reference(results, groups);
  CHECK(scheduler.stats().prompt_tokens_computed == 100);
  for (const auto& result : results) {
    if (result.last_of_group) CHECK(result.prompt_tokens_computed == (result.group == 0 ? 100 : 0));
  }
}

static void a_long_prompt_is_prefilled_in_chunks() {
  const auto all = limits(4096, 8, 64);
  FakeModel model(all, scripted_next);
  Scheduler scheduler(all, model);
  const auto group = request(0, {range(1, 1000)}, 3, 10);
  scheduler.add(group);
  check_against_reference(run(scheduler, model), {group});
  CHECK(scheduler.stats().prompt_tokens_computed == 1000);
}

static void samples_beyond_the_sequences_are_refilled() {
  const auto all = limits(4096, 4, 64);
  FakeModel model(all, scripted_next);
  Scheduler scheduler(all, model);
  const auto group = request(0, {range(1, 20), range(5, 30)}, 40, 12);
  scheduler.add(group);
  check_against_reference(run(scheduler, model), {group});
}

static void waits_when_the_cache_is_reserved() {
  const auto all = limits(128, 64, 64);
  FakeModel model(all, scripted_next);
  Scheduler scheduler(all, model);
  const auto group = request(0, {range(1, 28)}, 20, 50);
  scheduler.add(group);
  step(scheduler, model);
  CHECK(scheduler.stats().active_samples == 2);
  CHECK(scheduler.stats().cells_reserved == 128);
  check_against_reference(run(scheduler, model), {group});
}

static void the_budget_ends_with_the_context() {
  const auto all = limits(64, 4, 64);
  FakeModel model(all, [](const Tokens&, const Draw&) { return 7; });
  Scheduler scheduler(all, model);
  scheduler.add(request(0, {range(1, 60)}, 1, 1000));
  const auto results = run(scheduler, model);
  CHECK(results.size() == 1);
  CHECK(results[0].tokens.size() == 4);
  CHECK(results[0].reason == FinishReason::length);
}

static void the_head_sees_the_state_after_the_last_token() {
  const auto all = limits(1024, 16, 64, true);
  FakeModel model(all, scripted_next);
  Scheduler scheduler(all, model);
  const auto group = request(0, {{1, 2, 3}}, 5, 20);
  scheduler.add(group);
  const auto results = run(scheduler, model);
  check_against_reference(results, {group});
  for (const auto& result : results) {
    CHECK(result.meta.has_value());
    CHECK_NEAR(*result.meta, 6 + std::accumulate(result.tokens.begin(), result.tokens.end(), 0), 0);
  }
}

static void the_head_sees_a_prompt_without_sampling() {
  const auto all = limits(1024, 5, 64, true);
  FakeModel model(all, scripted_next);
  Scheduler scheduler(all, model);
  // More prompts than sequences, one longer than a batch, some sampled by others at the same time.
  const std::vector<GroupRequest> groups{request(0, {{1, 2, 3}, range(1, 90), {1, 2, 3, 4}, {5}}, 8, 0),
                                         request(1, {{1, 2, 3}}, 3, 6)};
  for (const auto& group : groups) scheduler.add(group);
  const auto results = run(scheduler, model);
  check_against_reference(results, groups);
  for (const auto& result : results) {
    const auto& prompt = groups[result.group].prompts[groups[result.group].samples[result.sample].prompt];
    const int expected = std::accumulate(prompt.begin(), prompt.end(), 0) +
                         std::accumulate(result.tokens.begin(), result.tokens.end(), 0);
    CHECK(result.meta.has_value());
    CHECK_NEAR(*result.meta, expected, 0);
    if (result.group == 0) CHECK(result.reason == FinishReason::length && result.tokens.empty());
  }
  CHECK(scheduler.stats().cells_reserved == 0);
  CHECK(scheduler.stats().generated_tokens ==
        std::accumulate(results.begin(), results.end(), int64_t{0}, [](int64_t sum, const auto& result) {
          return sum + static_cast<int64_t>(result.tokens.size());
        }));
  CHECK_THROWS(validate(request(0, {{1}}, 1, -1), all), Error);
}

static double forced_logprobs(Tokens history, const Tokens& continuation) {
  double sum = 0;
  for (int32_t token : continuation) {
    sum += FakeModel::forced_logprob(history, token);
    history.push_back(token);
  }
  return sum;
}

static void continuations_are_forced_and_share_their_prompt() {
  for (const bool head : {false, true}) {
    const auto all = limits(1024, 16, 64, head);
    FakeModel model(all, [](const Tokens&, const Draw&) { return 7; });
    Scheduler scheduler(all, model);
    auto group = request(0, {range(1, 50)}, 4, 20);
    group.logprobs = true;
    group.samples[0].continuation = {5};
    group.samples[1].continuation = {FakeModel::end_token, 6, 7};  // an end token ends nothing
    group.samples[2].continuation = range(30, 40);
    group.stop = std::make_shared<StopPattern>(".");  // nor does the pattern
    scheduler.add(group);
    auto results = run(scheduler, model);
    CHECK(results.size() == 4);
    for (const auto& result : results) {
      const auto& continuation = group.samples[static_cast<size_t>(result.sample)].continuation;
      if (continuation.empty()) {
        CHECK(result.reason == FinishReason::stop);
        continue;
      }
      CHECK(result.reason == FinishReason::length);
      CHECK(result.tokens == continuation);
      CHECK(result.meta.has_value() == head);
      const double sum = std::accumulate(result.logprobs.begin(), result.logprobs.end(), 0.0);
      CHECK_NEAR(sum, forced_logprobs(group.prompts[0], continuation), 0);
    }
    CHECK(scheduler.stats().prompt_tokens_computed == 50);
    CHECK(scheduler.stats().generated_tokens == 1);
  }
}

static void a_head_alone_rates_the_end_of_the_prompt() {
  const auto all = limits(100, 16, 64, true);
  FakeModel model(all, scripted_next);
  Scheduler scheduler(all, model);
  const std::vector<GroupRequest> groups{request(0, {{1, 2, 3}, {1, 2, 4}}, 2, 0), request(1, {{1, 2, 3}}, 2, 5)};
  for (const auto& group : groups) scheduler.add(group);
  int rated = 0;
  for (const auto& result : run(scheduler, model)) {
    CHECK(result.meta.has_value());
    if (result.group == 1) continue;
    CHECK(result.tokens.empty());
    CHECK(result.reason == FinishReason::length);
    CHECK_NEAR(*result.meta, result.sample == 0 ? 6 : 7, 0);
    ++rated;
  }
  CHECK(rated == 2);
  CHECK(scheduler.stats().prompt_tokens_computed == 4);
  scheduler.add(request(2, {range(1, 100)}, 1, 0));  // as long as the context
  CHECK(run(scheduler, model).size() == 1);
}

static void a_cache_keeps_prompts_between_calls() {
  auto all = limits(1000, 8, 64);
  all.prefix_cache_tokens = 200;
  FakeModel model(all, scripted_next);
  Scheduler scheduler(all, model);
  std::vector<GroupRequest> groups;
  const auto computed_for = [&](const Tokens& prompt) {
    const int64_t before = scheduler.stats().prompt_tokens_computed;
    groups.assign(1, request(0, {prompt}, 3, 10));
    scheduler.add(groups[0]);
    const auto results = run(scheduler, model);
    check_against_reference(results, groups);
    const int64_t computed = scheduler.stats().prompt_tokens_computed - before;
    CHECK(results.back().last_of_group && results.back().prompt_tokens_computed == computed);
    return computed;
  };
  const Tokens instructions = range(1, 80), a = range(10, 20), b = range(50, 20), other = range(60, 150);
  CHECK(computed_for(join({instructions, a})) == 100);
  CHECK(computed_for(join({instructions, b})) == 20);
  CHECK(computed_for(join({instructions, a})) == 1);  // its last row, which gives the first tokens
  CHECK(scheduler.stats().cells_reserved == 120);
  CHECK(computed_for(other) == 150);  // 270 in all: the two others go
  CHECK(scheduler.stats().cells_reserved == 150);
  CHECK(computed_for(instructions) == 80);
  CHECK(computed_for(other) == 150);
  CHECK(computed_for(other) == 1);
  scheduler.drop_cache();
  CHECK(scheduler.stats().cells_reserved == 0);
  CHECK(computed_for(other) == 150);
}

static void a_cache_gives_way() {
  auto all = limits(128, 4, 64);
  all.prefix_cache_tokens = 100;
  FakeModel model(all, scripted_next);
  Scheduler scheduler(all, model);
  std::vector<GroupRequest> groups;
  for (int64_t id = 0; id < 12; ++id) {  // more prompts than sequences, and more tokens than cells
    groups.push_back(request(id, {range(static_cast<int32_t>(1 + 7 * id), 40)}, 2, 40));
    scheduler.add(groups.back());
    if (id % 3 == 2) {
      const std::vector<SampleResult> results = run(scheduler, model);
      CHECK(results.size() == 6);
      for (const auto& result : results) {
        const auto& group = groups[static_cast<size_t>(result.group)];
        const auto& seed = group.samples[static_cast<size_t>(result.sample)].seed;
        CHECK(result.tokens == expected_tokens(group.prompts[0], seed, group.max_tokens));
      }
    }
  }
  CHECK(scheduler.stats().cells_reserved <= 100);
}

static void what_can_be_forgotten_does_not_wait() {
  auto all = limits(1024, 8, 64);
  for (const int32_t cached : {0, 100}) {
    all.prefix_cache_tokens = cached;
    FakeModel model(all, scripted_next);
    Scheduler scheduler(all, model);
    for (int64_t id = 0; id < 3; ++id) {
      const auto group = request(id, {range(static_cast<int32_t>(1 + 11 * id), 60)}, 3, 10);
      scheduler.add(group);
      for (const auto& result : run(scheduler, model)) {
        const auto& seed = group.samples[static_cast<size_t>(result.sample)].seed;
        CHECK(result.tokens == expected_tokens(group.prompts[0], seed, group.max_tokens));
      }
      const Plan left = scheduler.tidy();
      CHECK(left.batch.empty() && left.clear == (cached == 0) && left.removals.empty() == (cached == 0));
      if (left.clear) model.clear();
      for (const auto& removal : left.removals) model.remove(removal);
      const Plan nothing = scheduler.plan();
      CHECK(!nothing.clear && nothing.removals.empty() && nothing.batch.empty());
    }
  }
}

static void stops_at_the_pattern() {
  const auto all = limits(1024, 16, 64);
  const std::string script = "so \\boxed{8, 5} and more";
  FakeModel model(all, [&](const Tokens& history, const Draw&) { return script.at(history.size() - 3); });
  Scheduler scheduler(all, model);
  auto group = request(0, {{1, 2, 3}}, 2, 100);
  group.stop = std::make_shared<StopPattern>("boxed\\{\\d, \\d\\}");
  scheduler.add(group);
  for (const auto& result : run(scheduler, model)) {
    CHECK(result.text == "so \\boxed{8, 5}");
    CHECK(result.reason == FinishReason::stop);
  }
}

static void cancels_running_and_waiting_samples() {
  const auto all = limits(256, 4, 64);
  FakeModel model(all, [](const Tokens&, const Draw&) { return 7; });
  Scheduler scheduler(all, model);
  scheduler.add(request(0, {range(1, 20)}, 10, 50));
  scheduler.add(request(1, {range(1, 20)}, 2, 5));
  for (int i = 0; i < 3; ++i) step(scheduler, model);
  scheduler.cancel(0);
  scheduler.cancel(77);
  int cancelled = 0, finished = 0, last = 0;
  for (const auto& result : run(scheduler, model)) {
    cancelled += result.reason == FinishReason::cancelled;
    finished += result.reason == FinishReason::length;
    last += result.last_of_group;
  }
  CHECK(cancelled == 10);
  CHECK(finished == 2);
  CHECK(last == 2);
  CHECK(scheduler.stats().cells_reserved == 0);
}

static void a_full_cache_preempts_the_youngest_sample() {
  for (int at = 1; at < 12; ++at) {
    const auto all = limits(1024, 16, 64);
    FakeModel model(all, scripted_next);
    model.no_space_at_step = at;
    Scheduler scheduler(all, model);
    const std::vector<GroupRequest> groups{request(0, {range(1, 30), range(3, 30)}, 6, 25),
                                           request(1, {range(9, 40)}, 3, 25)};
    for (const auto& group : groups) scheduler.add(group);
    const auto results = run(scheduler, model);
    check_against_reference(results, groups);
    CHECK(scheduler.stats().preemptions == 1);
  }
}

static void a_cache_too_small_for_one_sample_is_an_error() {
  const auto all = limits(1024, 16, 64);
  FakeModel model(all, scripted_next);
  model.no_space_at_step = 0;
  Scheduler scheduler(all, model);
  scheduler.add(request(0, {range(1, 30)}, 1, 25));
  const auto results = run(scheduler, model);
  CHECK(results.size() == 1);
  CHECK(results[0].reason == FinishReason::error);
  CHECK(results[0].error_code == "KV_CACHE_FULL");
}

static void a_failing_step_ends_what_runs_and_nothing_else() {
  const auto all = limits(100, 16, 64);
  FakeModel model(all, scripted_next);
  model.fail_at_step = 2;
  Scheduler scheduler(all, model);
  const std::vector<GroupRequest> groups{request(0, {range(1, 30)}, 1, 60), request(1, {range(40, 30)}, 1, 60)};
  for (const auto& group : groups) scheduler.add(group);
  for (const auto& result : run(scheduler, model)) {
    if (result.group == 0) {
      CHECK(result.reason == FinishReason::error);
      CHECK(result.error_code == "DECODE_FAILED");
    } else {
      CHECK(result.tokens == expected_tokens(groups[1].prompts[0], groups[1].samples[0].seed, 60));
    }
  }
}

static void logits_that_are_not_finite_fail_the_sample() {
  const auto all = limits(100, 16, 64);
  FakeModel model(all, [](const Tokens&, const Draw&) { return -1; });
  Scheduler scheduler(all, model);
  scheduler.add(request(0, {range(1, 30)}, 2, 10));
  const auto results = run(scheduler, model);
  CHECK(results.size() == 2);
  for (const auto& result : results) CHECK(result.error_code == "NUMERICAL_FAILURE");
}

static void refuses_what_can_never_run() {
  const auto all = limits(100, 16, 64);
  const auto code_of = [&](const GroupRequest& request) {
    try {
      validate(request, all);
      return std::string();
    } catch (const Error& error) {
      return error.code();
    }
  };
  CHECK(code_of(request(0, {range(1, 99)}, 1, 10)).empty());
  CHECK(code_of(request(0, {range(1, 100)}, 1, 10)) == "CONTEXT_OVERFLOW");
  CHECK(code_of(request(0, {range(1, 10)}, 0, 10)) == "INVALID_REQUEST");
  CHECK(code_of(request(0, {range(1, 10)}, 1, -1)) == "INVALID_REQUEST");
  CHECK(code_of(request(0, {range(1, 10)}, 1, 0)) == "NO_HEAD");
  CHECK(code_of(request(0, {{1, 256}}, 1, 1)) == "INVALID_REQUEST");
  auto forced = request(0, {range(1, 10)}, 1, 0);
  forced.samples[0].continuation = range(1, 90);
  CHECK(code_of(forced).empty());
  forced.samples[0].continuation.push_back(1);
  CHECK(code_of(forced) == "CONTEXT_OVERFLOW");
  forced.samples[0].continuation = {1, -1};
  CHECK(code_of(forced) == "INVALID_REQUEST");
  CHECK(code_of(request(0, {{}}, 1, 1)) == "INVALID_REQUEST");
  auto missing = request(0, {range(1, 10)}, 1, 10);
  missing.samples[0].prompt = 1;
  CHECK(code_of(missing) == "INVALID_REQUEST");
}

// Many groups with random prefixes on random limits, with preemptions and cancellations: every sample that was not
// cancelled has exactly the tokens of an engine that runs it alone.
static void random_loads_give_the_reference() {
  std::mt19937 random(11);
  for (int round = 0; round < 200; ++round) {
    const auto cells = static_cast<int32_t>(120 + random() % 400);
    auto all =
        limits(cells, static_cast<int32_t>(2 + random() % 20), static_cast<int32_t>(20 + random() % 60), round % 2);
    if (round % 3 > 0) all.prefix_cache_tokens = static_cast<int32_t>(random() % cells);
    FakeModel model(all, scripted_next);
    model.no_space_at_step = static_cast<int>(random() % 60);
    Scheduler scheduler(all, model);
    std::vector<GroupRequest> groups;
    for (int64_t id = 0; id < 6; ++id) {
      std::vector<Tokens> prompts;
      for (size_t n = 1 + random() % 3; prompts.size() < n;) {
        Tokens prompt(5 + random() % 40);
        for (auto& token : prompt) token = static_cast<int32_t>(1 + random() % 2);
        prompts.push_back(prompt);
      }
      groups.push_back(
          request(id, prompts, static_cast<int>(1 + random() % 9), static_cast<int32_t>(1 + random() % 30)));
      auto& group = groups.back();
      group.logprobs = true;
      if (all.has_head && random() % 5 == 0) group.max_tokens = 0;
      for (auto& sample : group.samples) {
        if (random() % 4 == 0) sample.continuation = range(static_cast<int32_t>(random() % 50), 1 + random() % 12);
      }
      scheduler.add(group);
      for (size_t n = random() % 5; n > 0; --n) step(scheduler, model);
      if (random() % 4 == 0) scheduler.cancel(static_cast<int64_t>(random() % groups.size()));
      if (random() % 8 == 0) scheduler.drop_cache();
    }
    size_t total = 0;
    for (const auto& group : groups) total += group.samples.size();
    auto results = run(scheduler, model);
    CHECK(results.size() == total);
    for (const auto& result : results) {
      if (result.reason == FinishReason::cancelled) continue;
      if (result.error_code == "KV_CACHE_FULL") continue;
      const auto& group = groups[static_cast<size_t>(result.group)];
      const auto& spec = group.samples[static_cast<size_t>(result.sample)];
      if (spec.continuation.empty()) {
        CHECK(result.tokens == expected_tokens(group.prompts[spec.prompt], spec.seed, group.max_tokens));
      } else {
        CHECK(result.tokens == spec.continuation);
        const double sum = std::accumulate(result.logprobs.begin(), result.logprobs.end(), 0.0);
        CHECK_NEAR(sum, forced_logprobs(group.prompts[spec.prompt], spec.continuation), 0);
      }
      CHECK(result.meta.has_value() == all.has_head);
    }
    CHECK(scheduler.stats().cells_reserved <= all.prefix_cache_tokens);
    scheduler.drop_cache();
    CHECK(scheduler.stats().cells_reserved == 0);
  }
}

int main() {
  prefills_every_distinct_token_once();
  identical_prompts_of_two_groups_are_computed_once();
  a_long_prompt_is_prefilled_in_chunks();
  samples_beyond_the_sequences_are_refilled();
  waits_when_the_cache_is_reserved();
  the_budget_ends_with_the_context();
  the_head_sees_the_state_after_the_last_token();
  the_head_sees_a_prompt_without_sampling();
  continuations_are_forced_and_share_their_prompt();
  a_head_alone_rates_the_end_of_the_prompt();
  a_cache_keeps_prompts_between_calls();
  a_cache_gives_way();
  what_can_be_forgotten_does_not_wait();
  stops_at_the_pattern();
  cancels_running_and_waiting_samples();
  a_full_cache_preempts_the_youngest_sample();
  a_cache_too_small_for_one_sample_is_an_error();
  a_failing_step_ends_what_runs_and_nothing_else();
  logits_that_are_not_finite_fail_the_sample();
  refuses_what_can_never_run();
  random_loads_give_the_reference();
  return check_result();
}
