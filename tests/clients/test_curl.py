"""curl through sluicegate: what is really on the wire."""

import json
import re
import subprocess
import tempfile
import time

from harness import IMPATIENT, PATIENT, Case, now

KEEP_ALIVE = b": keep-alive\n"


class CurlCase(Case):
    def start(self, model, *options, url=PATIENT, stream=True):
        body = json.dumps(self.ask(model, stream=stream))
        command = ["curl", "-sN", "--max-time", "30", *options, f"{url}/v1/chat/completions"]
        command += ["-H", "content-type: application/json", "-d", body]
        curl = subprocess.Popen(command, stdout=subprocess.PIPE)
        self.addCleanup(curl.stdout.close)
        self.addCleanup(curl.wait)
        self.addCleanup(curl.kill)
        return curl

    def transcript(self, model, **more):
        """The bytes that the client got, and those that the upstream sent."""
        got = self.start(model, **more).stdout.read()
        (entry,) = self.seen()
        return got, entry["sent"].encode("latin-1")


class Transcripts(CurlCase):
    def test_a_stream_is_byte_for_byte_the_upstreams(self):
        for model in ("text", "tools", "bytewise", "error-event"):
            with self.subTest(model=model):
                self.prompt = f"{self.id()} {model}"
                got, sent = self.transcript(model)
                self.assertEqual(got, sent)

    def test_a_whole_answer_is_byte_for_byte_the_upstreams(self):
        got, sent = self.transcript("text", stream=False)
        self.assertEqual(got, sent)

    def test_an_error_is_byte_for_byte_the_upstreams(self):
        got, sent = self.transcript("status-429")
        self.assertEqual(got, sent)

    def test_keep_alives_are_all_that_is_added_to_a_silent_stream(self):
        for model in ("slow", "id-events"):
            with self.subTest(model=model):
                self.prompt = f"{self.id()} {model}"
                got, sent = self.transcript(model, url=IMPATIENT)
                self.assertEqual(got.replace(KEEP_ALIVE, b""), sent)
                # In 1.5 seconds of silence, one each 0.2 seconds; fewer if the machine is busy.
                self.assertGreaterEqual(got.count(KEEP_ALIVE), 3)

    def test_a_cut_stream_ends_in_an_error_event_and_without_done(self):
        got, sent = self.transcript("cut")
        whole_events = sent[: sent.rindex(b"\n\n") + 2]
        self.assertTrue(got.startswith(whole_events + b'data: {"error":'), got)
        self.assertTrue(got.endswith(b"\n\n"))
        self.assertNotIn(b"[DONE]", got)

    def test_tokens_arrive_one_by_one(self):
        curl = self.start("text")
        arrivals = [time.monotonic() for line in curl.stdout if line.startswith(b"data:")]
        # The upstream leaves 20 milliseconds behind each of its 8 tokens.
        self.assertGreater(arrivals[-1] - arrivals[0], 0.1)

    def test_nobody_on_the_way_may_hold_the_stream_back(self):
        with tempfile.NamedTemporaryFile() as head:
            self.start("text", "-D", head.name, "-H", "x-request-id: curl-1").stdout.read()
            headers = dict(re.findall(r"^([a-z0-9-]+): (.*)\r$", head.read().decode(), re.MULTILINE | re.IGNORECASE))
        expected = {
            "content-type": "text/event-stream",
            "cache-control": "no-cache, no-transform",
            "x-accel-buffering": "no",
            "x-request-id": "curl-1",
            "x-upstream-request-id": "req_upstream",
        }
        self.assertEqual(expected, {name: headers.get(name) for name in expected})
        self.assertNotIn("content-length", headers)
        self.assertEqual(self.seen()[0]["headers"]["x-request-id"], "curl-1")


class Kills(CurlCase):
    def kill(self, curl, what):
        killed = now()
        curl.kill()
        self.assert_upstream_closed(killed, what)

    def test_killing_curl_in_the_middle_stops_the_upstream(self):
        curl = self.start("endless")
        self.assertIn(b"data:", curl.stdout.readline())
        self.kill(curl, "curl killed in the middle")

    def test_killing_curl_before_the_first_token_stops_the_upstream(self):
        curl = self.start("silent", url=IMPATIENT)
        self.assertEqual(curl.stdout.readline(), KEEP_ALIVE)
        self.kill(curl, "curl killed before the first token")

    def test_killing_curl_before_the_response_stops_the_upstream(self):
        curl = self.start("hang")
        time.sleep(0.5)
        self.kill(curl, "curl killed before the response")

    def test_killing_curl_before_a_whole_answer_stops_the_upstream(self):
        curl = self.start("hang", stream=False)
        time.sleep(0.5)
        self.kill(curl, "curl killed before a whole answer")
