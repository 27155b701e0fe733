"""The official Anthropic SDK for Python through sluicegate."""

import anthropic

from harness import A_WHILE, ANSWER, CUT_ANSWER, FAILED_ANSWER, IMPATIENT, PATIENT, Case, now

ERRORS = {
    400: anthropic.BadRequestError,
    401: anthropic.AuthenticationError,
    404: anthropic.NotFoundError,
    429: anthropic.RateLimitError,
    500: anthropic.InternalServerError,
    529: anthropic.InternalServerError,
}


class AnthropicCase(Case):
    def client(self, url=PATIENT, **options):
        options = {"api_key": "the client's own", "max_retries": 0, "timeout": 30, **options}
        client = anthropic.Anthropic(base_url=url, **options)
        self.addCleanup(client.close)
        return client

    def ask(self, model, **more):
        return super().ask(model, max_tokens=64, **more)

    def stream(self, model, url=PATIENT, **more):
        return self.client(url).messages.create(**self.ask(model, stream=True, **more))

    def accumulate(self, model, url=PATIENT):
        """The message that the SDK puts together from a stream."""
        with self.client(url).messages.stream(**self.ask(model)) as stream:
            return stream.get_final_message()

    def read(self, stream):
        """The text of a stream, and the error it ends in."""
        text = ""
        try:
            for event in stream:
                text += event.delta.text if event.type == "content_block_delta" else ""
        except anthropic.APIError as error:
            return text, error
        return text, None


class Streams(AnthropicCase):
    def test_every_token_of_a_message_arrives(self):
        self.assertEqual(self.read(self.stream("text")), (ANSWER, None))

    def test_the_key_of_the_client_stays_with_the_proxy(self):
        self.read(self.stream("text"))
        (seen,) = self.seen()
        self.assertFalse({"x-api-key", "authorization"} & set(seen["headers"]))
        self.assertRegex(seen["headers"]["anthropic-version"], r"^\d{4}-\d\d-\d\d$")

    def test_a_recorded_text_is_put_together(self):
        message = self.accumulate("text-haiku")
        self.assertEqual([block.text for block in message.content], ["1\n2\n3"])
        self.assertEqual((message.stop_reason, message.usage.output_tokens), ("end_turn", 9))

    def test_a_recorded_call_of_a_tool_is_put_together(self):
        (call,) = self.accumulate("tool-use").content
        self.assertEqual((call.name, call.input), ("weather", {"latitude": "52.5200", "longitude": "13.4050"}))

    def test_recorded_thinking_is_put_together(self):
        thinking, call = self.accumulate("thinking-then-tool").content
        self.assertTrue(thinking.thinking.startswith("The user wants me to") and thinking.signature)
        self.assertEqual((call.type, call.input), ("tool_use", {}))

    def test_pings_before_and_behind_the_first_event_do_no_harm(self):
        self.assertEqual(self.read(self.stream("slow", IMPATIENT)), (ANSWER, None))
        self.assertEqual(self.accumulate("slow", IMPATIENT).content[0].text, ANSWER)

    def test_a_beta_passes(self):
        stream = self.client().beta.messages.create(**self.ask("text", stream=True, betas=["one-2026", "two-2026"]))
        self.assertEqual(self.read(stream), (ANSWER, None))
        self.assertEqual(self.seen()[0]["headers"]["anthropic-beta"], "one-2026,two-2026")


class Aborts(AnthropicCase):
    def test_closing_a_message_in_the_middle_stops_the_upstream(self):
        stream = self.stream("endless")
        for _ in zip(range(5), stream):
            pass
        closed = now()
        stream.close()
        self.assert_upstream_closed(closed, "anthropic python, stream.close() after 5 events")

    def test_closing_a_message_before_its_first_event_stops_the_upstream(self):
        stream = self.stream("hang", IMPATIENT)
        closed = now()
        stream.close()
        self.assert_upstream_closed(closed, "anthropic python, stream.close() before the first event")

    def test_a_timeout_of_a_whole_message_stops_the_upstream(self):
        with self.assertRaises(anthropic.APITimeoutError):
            self.client().messages.create(**self.ask("hang", timeout=A_WHILE))
        self.assert_upstream_closed(now(), "anthropic python, timeout of a whole message")


class WholeAnswers(AnthropicCase):
    def test_a_whole_message_arrives_with_its_usage(self):
        message = self.client().messages.create(**self.ask("text"))
        self.assertEqual((message.content[0].text, message.usage.output_tokens), (ANSWER, 8))

    def test_tokens_are_counted(self):
        counted = self.client().messages.count_tokens(**Case.ask(self, "text"))
        self.assertEqual(counted.input_tokens, 3)

    def test_models_are_listed_and_found(self):
        models = self.client().models
        self.assertIn("text", [model.id for model in models.list()])
        self.assertEqual(models.retrieve("text").type, "model")
        with self.assertRaises(anthropic.NotFoundError):
            models.retrieve("none")


class Errors(AnthropicCase):
    def test_an_error_status_raises_the_exception_that_belongs_to_it(self):
        for status, expected in ERRORS.items():
            for stream in (True, False):
                with self.subTest(status=status, stream=stream), self.assertRaises(expected) as caught:
                    self.client().messages.create(**self.ask(f"status-{status}", stream=stream))
                self.assertEqual(caught.exception.body["error"]["message"], f"Scripted to answer {status}.")

    def test_an_error_event_raises_behind_the_tokens_that_came_before_it(self):
        text, error = self.read(self.stream("error-event"))
        self.assertEqual((text, error.body["error"]["type"]), (FAILED_ANSWER, "overloaded_error"))

    def test_a_cut_message_raises_and_does_not_end_in_silence(self):
        text, error = self.read(self.stream("cut"))
        self.assertEqual((text, error.body["error"]["type"]), (CUT_ANSWER, "api_error"))
        with self.assertRaises(anthropic.APIError):
            self.accumulate("cut")

    def test_a_failure_behind_the_response_head_raises_too(self):
        text, error = self.read(self.stream("late-529", IMPATIENT))
        self.assertEqual((text, error.body["error"]["type"]), ("", "overloaded_error"))

    def test_a_body_that_is_no_request_is_a_bad_request(self):
        with self.assertRaises(anthropic.BadRequestError) as caught:
            self.client().post("/v1/messages", body={"stream": "yes", "model": "text"}, cast_to=object)
        self.assertEqual(caught.exception.body["error"]["type"], "invalid_request_error")
