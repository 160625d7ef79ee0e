// One KV cache for all sequences beside a stream for each (llama.cpp's kv_unified): `groups` queries with a prompt
// each, `samples` sequences forked from it, all of them decoding together, at most 256. No tokens are drawn; any will
// do.
//   kv_modes <model.gguf> [threads] [groups] [samples] [prompt tokens] [steps] [rounds]
// Prints one JSON object: milliseconds of processor time (of all threads together, so that other processes disturb
// little) of the prompts, the forks and one step, median and spread of interleaved rounds.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <memory>
#include <vector>

#include "llama.h"

namespace {

int argument(int argc, char** argv, int index, int fallback) {
  const int value = argc > index ? std::atoi(argv[index]) : fallback;
  if (value >= 1) return value;
  std::fprintf(stderr, "Expected a positive number but received %s\n", argv[index]);
  std::exit(2);
}

struct Work {
  int threads, groups, samples, prompt, steps;
};

struct Times {
  double prompts, forks, step;  // milliseconds
};

double processor_milliseconds(const std::function<void()>& work) {
  const std::clock_t start = std::clock();
  work();
  return 1000.0 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

void decode(llama_context* context, const llama_batch& batch) {
  const int status = llama_decode(context, batch);
  llama_synchronize(context);
  if (status == 0) return;
  std::fprintf(stderr, "llama_decode failed with %d\n", status);
  std::exit(1);
}

void add(llama_batch& batch, int token, int position, int sequence, bool output) {
  const int i = batch.n_tokens++;
  batch.token[i] = token;
  batch.pos[i] = position;
  batch.n_seq_id[i] = 1;
  batch.seq_id[i][0] = sequence;
  batch.logits[i] = output;
}

Times run(llama_model* model, const Work& work, bool unified) {
  const int rows = work.groups * work.samples;
  const int cells = unified ? work.groups * (work.prompt + work.samples * work.steps) : work.prompt + work.steps;
  const int rounded = (cells + 255) / 256 * 256;
  llama_context_params params = llama_context_default_params();
  params.n_ctx = unified ? rounded : rounded * rows;
  params.n_batch = params.n_ubatch = 512;
  params.n_seq_max = params.n_outputs_max = rows;
  params.n_outputs_max_per_seq = 1;
  params.n_threads = params.n_threads_batch = work.threads;
  params.kv_unified = unified;
  params.no_perf = true;
  const std::unique_ptr<llama_context, decltype(&llama_free)> context(llama_init_from_model(model, params), llama_free);
  if (!context) {
    std::fprintf(stderr, "a context of %u tokens for %d sequences could not be made\n", params.n_ctx, rows);
    std::exit(1);
  }
  const int vocabulary = llama_vocab_n_tokens(llama_model_get_vocab(model));

  llama_batch batch = llama_batch_init(512, 0, 1);
  Times times{};
  times.prompts = processor_milliseconds([&] {
    for (int group = 0; group < work.groups; ++group) {
      for (int position = 0; position < work.prompt; ++position) {
        add(batch, (100 + position * 31 + group * 7) % vocabulary, position, group * work.samples, false);
        if (batch.n_tokens < 512 && position + 1 < work.prompt) continue;
        decode(context.get(), batch);
        batch.n_tokens = 0;
      }
    }
  });
  const auto step = [&](int number) {
    batch.n_tokens = 0;
    for (int row = 0; row < rows; ++row) {
      add(batch, (200 + row * 13 + number) % vocabulary, work.prompt + number, row, true);
    }
    decode(context.get(), batch);
  };
  // A stream is copied by the decode() that follows, so the first step belongs to the forks.
  times.forks = processor_milliseconds([&] {
    for (int row = 0; row < rows; ++row) {
      const int prompt = row / work.samples * work.samples;
      if (row != prompt) llama_memory_seq_cp(llama_get_memory(context.get()), prompt, row, -1, -1);
    }
    step(0);
  });
  times.step = processor_milliseconds([&] {
    for (int number = 1; number < work.steps; ++number) step(number);
  });
  times.step /= std::max(1, work.steps - 1);
  times.forks -= times.step;
  llama_batch_free(batch);
  return times;
}

void print_spread(const char* name, std::vector<double> values) {
  std::sort(values.begin(), values.end());
  std::printf("\"%s\":{\"median\":%.2f,\"spread\":[%.2f,%.2f],\"n\":%zu}", name, values[values.size() / 2],
              values.front(), values.back(), values.size());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "kv_modes <model.gguf> [threads] [groups] [samples] [prompt tokens] [steps] [rounds]\n");
    return 2;
  }
  const Work work = {argument(argc, argv, 2, 1), argument(argc, argv, 3, 1), argument(argc, argv, 4, 32),
                     argument(argc, argv, 5, 800), argument(argc, argv, 6, 48)};
  const int rounds = argument(argc, argv, 7, 3);
  const auto most = static_cast<int64_t>(llama_max_parallel_sequences());
  if (int64_t{work.groups} * work.samples > most) {
    std::fprintf(stderr, "Expected at most %d sequences but received %d groups of %d\n", static_cast<int>(most),
                 work.groups, work.samples);
    return 2;
  }
  llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
  llama_backend_init();
  const std::unique_ptr<llama_model, decltype(&llama_model_free)> model(
      llama_model_load_from_file(argv[1], llama_model_default_params()), llama_model_free);
  if (!model) {
    std::fprintf(stderr, "%s could not be loaded\n", argv[1]);
    return 1;
  }
  std::vector<Times> measured[2];
  for (int round = -1; round < rounds; ++round) {
    for (const bool unified : {true, false}) {
      const Times times = run(model.get(), work, unified);
      if (round >= 0) measured[unified].push_back(times);
    }
  }
  std::printf("{\"threads\":%d,\"groups\":%d,\"samples\":%d,\"promptTokens\":%d,\"steps\":%d", work.threads,
              work.groups, work.samples, work.prompt, work.steps);
  for (const bool unified : {true, false}) {
    std::printf(",\"%s\":{", unified ? "unified" : "split");
    const auto print = [&](const char* name, double Times::*part, const char* end) {
      std::vector<double> values;
      for (const Times& times : measured[unified]) values.push_back(times.*part);
      print_spread(name, values);
      std::printf("%s", end);
    };
    print("prompts", &Times::prompts, ",");
    print("forks", &Times::forks, ",");
    print("step", &Times::step, "}");
  }
  std::printf("}\n");
  return 0;
}
