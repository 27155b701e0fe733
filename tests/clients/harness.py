"""What the Python tests share: where the servers are, and what the scripted one has seen."""

import json
import os
import sys
import time
import unittest
import urllib.parse
import urllib.request

UPSTREAM = os.environ["UPSTREAM_URL"]
PATIENT = os.environ["PATIENT_URL"]
IMPATIENT = os.environ["IMPATIENT_URL"]

ANSWER = "Water finds its way, drop by drop."
WIDE_ANSWER = "Grüße ‹水› 🚰👩‍🔧"
CUT_ANSWER = "Water finds its way,"
FAILED_ANSWER = "Water finds its"

# An abort takes a millisecond or two. The bound leaves room for a machine that is busy with other things.
SOON = 1.0

# Longer than it takes until a request has reached the upstream, in seconds.
A_WHILE = 0.8


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        # The test's own name, which no other request carries, finds its requests in the upstream's log.
        self.prompt = self.id()

    def ask(self, model, **more):
        """The arguments of a request."""
        return {"model": model, "messages": [{"role": "user", "content": self.prompt}], **more}

    def seen(self, prompt=None):
        """What the upstream knows of this test's requests, once the last of them has ended."""
        query = urllib.parse.urlencode({"prompt": prompt or self.prompt})
        with urllib.request.urlopen(f"{UPSTREAM}/_log?{query}", timeout=10) as response:
            return json.load(response)

    def assert_upstream_closed(self, since, what):
        """Asserts that the upstream of this test's only request saw its connection close soon after `since`.

        Behind a timeout the latency may be negative: the SDK closes the connection before it raises.
        """
        (entry,) = self.seen()
        self.assertEqual(entry["ended"], "closed by the peer")
        latency = entry["ended_at"] - since
        print(f"cancelled upstream after {latency * 1000:6.1f} ms: {what}", file=sys.stderr)
        self.assertLess(latency, SOON)


def now():
    """The time by the clock that the upstream's log uses."""
    return time.time()
