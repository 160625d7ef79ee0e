#include "engine/engine.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "error.h"

namespace spct {

Engine::Engine(std::unique_ptr<Model> model, OnResult on_result)
    : model_(std::move(model)),
      limits_(model_->limits()),
      on_result_(std::move(on_result)),
      scheduler_(limits_, *model_),
      thread_([this] { run(); }) {}

Engine::~Engine() { close(); }

void Engine::submit(GroupRequest request) {
  validate(request, limits_);
  const std::lock_guard<std::mutex> lock(mutex_);
  if (closed_) throw Error("CLOSED", "the engine is closed");
  inbox_.arrivals.emplace_back(std::move(request));
  wake_.notify_one();
}

std::shared_future<void> Engine::run_alone(std::function<void()> work) {
  Alone alone{std::move(work), {}};
  std::shared_future<void> done = alone.done.get_future().share();
  const std::lock_guard<std::mutex> lock(mutex_);
  if (closed_) throw Error("CLOSED", "the engine is closed");
  inbox_.arrivals.emplace_back(std::move(alone));
  wake_.notify_one();
  return done;
}

void Engine::cancel(int64_t group) {
  const std::lock_guard<std::mutex> lock(mutex_);
  inbox_.cancellations.push_back(group);
  wake_.notify_one();
}

void Engine::close() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    closed_ = true;
    inbox_.close = true;
    model_->request_abort();
    wake_.notify_one();
  }
  const std::lock_guard<std::mutex> lock(join_mutex_);
  if (thread_.joinable()) thread_.join();
}

EngineStats Engine::stats() const {
  const auto age = [](const std::optional<Clock::time_point>& time) {
    if (!time) return std::numeric_limits<double>::infinity();
    return std::chrono::duration<double, std::milli>(Clock::now() - *time).count();
  };
  const std::lock_guard<std::mutex> lock(mutex_);
  return {stats_, age(first_decode_), age(last_decode_)};
}

void Engine::run() {
  while (receive()) {
    step();
    emit();
    if (scheduler_.idle()) forget(scheduler_.tidy());  // now, as nobody waits for it
  }
  for (Arrival& arrival : std::exchange(arrivals_, {})) {
    if (auto* request = std::get_if<GroupRequest>(&arrival)) {
      start(std::move(*request));
    } else {
      auto& alone = std::get<Alone>(arrival);
      alone.work = nullptr;  // what it holds is free when its caller hears of it
      alone.done.set_exception(std::make_exception_ptr(Error("CLOSED", "the engine is closed")));
    }
  }
  for (int64_t group : std::vector<int64_t>(open_groups_)) scheduler_.cancel(group);
  emit();
}

// Returns false when the engine is to close.
bool Engine::receive() {
  Inbox inbox;
  {
    std::unique_lock<std::mutex> lock(mutex_);
    wake_.wait(lock, [this] { return !inbox_.empty() || !arrivals_.empty() || !scheduler_.idle(); });
    std::swap(inbox, inbox_);
  }
  std::move(inbox.arrivals.begin(), inbox.arrivals.end(), std::back_inserter(arrivals_));
  if (inbox.close) return false;
  for (int64_t group : inbox.cancellations) cancel_now(group);
  start_arrivals();
  return true;
}

void Engine::start(GroupRequest request) {
  open_groups_.push_back(request.id);
  scheduler_.add(std::move(request));
}

void Engine::start_arrivals() {
  for (; !arrivals_.empty(); arrivals_.pop_front()) {
    if (auto* request = std::get_if<GroupRequest>(&arrivals_.front())) {
      start(std::move(*request));
    } else if (scheduler_.idle()) {
      run(std::get<Alone>(arrivals_.front()));
    } else {
      return;
    }
  }
}

void Engine::run(Alone& alone) {
  scheduler_.drop_cache();
  try {
    alone.work();
    alone.done.set_value();
  } catch (...) {
    alone.done.set_exception(std::current_exception());
  }
}

// A group that waits for its start is started, so that it ends as any other does.
void Engine::cancel_now(int64_t group) {
  const auto is_group = [&](const Arrival& arrival) {
    const auto* request = std::get_if<GroupRequest>(&arrival);
    return request && request->id == group;
  };
  const auto found = std::find_if(arrivals_.begin(), arrivals_.end(), is_group);
  if (found != arrivals_.end()) {
    start(std::move(std::get<GroupRequest>(*found)));
    arrivals_.erase(found);
  }
  scheduler_.cancel(group);
}

void Engine::forget(const Plan& plan) {
  if (plan.clear) model_->clear();
  for (const auto& removal : plan.removals) model_->remove(removal);
}

void Engine::step() {
  try {
    Plan plan = scheduler_.plan();
    forget(plan);
    for (const auto& copy : plan.copies) model_->copy(copy);
    if (plan.batch.empty()) return;
    switch (decode(plan)) {
      case DecodeStatus::ok: scheduler_.commit(plan); return;
      case DecodeStatus::no_space: scheduler_.no_space(); return;
      case DecodeStatus::aborted: return;  // only close() aborts; run() then cancels what is open
    }
  } catch (const Error& error) {
    scheduler_.fail(error.code(), error.what());
  } catch (const std::exception& error) {
    scheduler_.fail("ENGINE_FAILURE", error.what());
  }
}

DecodeStatus Engine::decode(Plan& plan) {
  if (!std::exchange(decoding_, true)) {
    const std::lock_guard<std::mutex> lock(mutex_);
    first_decode_ = Clock::now();
  }
  const DecodeStatus status = model_->decode(plan.batch, plan.draws, plan.heads);
  const std::lock_guard<std::mutex> lock(mutex_);
  last_decode_ = Clock::now();
  return status;
}

void Engine::emit() {
  auto results = scheduler_.take_results();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stats_ = scheduler_.stats();
  }
  if (scheduler_.idle()) decoding_ = false;
  for (auto& result : results) {
    if (result.last_of_group) {
      open_groups_.erase(std::find(open_groups_.begin(), open_groups_.end(), result.group));
    }
    on_result_(std::move(result));
  }
}

}  // namespace spct
