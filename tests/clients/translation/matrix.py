"""What holds for every SDK, whatever dialect its request is translated into: the cases, each for five upstreams."""

import json
import os
import time
from dataclasses import dataclass, field

from dialects import DIALECTS
from dialects.story import ASLEEP, BUSY, CACHED, CALLS, INPUT, MARK, OUTPUT, REASONING, RETRY_AFTER, TEXT, THOUGHT
from harness import Case

INTERPRETER = os.environ["INTERPRETER_URL"]

# The smallest picture there is.
IMAGE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="

SAID = {call.name: json.loads(call.arguments) for call in CALLS}
RESULTS = {"gauge": "4.20 m", "weather": "Regen, 9 °C"}
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
RIVER = {"type": "object", "properties": {"river": {"type": "string"}}, "required": ["river"]}
TOOLS = {"gauge": RIVER, "weather": CITY}


@dataclass
class Answer:
    """What an SDK makes of an answer."""

    pieces: list = field(default_factory=list)  # of the text, as they came
    times: list = field(default_factory=list)
    thoughts: str = ""
    calls: list = field(default_factory=list)  # ids, names and arguments
    # The tokens of the prompt, those of it that were cached, of the answer, and those of it that were thoughts; None is
    # what the SDK has no word for.
    usage: tuple = ()

    def say(self, text):
        if text:
            self.pieces.append(text)
            self.times.append(time.monotonic())


class Matrix:
    """The cases. Each SDK says how to `ask` it, and what else they need."""

    upstream = ""
    # Whether the client's dialect has a place for a mark on thoughts, and whether the SDK gives calls' ids back.
    keeps_marks = keeps_ids = True
    # Exceptions: for what goes wrong in the middle of an answer, and for being asked too often.
    broken = limited = Exception

    def begin(self, image=None):
        """A conversation that begins with the test's name, and with a picture."""
        raise NotImplementedError

    def ask(self, conversation, model, answer, stream=True, thinks=False):
        """Asks `model`, writes down what it says in `answer` as it comes, and adds it to `conversation`."""
        raise NotImplementedError

    def add_results(self, conversation, results):
        """Adds the results of calls: their ids, names and texts."""
        raise NotImplementedError

    def leave(self, model):
        """Closes a stream of `model` after a few events, and returns when that was."""
        raise NotImplementedError

    def retry_after(self, error):
        """When to ask again, after what the SDK raised."""
        return error.response.headers["retry-after"]

    def answer(self, model, **more):
        answer = Answer()
        self.ask(self.begin(), f"{self.upstream}/{model}", answer, **more)
        return answer

    def heard(self):
        """What the upstream understood of the last request."""
        return self.seen()[-1]["heard"]

    def assert_usage(self, usage):
        cached, reasoning = (0, 0) if self.upstream == "ollama" else (CACHED, REASONING)
        right = (INPUT, cached, OUTPUT, reasoning)
        self.assertEqual(tuple(told if told is None else right for told, right in zip(usage, right)), usage)

    # ---- Text and thoughts ----------------------------------------------------------------------

    def test_tokens_arrive_one_by_one_and_with_their_number(self):
        answer = self.answer("text")
        self.assertEqual(answer.pieces, TEXT)
        self.assertGreater(answer.times[-1] - answer.times[0], 0.05)
        self.assert_usage(answer.usage)

    def test_a_whole_answer_arrives(self):
        answer = self.answer("text", stream=False)
        self.assertEqual("".join(answer.pieces), "".join(TEXT))
        self.assert_usage(answer.usage)

    def test_thoughts_arrive_as_thoughts(self):
        for stream in (True, False):
            with self.subTest(stream=stream):
                answer = self.answer("think", stream=stream, thinks=True)
                self.assertEqual((answer.thoughts, "".join(answer.pieces)), ("".join(THOUGHT), "".join(TEXT)))

    # ---- Tools and pictures ---------------------------------------------------------------------

    def test_tools_are_called_and_their_results_understood(self):
        self.use_tools(stream=True)

    def test_tools_are_called_in_a_whole_answer_and_their_results_understood(self):
        self.use_tools(stream=False)

    def use_tools(self, stream):
        model, conversation = f"{self.upstream}/tools", self.begin()
        answer = Answer()
        self.ask(conversation, model, answer, stream, thinks=True)
        self.assertEqual([(name, said) for _, name, said in answer.calls], list(SAID.items()))
        heard = self.heard()
        self.assertEqual([name for name, _ in heard["tools"]], list(TOOLS))
        self.assertEqual(heard["tools"][1][1]["properties"].keys(), CITY["properties"].keys())

        self.add_results(conversation, [(id, name, RESULTS[name]) for id, name, _ in answer.calls])
        answer = Answer()
        self.ask(conversation, model, answer, stream, thinks=True)
        self.assertEqual("".join(answer.pieces), "".join(TEXT))
        self.assert_remembered(self.heard())

    def assert_remembered(self, heard):
        """The upstream was told again what it had said, and told the results."""
        self.assertEqual([(name, said) for _, name, said in heard["calls"]], list(SAID.items()))
        self.assertEqual(dict(heard["results"]), RESULTS)
        if self.keeps_ids:
            self.assertEqual([id for id, _, _ in heard["calls"]], DIALECTS[self.upstream].IDS)
        # Ollama puts no mark on thoughts.
        marks = [MARK] if self.keeps_marks and self.upstream != "ollama" else []
        self.assertEqual(heard["marks"], marks)

    def test_pictures_arrive(self):
        self.ask(self.begin(IMAGE), f"{self.upstream}/text", Answer())
        heard = self.heard()
        self.assertEqual((heard["prompt"], heard["images"]), (self.prompt, [["image/png", IMAGE]]))

    # ---- Ends -----------------------------------------------------------------------------------

    def test_leaving_stops_the_upstream(self):
        left = self.leave(f"{self.upstream}/endless")
        self.assert_upstream_closed(left, self.id())

    def test_an_error_in_the_middle_raises_behind_what_came_before_it(self):
        answer = Answer()
        with self.assertRaises(self.broken) as caught:
            self.ask(self.begin(), f"{self.upstream}/error", answer)
        self.assertEqual(answer.pieces, TEXT[:3])
        self.assertIn(ASLEEP, str(caught.exception))

    def test_who_asks_too_often_is_told_when_to_ask_again(self):
        for stream in (True, False):
            with self.subTest(stream=stream), self.assertRaises(self.limited) as caught:
                self.answer("busy", stream=stream)
            self.assertIn(BUSY, str(caught.exception))
            self.assertEqual(self.retry_after(caught.exception), str(RETRY_AFTER))


class Patience:
    """Cases that take their time, and have nothing to do with who is asked."""

    def test_signs_of_life_do_no_harm(self):
        self.assertEqual(self.answer("slow").pieces, TEXT)

    def test_a_failure_behind_the_response_head_raises_too(self):
        with self.assertRaises(self.broken) as caught:
            self.answer("late")
        self.assertIn(BUSY, str(caught.exception))


def for_every_upstream(module, *sdks):
    """Puts a class of tests for each of `sdks` and each upstream into `module`."""
    for sdk in sdks:
        for upstream in DIALECTS:
            name = f"{sdk.__name__}To{upstream.title().replace('-', '')}"
            bases = (sdk, Patience, Case) if upstream == "openai-chat" else (sdk, Case)
            module[name] = type(name, bases, {"upstream": upstream, "__module__": module["__name__"]})
