"""The official OpenAI SDK for Python, its asynchronous client, through sluicegate."""

import asyncio
import unittest

import openai

from harness import A_WHILE, ANSWER, CUT_ANSWER, FAILED_ANSWER, IMPATIENT, PATIENT, Case, now


class AsyncCase(Case, unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        # In debug mode, which unittest turns on, the loop complains of a busy machine.
        asyncio.get_running_loop().set_debug(False)

    def client(self, url=PATIENT):
        client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0, timeout=30)
        self.addAsyncCleanup(client.close)
        return client

    async def stream(self, model, url=PATIENT):
        return await self.client(url).chat.completions.create(**self.ask(model, stream=True))

    async def read(self, model, url=PATIENT):
        """The text of a stream, and the error it ends in."""
        text = ""
        try:
            async for chunk in await self.stream(model, url):
                text += chunk.choices[0].delta.content or ""
        except openai.APIError as error:
            return text, error
        return text, None

    async def cancel(self, work):
        """Runs `work` for a while, cancels it, and returns when."""
        task = asyncio.create_task(work)
        await asyncio.sleep(A_WHILE)
        cancelled = now()
        task.cancel()
        with self.assertRaises(asyncio.CancelledError):
            await task
        return cancelled


class Streams(AsyncCase):
    async def test_every_token_of_a_stream_arrives(self):
        self.assertEqual(await self.read("text"), (ANSWER, None))

    async def test_keep_alives_before_the_first_token_do_no_harm(self):
        self.assertEqual(await self.read("slow", IMPATIENT), (ANSWER, None))

    async def test_keep_alives_between_events_with_ids_do_no_harm(self):
        self.assertEqual(await self.read("id-events", IMPATIENT), (ANSWER, None))

    async def test_many_streams_of_one_client_run_side_by_side(self):
        client = self.client()

        async def one():
            stream = await client.chat.completions.create(**self.ask("text", stream=True))
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

        self.assertEqual(await asyncio.gather(*(one() for _ in range(20))), [ANSWER] * 20)

    async def test_an_error_event_raises_behind_the_tokens_that_came_before_it(self):
        text, error = await self.read("error-event")
        self.assertEqual((text, error.code), (FAILED_ANSWER, "asleep"))

    async def test_a_cut_stream_raises_and_does_not_end_in_silence(self):
        text, error = await self.read("cut")
        self.assertEqual((text, error.code), (CUT_ANSWER, "upstream_connection_broken"))

    async def test_a_rate_limit_raises_its_exception(self):
        with self.assertRaises(openai.RateLimitError):
            await self.stream("status-429")


class Aborts(AsyncCase):
    async def test_closing_a_stream_in_the_middle_stops_the_upstream(self):
        stream = await self.stream("endless")
        await anext(stream)
        closed = now()
        await stream.close()
        self.assert_upstream_closed(closed, "async python, stream.close() after 1 token")

    async def test_cancelling_the_task_in_the_middle_stops_the_upstream(self):
        cancelled = await self.cancel(self.read("endless"))
        self.assert_upstream_closed(cancelled, "async python, task cancelled in the middle")

    async def test_cancelling_the_task_before_the_response_stops_the_upstream(self):
        cancelled = await self.cancel(self.read("hang"))
        self.assert_upstream_closed(cancelled, "async python, task cancelled before the response")

    async def test_cancelling_the_task_before_the_first_token_stops_the_upstream(self):
        cancelled = await self.cancel(self.read("silent", IMPATIENT))
        self.assert_upstream_closed(cancelled, "async python, task cancelled before the first token")

    async def test_cancelling_a_whole_answer_stops_the_upstream(self):
        cancelled = await self.cancel(self.client().chat.completions.create(**self.ask("hang")))
        self.assert_upstream_closed(cancelled, "async python, whole answer cancelled")
