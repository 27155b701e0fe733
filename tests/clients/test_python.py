"""The official OpenAI SDK for Python, its synchronous client, through sluicegate."""

import json

import openai

from harness import A_WHILE, ANSWER, CUT_ANSWER, FAILED_ANSWER, IMPATIENT, PATIENT, WIDE_ANSWER, Case, now

ERRORS = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    404: openai.NotFoundError,
    429: openai.RateLimitError,
    500: openai.InternalServerError,
}


class SyncCase(Case):
    def client(self, url=PATIENT, **options):
        options = {"api_key": "the client's own", "max_retries": 0, "timeout": 30, **options}
        client = openai.OpenAI(base_url=f"{url}/v1", **options)
        self.addCleanup(client.close)
        return client

    def stream(self, model, url=PATIENT, **more):
        return self.client(url).chat.completions.create(**self.ask(model, stream=True, **more))

    def read(self, stream):
        """The text of a stream, and the error it ends in."""
        text = ""
        try:
            for chunk in stream:
                text += (chunk.choices[0].delta.content or "") if chunk.choices else ""
        except openai.APIError as error:
            return text, error
        return text, None


class Streams(SyncCase):
    def test_every_token_of_a_stream_arrives(self):
        self.assertEqual(self.read(self.stream("text")), (ANSWER, None))

    def test_the_key_of_the_client_stays_with_the_proxy(self):
        self.read(self.stream("text"))
        self.assertNotIn("authorization", self.seen()[0]["headers"])

    def test_a_stream_has_one_chunk_for_each_token(self):
        contents = [chunk.choices[0].delta.content for chunk in self.stream("text")]
        self.assertEqual(contents, ["", "Water", " finds", " its", " way", ",", " drop", " by", " drop.", None])

    def test_characters_that_arrive_in_pieces_are_whole_again(self):
        self.assertEqual(self.read(self.stream("bytewise")), (WIDE_ANSWER, None))

    def test_usage_comes_last_where_it_is_asked_for(self):
        *_, last = self.stream("text", stream_options={"include_usage": True})
        self.assertEqual((last.choices, last.usage.completion_tokens), ([], 8))

    def test_a_tool_call_is_put_together_from_its_pieces(self):
        name = arguments = ""
        for chunk in self.stream("tools"):
            for call in chunk.choices[0].delta.tool_calls or []:
                name += call.function.name or ""
                arguments += call.function.arguments
        self.assertEqual((name, json.loads(arguments)), ("gauge", {"river": "Elbe"}))

    def test_the_raw_response_has_the_headers_and_the_stream(self):
        raw = self.client().chat.completions.with_raw_response.create(
            **self.ask("text", stream=True, extra_headers={"x-request-id": "test-17"})
        )
        self.assertEqual(raw.headers["content-type"], "text/event-stream")
        self.assertEqual(raw.request_id, "test-17")
        self.assertEqual(raw.headers["x-upstream-request-id"], "req_upstream")
        self.assertEqual(self.read(raw.parse()), (ANSWER, None))

    def test_the_helper_that_accumulates_a_stream_returns_the_whole_answer(self):
        with self.client().chat.completions.stream(**self.ask("text")) as stream:
            self.assertEqual(stream.get_final_completion().choices[0].message.content, ANSWER)

    def test_keep_alives_before_the_first_token_do_no_harm(self):
        self.assertEqual(self.read(self.stream("slow", IMPATIENT)), (ANSWER, None))

    def test_keep_alives_between_events_with_ids_do_no_harm(self):
        self.assertEqual(self.read(self.stream("id-events", IMPATIENT)), (ANSWER, None))


