#pragma once

#include <napi.h>

#include <cstdint>
#include <string>
#include <vector>

#include "train/advantages.h"
#include "train/trainer.h"

namespace spct {

// What the trainer's methods read from JavaScript. All throw a JavaScript error with code INVALID_ARGUMENT.
[[noreturn]] void reject(Napi::Env env, const std::string& message);
double number_field(const Napi::Object& object, const char* name);
double number_field(const Napi::Object& object, const char* name, double fallback);
std::string text_field(const Napi::Object& object, const char* name);
Napi::Object to_object(const Napi::Value& value, const char* name);
std::string to_text(const Napi::Value& value, const char* name);
std::vector<int32_t> to_integers(const Napi::Value& value, const char* name);
std::vector<float> to_floats(const Napi::Value& value, const char* name);
std::vector<double> to_doubles(const Napi::Value& value, const char* name);

LoraOptions lora_options(const Napi::Object& object);  // {rank, alpha, targets?, seed?, adapter?}
TrainerOptions trainer_options(const Napi::Object& object);
ModelShape model_shape(const Napi::Object& object);
ggml_type matrix_type(const Napi::Value& value);

// {tokens, lengths, completions}: sequences end to end, their lengths, and where each one's completion begins.
std::vector<Sequence> to_sequences(const Napi::Value& batch);
// {advantages, oldLogProbabilities?, referenceLogProbabilities?, mask?}: one advantage for each sequence, the others
// for each completion token, end to end.
std::vector<Rollout> to_rollouts(const Napi::Value& batch, const std::vector<Sequence>& sequences);
// {loss: "bce" | "bradley_terry", labels?, positions?} beside the batch.
RewardBatch to_reward_batch(const Napi::Value& batch, const Napi::Value& options);
RewardLoss reward_loss(const Napi::Value& options);
GrpoOptions grpo_options(const Napi::Value& value);
AdvantageScale advantage_scale(const Napi::Value& value);

}  // namespace spct
