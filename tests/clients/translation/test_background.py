"""OpenAI's background form in its SDK for Python, in front of upstreams that do not have it."""

import time

import openai

from dialects import DIALECTS
from dialects.story import ASLEEP, BUSY, INPUT, OUTPUT, TEXT
from harness import Case, now
from translation.matrix import INTERPRETER


class Background(Case):
    upstream = ""

    @classmethod
    def setUpClass(cls):
        cls.client = openai.OpenAI(base_url=f"{INTERPRETER}/v1", api_key="none", max_retries=0, timeout=30)
        cls.addClassCleanup(cls.client.close)

    def create(self, model, **more):
        model = f"{self.upstream}/{model}"
        return self.client.responses.create(model=model, input=self.prompt, background=True, **more)

    def poll(self, response):
        """What OpenAI's guide says to do."""
        while response.status in ("queued", "in_progress"):
            time.sleep(0.05)
            response = self.client.responses.retrieve(response.id)
        return response

    def test_a_response_is_fetched_when_it_is_done(self):
        begun = self.create("text")
        self.assertEqual((begun.status, begun.background), ("queued", True))
        done = self.poll(begun)
        self.assertEqual((done.id, done.status, done.output_text), (begun.id, "completed", "".join(TEXT)))
        self.assertEqual((done.usage.input_tokens, done.usage.output_tokens), (INPUT, OUTPUT))
        self.assertEqual(len(self.seen()), 1)

    def test_a_stream_that_is_left_goes_on_behind_the_last_event(self):
        with self.create("text", stream=True) as stream:
            came = [event for _, event in zip(range(7), stream)]
        self.assertEqual([event.type for event in came[:2]], ["response.created", "response.queued"])
        id, last = came[0].response.id, came[-1].sequence_number
        came += self.client.responses.retrieve(id, stream=True, starting_after=last)
        self.assertEqual([event.sequence_number for event in came], list(range(len(came))))
        deltas = [event.delta for event in came if event.type == "response.output_text.delta"]
        self.assertEqual(deltas, TEXT)
        self.assertEqual((came[-1].type, came[-1].response.id), ("response.completed", id))
        self.assertEqual(len(self.seen()), 1)

    def test_cancelling_stops_the_upstream(self):
        begun = self.create("endless")
        with self.client.responses.retrieve(begun.id, stream=True) as stream:
            next(event for event in stream if event.type == "response.output_text.delta")
        cancelled, left = self.client.responses.cancel(begun.id), now()
        self.assertEqual((cancelled.id, cancelled.status), (begun.id, "cancelled"))
        self.assertEqual(self.client.responses.cancel(begun.id).status, "cancelled")
        self.assertEqual(self.client.responses.retrieve(begun.id).status, "cancelled")
        self.assert_upstream_closed(left, self.id())
        self.client.responses.delete(begun.id)
        # One of the upstreams might know it, and says what it says to all of its kind.
        with self.assertRaises(openai.APIStatusError):
            self.client.responses.retrieve(begun.id)

    def test_a_failure_is_what_the_response_says(self):
        failed = self.poll(self.create("error"))
        self.assertEqual(failed.status, "failed")
        self.assertIn(ASLEEP, failed.error.message)

    def test_a_refusal_raises_where_the_response_was_asked_for(self):
        with self.assertRaises(openai.RateLimitError) as caught:
            self.create("busy")
        self.assertIn(BUSY, str(caught.exception))

    def test_what_is_not_stored_cannot_be_in_the_background(self):
        with self.assertRaises(openai.BadRequestError) as caught:
            self.create("text", store=False)
        self.assertEqual(caught.exception.param, "store")


for upstream in DIALECTS:
    name = f"BackgroundTo{upstream.title().replace('-', '')}"
    globals()[name] = type(name, (Background,), {"upstream": upstream, "__module__": __name__})
del Background