class Aborts(SyncCase):
    def test_closing_a_stream_in_the_middle_stops_the_upstream(self):
        stream = self.stream("endless")
        for _ in zip(range(5), stream):
            pass
        closed = now()
        stream.close()
        self.assert_upstream_closed(closed, "python, stream.close() after 5 tokens")

    def test_leaving_the_with_block_in_the_middle_stops_the_upstream(self):
        with self.stream("endless") as stream:
            next(stream)
            left = now()
        self.assert_upstream_closed(left, "python, with block left after 1 token")

    def test_closing_a_stream_before_its_first_token_stops_the_upstream(self):
        stream = self.stream("hang", IMPATIENT)
        closed = now()
        stream.close()
        self.assert_upstream_closed(closed, "python, stream.close() before the first token")

    def test_a_timeout_before_the_response_stops_the_upstream(self):
        with self.assertRaises(openai.APITimeoutError):
            self.stream("silent", timeout=A_WHILE)
        self.assert_upstream_closed(now(), "python, timeout before the response")

    def test_a_timeout_of_a_whole_answer_stops_the_upstream(self):
        with self.assertRaises(openai.APITimeoutError):
            self.client().chat.completions.create(**self.ask("hang", timeout=A_WHILE))
        self.assert_upstream_closed(now(), "python, timeout of a whole answer")


class WholeAnswers(SyncCase):
    def complete(self, model):
        return self.client().chat.completions.create(**self.ask(model))

    def test_a_whole_answer_arrives_with_its_usage(self):
        answer = self.complete("text")
        self.assertEqual((answer.choices[0].message.content, answer.usage.total_tokens), (ANSWER, 11))

    def test_a_whole_answer_may_take_its_time(self):
        self.assertEqual(self.complete("slow").choices[0].message.content, ANSWER)

    def test_a_whole_answer_may_be_a_tool_call(self):
        (call,) = self.complete("tools").choices[0].message.tool_calls
        self.assertEqual(json.loads(call.function.arguments), {"river": "Elbe"})

    def test_models_are_listed(self):
        self.assertIn("text", [model.id for model in self.client().models.list()])

    def test_a_model_is_found_by_its_name(self):
        self.assertEqual(self.client().models.retrieve("text").owned_by, "scripted")

    def test_a_model_that_does_not_exist_is_not_found(self):
        with self.assertRaises(openai.NotFoundError):
            self.client().models.retrieve("no/such model?")

    def test_embeddings_pass_through(self):
        answer = self.client().embeddings.create(model="text", input=self.prompt, encoding_format="float")
        self.assertEqual(answer.data[0].embedding, [0.25, -0.5, 1.0])


class Errors(SyncCase):
    def test_an_error_status_raises_the_exception_that_belongs_to_it(self):
        for status, expected in ERRORS.items():
            for stream in (True, False):
                with self.subTest(status=status, stream=stream), self.assertRaises(expected) as caught:
                    self.client().chat.completions.create(**self.ask(f"status-{status}", stream=stream))
                self.assertEqual(caught.exception.body["message"], f"Scripted to answer {status}.")

    def test_a_rate_limit_says_when_to_come_back(self):
        with self.assertRaises(openai.RateLimitError) as caught:
            self.stream("status-429")
        self.assertEqual(caught.exception.response.headers["retry-after"], "1")
        self.assertEqual(caught.exception.code, "rate_limit_exceeded")

    def test_the_sdk_retries_when_it_is_told_to(self):
        client = self.client(max_retries=1)
        stream = client.chat.completions.create(**self.ask("busy-once", stream=True))
        self.assertEqual(self.read(stream), (ANSWER, None))
        refused, answered = self.seen()
        self.assertGreater(answered["ended_at"] - refused["ended_at"], 0.9)

    def test_a_body_that_is_no_request_is_a_bad_request(self):
        with self.assertRaises(openai.BadRequestError) as caught:
            self.client().post("/chat/completions", body={"stream": "yes", "model": "text"}, cast_to=object)
        self.assertEqual(caught.exception.param, "stream")

    def test_an_error_event_raises_behind_the_tokens_that_came_before_it(self):
        text, error = self.read(self.stream("error-event"))
        self.assertEqual((text, error.message, error.code), (FAILED_ANSWER, "The model fell asleep.", "asleep"))

    def test_a_cut_stream_raises_and_does_not_end_in_silence(self):
        text, error = self.read(self.stream("cut"))
        self.assertEqual((text, type(error)), (CUT_ANSWER, openai.APIError))
        self.assertEqual(error.code, "upstream_connection_broken")

    def test_a_failure_behind_the_response_head_raises_too(self):
        text, error = self.read(self.stream("late-429", IMPATIENT))
        self.assertEqual((text, error.code), ("", "rate_limit_exceeded"))
