"""The accuracy rule of SPCT (Eq. 11) for TRL, verl and OpenRLHF: +1 when a judgement's scores choose the best response and no
other, or equal the label of a single response, else -1. Scores are read as spct reads them (lib/extract/scores.ts).

TRL:       GRPOTrainer(reward_funcs=trl_reward, ...)
verl:      custom_reward_function.path=spct_reward.py custom_reward_function.name=compute_score
OpenRLHF:  --reward.remote_url spct_reward.py
"""

import json
import re

_SPACE = " \t\n\r\f\v\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
_SPACES = re.compile(f"^[{_SPACE}]+|[{_SPACE}]+$")
_PLAIN = re.compile(f"[{_SPACE}]?[0-9]{{1,2}}")
_NUMBER = re.compile(f"([+-]?[0-9]{{1,6}}(?:\\.[0-9]{{1,6}})?)(?:[{_SPACE}]*/[{_SPACE}]*10)?")
_DRESSING = re.compile(r"\\(?:text|textbf|mathbf|mathrm|bf|left|right|quad|[ ,;!])|[\[\](){}$*~]")
_LIST_CHARACTERS = frozenset("0123456789,\uff0c./ \t\n\v\f\r")
_THOUGHTS = (("<think>", "</think>"), ("<thinking>", "</thinking>"))


def _number(entry):
    if _PLAIN.fullmatch(entry):
        return float(_SPACES.sub("", entry))
    if len(entry) > 100:
        return None
    match = _NUMBER.fullmatch(_SPACES.sub("", _DRESSING.sub(" ", entry)))
    return float(match.group(1)) if match else None


def _numbers(text, count):
    numbers = [_number(entry) for entry in re.split("[,\uff0c]", text)]
    return numbers if len(numbers) == count and None not in numbers else None


def _after_thought(text):
    """Where the answer starts, or None inside of a thought that was never closed."""
    start = 0
    for opening, closing in _THOUGHTS:
        closed = text.rfind(closing)
        if text.rfind(opening) > closed:
            return None
        if closed >= 0:
            start = max(start, closed + len(closing))
    return start


def _box_content(text, at):
    """Where the content of a box that opens at `at` starts, or None."""
    if not text.startswith("\\boxed", at):
        return None
    brace = at + len("\\boxed")
    if text[brace : brace + 1] == " ":
        brace += 1
    return brace + 1 if text[brace : brace + 1] == "{" else None


def _deciding_list(text, start, count):
    """The content of the last complete box, or of a later bare list of `count` numbers."""
    groups = []
    box = bare = bracket = None
    at = start
    while at < len(text):
        character = text[at]
        if character == "[":
            bracket = at + 1
        elif character == "]" and bracket is not None:
            if _numbers(text[bracket:at], count) is not None:
                bare = (bracket, at)
            bracket = None
        elif bracket is not None and character not in _LIST_CHARACTERS:
            bracket = None
        if character == "\\":
            content = _box_content(text, at)
            if content is not None:
                groups.append(content)
                at = content - 1
            elif text[at + 1 : at + 2] in ("{", "}"):
                at += 1
        elif character == "{":
            groups.append(None)
        elif character == "}" and groups:
            content = groups.pop()
            if content is not None:
                box = (content, at)
        at += 1
    bare_decides = bare is not None and (box is None or (count != 1 and bare[1] > box[1]))
    decisive = bare if bare_decides else box
    return None if decisive is None else text[decisive[0] : decisive[1]]


def read_scores(text, responses):
    """One score for each response, or None: 1 to 10 for several, 0 to 1 for a single one."""
    start = _after_thought(text)
    if start is None:
        return None
    found = _deciding_list(text, start, responses)
    scores = None if found is None else _numbers(found, responses)
    low, high = (0, 1) if responses == 1 else (1, 10)
    if scores is None or not all(low <= score <= high for score in scores):
        return None
    return scores


def rule_reward(text, label, responses):
    scores = read_scores(text, responses)
    if scores is None:
        return -1.0
    if responses == 1:
        return 1.0 if scores[0] == label else -1.0
    best = scores[label]
    return 1.0 if all(index == label or score < best for index, score in enumerate(scores)) else -1.0


def _truth(text):
    truth = json.loads(text)
    return int(truth["label"]), int(truth["responses"])


def trl_reward(completions, label, responses, **_):
    """TRL: columns `label` and `responses` of the data set; completions as text or as messages."""
    texts = [done if isinstance(done, str) else done[-1]["content"] for done in completions]
    return [rule_reward(*row) for row in zip(texts, label, responses)]


def compute_score(data_source, solution_str, ground_truth, extra_info=None, **_):
    """verl: one completion."""
    return rule_reward(solution_str, *_truth(ground_truth))


def reward_func(queries, prompts, labels, **_):
    """OpenRLHF: queries are prompts with their completions. Its scores lie in [0, 1]."""
    import torch

    texts = [query[len(prompt) :] if query.startswith(prompt) else query for query, prompt in zip(queries, prompts)]
    rewards = torch.tensor([rule_reward(text, *_truth(label)) for text, label in zip(texts, labels)])
    return {"rewards": rewards, "scores": (rewards + 1) / 2, "extra_logs": {"accuracy": (rewards + 1) / 2}}
